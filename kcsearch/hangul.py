"""Korean text rules: normal forms, lexical tokens, 초성, comment cleaning, sentence ends.

Pure functions on strings and nothing but the standard library: a cold query imports this.
Keyboard slips are in keyboard.py; widths and unsafe characters in display.py.
"""

from __future__ import annotations

import re
from itertools import pairwise
from unicodedata import decomposition
from unicodedata import normalize as _unicode_normalize

TOKENIZER_VERSION = 1  # stored in a collection; another number means other tokens

# -- normal forms --------------------------------------------------------------------------------

_INVISIBLE = (  # soft hyphen, fillers, joiners, bidi controls, variation selectors, byte order mark
    "\u00ad\u034f\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff"
)
_TO_FOLD = re.compile(f"([{_INVISIBLE}])|[\u3000\u3164\uff01-\uff5e\uffa0-\uffdc]")


def normalize(text: str) -> str:
    """NFC: what macOS takes apart is put together. Texts, keys and queries are stored so.

    >>> normalize("\u1112\u1161\u11ab\u1100\u1173\u11af")
    '한글'
    """
    return _unicode_normalize("NFC", text)


def narrow(text: str) -> str:
    """NFC, with full-width letters narrow, and without invisible characters.

    >>> narrow("ＫＴＸ\u200b 서울역　１２번")
    'KTX 서울역 12번'
    """
    return _unicode_normalize("NFC", _TO_FOLD.sub(_fold_letter, text))


def fold(text: str) -> str:
    """A form for comparing words: `narrow`, in lower case.

    >>> fold("ＫＴＸ\u200b 서울역　１２번")
    'ktx 서울역 12번'
    """
    return _unicode_normalize("NFC", narrow(text).lower())


# -- particles -----------------------------------------------------------------------------------

# By the last letter before it: after a consonant, after a vowel.
_PARTICLES = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "(으)로": ("으로", "로"),
}
_EITHER = re.compile(r"([가-힣0-9])([^\w\s]{0,2})(은\(는\)|이\(가\)|을\(를\)|\(으\)로)")
_DIGIT_FINALS = {"0": 21, "1": 8, "3": 16, "6": 1, "7": 8, "8": 8}  # 영, 일, 삼, 육, 칠, 팔


def agree(text: str) -> str:
    """Choose the form of a particle by the word before it; after other letters both stay.

    >>> agree("'고양이'은(는) '집'(으)로, '서울'(으)로, docs.txt이(가) 아니라 3을(를)")
    "'고양이'는 '집'으로, '서울'로, docs.txt이(가) 아니라 3을"
    """

    def choose(found: re.Match[str]) -> str:
        letter, signs, particle = found.groups()
        final = _DIGIT_FINALS.get(letter, 0) if letter.isdigit() else (ord(letter) - 0xAC00) % 28
        is_open = final == 0 or (final == 8 and particle == "(으)로")  # ㄹ + 로
        return letter + signs + _PARTICLES[particle][is_open]

    return _EITHER.sub(choose, text)


def _fold_letter(found: re.Match[str]) -> str:
    letter = found[0]
    if found[1]:
        return ""
    if letter in "\u3000\u3164\uffa0":  # ideographic space, Hangul fillers
        return " "
    # One step only: NFKC would go on from ﾡ to conjoining jamo, which then glue to each other.
    one_step = decomposition(letter)
    return chr(int(one_step.split()[1], 16)) if one_step else letter


# -- lexical tokens ------------------------------------------------------------------------------

_HANJA = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(
    rf"[가-힣]+|[ㄱ-ㆎ]+|\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+|(?:(?=[{_HANJA}])\w)+|[^\W\d_가-힣ㄱ-ㆎ{_HANJA}]+"
)
_REPEAT = re.compile(r"(.)\1+")


def runs(text: str) -> list[str]:
    """Runs of letters of one kind: syllables, jamo, a number, Hanja, or any other letters.

    >>> runs("아이폰15프로, 1,200원")
    ['아이폰', '15', '프로', '1,200', '원']
    """
    return _WORD.findall(fold(text))


def bigrams(text: str) -> list[str]:
    """The lexical tokens of a text, in order, with repetitions.

    A run of syllables gives its bigrams, so that 서울 is found in 서울은 and 서울특별시; one
    syllable alone is a token. Every change of script or to digits ends a run: Latin words, numbers
    (without thousands commas) and Hanja stay whole, jamo runs lose their repetitions. Tokens are
    letters and digits only, so no full-text engine cuts them again.

    >>> bigrams("서울은 아이폰15프로 ㅋㅋㅋ")
    ['서울', '울은', '아이', '이폰', '15', '프로', 'ㅋ']
    >>> bigrams("KTX 2호선은 1,200원, A형 大韓民國")
    ['ktx', '2', '호선', '선은', '1200', '원', 'a', '형', '大韓民國']
    """
    tokens: list[str] = []
    for word in runs(text):
        if "가" <= word[0] <= "힣":
            if len(word) < 3:
                tokens.append(word)
            else:
                tokens += map("".join, pairwise(word))
        elif "ㄱ" <= word[0] <= "ㆎ":
            tokens.append(_REPEAT.sub(r"\1", word))
        else:
            tokens.append(word.replace(",", ""))
    return tokens


