import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcsearch import keyboard
from kcsearch.keyboard import from_latin_keys, looks_like_slip, to_latin_keys

syllables = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)

ENGLISH = re.findall(
    "[a-z]+",
    """
about account after again air all america android api app apple april ask august auto away back
bad bag bank bar base beach bed best big bike bill birthday black blue board body book box boy
brand bread break bring brown build bus business busy buy cafe cake call camera car card care case
cash cat chair change cheap check child chrome class clear clock close cloud code coffee cold
color come computer contact cook copy cost country coupon course cover cream credit cup customer
data date day deal delete delivery design desk discount doctor dog door download dress drink drive
driver early easy eat email empty end english enter error event every excel exit eye face family
farm fast father feel file film find fine fire first fish fix flight floor flower fly food free
fresh friday friend from fruit full fun game garden get gift girl give glass go gold good google
great green group guide guitar hair half hand happy hard hat have head health hear heart hello
help here high hill holiday home hope horse hospital hot hotel hour house how idea image inside
install internet iphone island item january job join key kid kind kitchen korea lake language
laptop large last late laugh law learn left leg lemon letter library life light like line link
list little live local lock login long look lost love low lunch mail main make man map march
market may meat medicine meet memory menu message metal mind minute mobile model monday money
month moon morning mother mountain mouse movie music name near need network never new news next
night north note number ocean office oil old online open option orange order outside page paper
parent park part party password pay payment people phone photo picture plan plane plant play
please point police post power present price print problem product profile program project python
question quick radio rain read ready real red refund rent reply report rest return review rice
ride river road room route run safe sale salt school science screen sea search season seat second
secret security sell send seoul server service set shirt shoe shop short show shower sing sister
size skin sky sleep small smile snow soccer social soft software song soon sort sound soup south
space speed sport spring stage star start station stay step stop store storm story street strong
student study sugar summer sun sunday support swim system table take talk tall taste tax taxi tea
teach team tell test text thank ticket time tired tool top toy track trade traffic train travel
tree trip truck true try tuesday uncle under update upgrade use user vacation video view village
visit voice wait walk wall want warm wash watch water way weather web wednesday week weight west
wheel white wide wife wifi win wind window wine winter woman wood word worker write wrong year
yellow yes young zero zone zoom city clean down field form right sign such than then they title
today total turn when with work world
""",
)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(keyboard).failed == 0


@given(st.text(syllables))
def test_keys_of_syllables_give_the_syllables_back(text):
    assert from_latin_keys(to_latin_keys(text)) == text


@given(st.text(st.sampled_from("qwertyuiopasdfghjklzxcvbnmQWERTOP 1!")))
def test_keys_come_back_from_what_they_typed(keys):
    assert to_latin_keys(from_latin_keys(keys)) == keys


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("dkssudgktpdy", "안녕하세요"),
        ("Rkcl", "까치"),
        ("RkRkdlTspdy", "까까있네요"),
        ("ghkdnjs", "화원"),
        ("dhodhdnpqdml", "왜오웹의"),
        ("rkqt", "값"),
        ("rkqtdl", "값이"),
        ("rkqtl", "갑시"),
        ("ekfr", "닭"),
        ("ekfrl", "달기"),
        ("dlTdjdy", "있어요"),
        ("dlTj", "이써"),
        ("thffuR", "솔렦"),
        ("qkqEkek", "밥따다"),
        ("hk", "ㅘ"),
        ("rr", "ㄱㄱ"),
        ("TJDNF", "써울"),
        ("", ""),
        ("a1! 가", "ㅁ1! 가"),
    ],
)
def test_composition(keys, text):
    assert from_latin_keys(keys) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("dkssudgktpdy", "안녕하세요"),
        ("tjdnf skfTl", "서울 날씨"),
        ("dkdlvhs 15", "아이폰 15"),
        ("Rhc cnrwp", "꽃 축제"),
        ("ghksqnf ehlskdy?", "환불 되나요?"),
        ("ㅗ디ㅣㅐ", "hello"),
        ("ㅔㅛ쇄ㅜ", "python"),
        ("ㅑㅔㅙㅜㄷ 15", "iphone 15"),
        ("뭉개ㅑㅇ", "android"),
        ("ㅔㅛ쇄ㅜ 설치", "python 설치"),
        ("ㅗ디ㅣㅐ 재깅 ㅅㄷㄴㅅ", "hello world test"),
        ("ㅔㅛ쇄ㅜ ㅋㅋㅋ 좋아요ㅠㅠ", "python ㅋㅋㅋ 좋아요ㅠㅠ"),
        ("카드 rufwp 안됨", "카드 결제 안됨"),
        ("아이폰15 zpdltm", "아이폰15 케이스"),
    ],
)
def test_slips_are_seen(text, meant):
    assert looks_like_slip(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "  ",
            "안녕",
            "hello",
            "hello world",
            "so",
            "to do",
            "AI",
            "v2.0",
            "15",
            "서울 hotel",
            "디스크 disk",
            "김치 kimchi",
            "서울gks",
        ],
        *["안녕ㅋㅋㅋ", "ㅠㅠ", "좋아요ㅠㅠ", "ㅡㅡ 뭐야", "ㅇㄴㅎㅅㅇ", "ㅋ", "ㅗ大ㅣ"],
        "https://naver.com",
    ],
)
def test_no_slip_is_seen_where_there_is_none(text):
    assert looks_like_slip(text) is None


def test_everyday_english_words_are_not_taken_for_slips(monkeypatch):
    assert [word for word in ENGLISH if looks_like_slip(word)] == []
    monkeypatch.setattr(keyboard, "_ENGLISH", set())
    by_composition_alone = [word for word in ENGLISH if looks_like_slip(word)]
    assert (len(by_composition_alone), len(ENGLISH)) == (25, 505)


@given(st.text())
def test_never_anything_but_a_text_or_none(text):
    meant = looks_like_slip(text)
    assert meant is None or re.search("[가-힣a-z]", meant)