def query_tokens(text: str) -> list[str]:
    """What to look up for a query: `bigrams`, each once, any of which may match.

    A single syllable ends in `*`: it stands for every token that begins with it, because 꽃 is
    꽃이, 꽃을 … in running text. Nothing is done about spaces: 아이폰케이스 and 아이폰 케이스 share
    four of five tokens, and a search for any of them ranked by BM25 finds either by the other.

    >>> query_tokens("꽃 축제 축제")
    ['꽃*', '축제']
    """
    tokens = dict.fromkeys(bigrams(text))
    return [token + "*" if len(token) == 1 and "가" <= token <= "힣" else token for token in tokens]


# -- 초성 -----------------------------------------------------------------------------------------

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
CLUSTERS = {
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip


def choseong(text: str) -> str:
    """Leading consonants: each syllable becomes its first letter, a cluster like ㄳ two letters.

    All else stays, so the result can be searched for a 초성 query (which passes through here too,
    because some keyboards turn ㄱㅅ into ㄳ).

    >>> choseong("안녕하세요, Kim")
    'ㅇㄴㅎㅅㅇ, Kim'
    """
    return "".join(
        INITIALS[(ord(c) - 0xAC00) // 588] if "가" <= c <= "힣" else CLUSTERS.get(c, c)
        for c in normalize(text)
    )


def is_choseong_query(text: str) -> bool:
    """Whether a query is leading consonants: two or more, and not laughter (ㅋㅋ, ㅎㅎ) or ㅇㅇ.

    >>> is_choseong_query("ㅇㄴ ㅎㅅㅇ"), is_choseong_query("ㅋㅋㅎㅎ"), is_choseong_query("ㅠㅠ")
    (True, False, False)
    """
    letters = "".join(fold(text).split())
    if not set(letters) <= {*INITIALS, *CLUSTERS}:
        return False
    different = set(choseong(letters))
    return len(different) > 1 and different != {"ㅋ", "ㅎ"}


def with_initials(first: str, second: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The ranges, ends included, of the syllables that begin with these two letters.

    >>> with_initials("ㅅ", "ㅇ")
    (('사', '싷'), ('아', '잏'))
    """
    starts = [0xAC00 + INITIALS.index(letter) * 588 for letter in (first, second)]
    one, two = ((chr(start), chr(start + 587)) for start in starts)
    return one, two


def match_choseong(query: str, text: str) -> tuple[float, str] | None:
    """How well a text answers a 초성 query, and the words that it stands for there.

    Every word of the query has to be in a word of the text. The score, in [0, 2], is the share of
    query words that begin a word, and the share of the text's letters that they cover.

    >>> match_choseong("ㅎㅅㅇ", "안녕하세요")
    (0.6, '하세요')
    >>> match_choseong("ㅇㄴ", "안녕 친구")
    (1.5, '안녕')
    """
    folded = fold(text)
    letters = "".join(
        INITIALS[(ord(c) - 0xAC00) // 588] if "가" <= c <= "힣" else c for c in folded
    )
    words = choseong(fold(query)).split()
    n_beginning, readings = 0, []
    for word in words:
        place = f" {letters}".find(f" {word}")
        is_beginning = place >= 0
        if not is_beginning:
            place = letters.find(word)
            if place < 0:
                return None
        n_beginning += is_beginning
        readings.append(folded[place : place + len(word)])
    covered = sum(map(len, words)) / max(1, len("".join(letters.split())))
    return n_beginning / len(words) + min(1.0, covered), " ".join(readings)


# -- comments, as KcBERT was trained on them -----------------------------------------------------

# soynlp 0.0.493, normalizer.repeat_normalize: four or more of the same become num_repeats = 2.
_REPEATED = re.compile(r"(\w)\1{3,}")
_SPACES = re.compile(r"\s+")
# The single characters of emoji 0.6.0 (the release KcBERT was made with) below U+10000, exactly.
_EMOJI_BMP = (
    "\u00a9\u00ae\u200d\u203c\u2049\u20e3\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328"
    "\u23cf\u23e9-\u23f3\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2604"
    "\u260e\u2611\u2614\u2615\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a"
    "\u2640\u2642\u2648-\u2653\u265f\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697"
    "\u2699\u269b\u269c\u26a0\u26a1\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce"
    "\u26cf\u26d1\u26d3\u26d4\u26e9\u26ea\u26f0-\u26f5\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d"
    "\u270f\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755"
    "\u2757\u2763\u2764\u2795-\u2797\u27a1\u27b0\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50"
    "\u2b55\u3030\u303d\u3297\u3299\ufe0f"
)
# Above it whole blocks, so that newer emoji stay too; the tags are those of flags.
_EMOJI_ASTRAL = (
    "\U0001f000-\U0001f2ff\U0001f300-\U0001f6ff\U0001f7e0-\U0001faff\U000e0061-\U000e007f"
)
_NOT_KCBERT = f"[^ .,?!/@$%~％·∼()\x00-\x7fㄱ-ㅣ가-힣{_EMOJI_BMP}{_EMOJI_ASTRAL}]+"
_URL = r"https?://(www\.)?[-a-zA-Z0-9@:%._+~#=]{1,256}\.[a-zA-Z0-9()]{1,6}\b[-a-zA-Z0-9()@:%_+.~#?&/=]*"


def squeeze(text: str) -> str:
    """Four or more of one letter or digit become two, runs of white space one space.

    soynlp's `repeat_normalize(text, num_repeats=2)`: three stay, and so do signs (!!!!).

    >>> squeeze("와하하하하하하핫 ㅋㅋㅋㅋㅋ  ㅠㅠㅠ !!!!")
    '와하하핫 ㅋㅋ ㅠㅠㅠ !!!!'
    """
    return _SPACES.sub(" ", _REPEATED.sub(r"\1\1", text)).strip()


def clean_kcbert(text: str) -> str:
    """Clean a comment as KcBERT's training data was (README of github.com/Beomi/KcBERT, `clean`).

    Anything but Hangul, ASCII, a few signs and emoji becomes a space (so Hanja and kana go), URLs
    go, repetitions are squeezed, and long numbers with them (10000 becomes 100, as there).
    Emoji are the character ranges above instead of the `emoji` package.

    >>> clean_kcbert("大박ㅋㅋㅋㅋㅋ 이거 봐 https://example.com/a?b=1 😂")
    '박ㅋㅋ 이거 봐 😂'
    """
    # Compiled when first used: not every query is to pay for it. `re` keeps what it compiled.
    return squeeze(re.sub(_URL, "", re.sub(_NOT_KCBERT, " ", text)).strip())


# -- sentences -----------------------------------------------------------------------------------

# Runs are taken whole, so that a long row of dots or blanks costs one step, not its square.
_MARK = re.compile(r"([.!?…。！？]+)([\"'”’»)\]）」』》〉】]*)(\s*)|\s+")
_LINE_END = re.compile(r"[\n\r\u2028\u2029]")
_QUOTING = re.compile(r"(?:이?라[고는며]|하[고며는였]|고 |는 |며 )")
_NO_END = re.compile(r"(?:^|[^A-Za-z])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Fig|vs|cf|pp|al|Vol)$")
_ORDINAL = re.compile(r"(?:^|[\s(])\d{1,4}$")
_LIST_MARKS = frozenset("가나다라마바사아자차카타파하")


def split_sentences(text: str) -> list[str]:
    """Cut a text after its sentences; `"".join` of the parts is the text again.

    White space belongs to the sentence before it. A line break always ends a sentence; `.` does
    before white space and, after 다, 요, 죠, 까, also directly before Hangul. Dates, numbers,
    initials and titles (2024. 3. 15., U.S., Dr.) go on; so does a quotation before 라고.

    >>> split_sentences("원주율은 3.14이다. 정말요?! U.S. Army")
    ['원주율은 3.14이다. ', '정말요?! ', 'U.S. Army']
    """
    parts = []
    start = 0
    for mark in _MARK.finditer(text):
        if _ends_sentence(text, start, mark):
            parts.append(text[start : mark.end()])
            start = mark.end()
    return [*parts, text[start:]] if start < len(text) else parts


def _ends_sentence(text: str, start: int, mark: re.Match[str]) -> bool:
    if mark.start() == start and not mark[1]:
        return False  # leading white space belongs to the sentence that follows
    if _LINE_END.search(mark[0]):
        return True
    signs, closing, space = mark.groups()
    if not signs or mark.end() == len(text):
        return False
    before = text[max(start, mark.start() - 8) : mark.start()]
    after = text[mark.end() : mark.end() + 3]
    if "。" in signs or "！" in signs or "？" in signs:
        return not (closing and _QUOTING.match(after))
    if not space:
        is_end = bool(before) if set(signs) - {".", "…"} else _is_korean_end(before)
        return is_end and not closing and "가" <= after[:1] <= "힣"
    if closing and _QUOTING.match(after):
        return False
    if signs == ".":
        is_list_mark = mark.start() - start < 8 and before.strip() in _LIST_MARKS
        return not (is_list_mark or _NO_END.search(before) or _ORDINAL.search(before))
    return True


def _is_korean_end(before: str) -> bool:
    return "가" <= before[-2:-1] <= "힣" and before[-1] in "다요죠까"
