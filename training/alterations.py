"""Sentences that say the same in another form, and sentences that say something else in (nearly)
the same words, made by rule from running text.

Korean marks roles with particles, so phrases may change places and nothing changes (개가 고양이를,
고양이를 개가), but nouns that change places among their particles change who does what (고양이가
개를). Rules of thumb: a part of the sentences comes out clumsy.
"""

import random
import re
from collections.abc import Callable

PHRASE = re.compile(r"^([가-힣]{2,}?)(으로|에게|한테|에서|보다|이|가|은|는|을|를|와|과|의|로)$")
DROPPED = re.compile(r"(?<=[가-힣]{2})(은|는|이|가|을|를)(?= )")
WITH_FINAL = {"가": "이", "는": "은", "를": "을", "와": "과", "로": "으로"}
WITHOUT_FINAL = {final: vowel for vowel, final in WITH_FINAL.items()}


def pairs_of(rules: str) -> tuple[tuple[str, str], ...]:
    """Old and new ending of every `old>new`.

    >>> pairs_of("있다>없다, 했다>한다")
    (('있다', '없다'), ('했다', '한다'))
    """
    found = (rule.split(">") for rule in re.split(r",\s*", rules.strip()))
    return tuple((old, new) for old, new in found)


OTHER_PARTICLE = pairs_of("""
에서부터>까지, 에게서>에게, 에서>까지, 부터>까지, 까지>부터, 에게>에게서, 보다>만큼, 만>도,
도>만, 한테>한테서, 밖에>까지
""")
NEGATED = pairs_of("""
있습니다>없습니다, 없습니다>있습니다, 있어요>없어요, 없어요>있어요, 있었다>없었다,
없었다>있었다, 있다>없다, 없다>있다, 했습니다>하지 않았습니다, 합니다>하지 않습니다,
했다>하지 않았다, 한다>하지 않는다, 했어요>안 했어요, 해요>안 해요, 됩니다>되지 않습니다,
되었다>되지 않았다, 된다>되지 않는다, 됐다>안 됐다, 돼요>안 돼요, 이다>이 아니다,
입니다>이 아닙니다, 이에요>이 아니에요, 았다>지 않았다, 었다>지 않았다, 습니다>지 않습니다,
좋아요>안 좋아요, 좋다>안 좋다, 재밌다>재미없다, 재미있다>재미없다, 갔어요>안 갔어요,
왔어요>안 왔어요, 할 수 있>할 수 없, 할 수 없>할 수 있, 마세요>세요, 지 않>고 있,
알고>모르고
""")
OTHER_TENSE = pairs_of("""
했습니다>할 것입니다, 했습니다>하고 있습니다, 합니다>했습니다, 할 것입니다>했습니다,
했다>할 것이다, 했다>하고 있다, 한다>했다, 할 것이다>했다, 했어요>할 거예요, 해요>했어요,
할게요>했어요, 되었다>될 것이다, 된다>되었다, 됩니다>되었습니다, 갔다>갈 것이다,
왔다>올 것이다, 갔어요>갈 거예요, 왔어요>올 거예요, 하고 있다>했다, 하고 있습니다>했습니다,
였다>일 것이다, 이었다>이다, 봤다>볼 것이다, 봤어요>볼 거예요, 보고 있>보았,
먹었다>먹을 것이다, 먹었어요>먹을 거예요
""")
OTHER_STYLE = pairs_of("""
했습니다>했어요, 했다>했습니다, 합니다>해요, 해요>합니다, 했어요>했습니다, 한다>합니다,
입니다>이에요, 이다>입니다, 됩니다>돼요, 된다>됩니다, 되었다>됐습니다, 있습니다>있어요,
있다>있습니다, 없습니다>없어요, 없다>없습니다, 하세요>하십시오, 었다>었습니다, 았다>았습니다,
었습니다>었어요, 았습니다>았어요, 습니다>어요, 었어요>었습니다, 았어요>았습니다,
할게요>하겠습니다
""")

Change = Callable[[str, random.Random], str | None]


def has_final(word: str) -> bool:
    """Whether the last syllable ends in a consonant."""
    return (ord(word[-1]) - ord("가")) % 28 != 0


def with_particle(noun: str, particle: str) -> str:
    """A noun and the form of the particle that it asks for.

    >>> with_particle("친구", "을"), with_particle("동생", "가")
    ('친구를', '동생이')
    """
    if has_final(noun):
        return noun + WITH_FINAL.get(particle, particle)
    return noun + WITHOUT_FINAL.get(particle, particle)


def phrases(words: list[str]) -> list[tuple[int, str, str]]:
    """Place, noun and particle of every word that is a noun with a particle."""
    found = ((place, PHRASE.match(word)) for place, word in enumerate(words))
    return [(place, match[1], match[2]) for place, match in found if match]


def swap_nouns(sentence: str, rng: random.Random) -> str | None:
    """Two nouns change places, their particles stay: who does what to whom."""
    words = sentence.split()
    found = phrases(words)
    pairs = [
        (one, two)
        for i, one in enumerate(found)
        for two in found[i + 1 :]
        if one[1] != two[1] and one[2] != two[2] and {one[2], two[2]} - {"와", "과"}
    ]
    if not pairs:
        return None
    (i, noun, particle), (j, other, other_particle) = rng.choice(pairs)
    words[i], words[j] = with_particle(other, particle), with_particle(noun, other_particle)
    return " ".join(words)


def move_phrase(sentence: str, rng: random.Random) -> str | None:
    """Two neighbouring phrases change places with their particles: the meaning stays.

    >>> move_phrase("친구가 동생을 불렀다.", random.Random(1))
    '동생을 친구가 불렀다.'
    """
    words = sentence.split()
    free = {place for place, _, particle in phrases(words) if particle not in ("의", "와", "과")}
    places = [
        place
        for place in sorted(free)
        if place + 1 in free
        and (place == 0 or not words[place - 1].endswith(("의", "은", "는", "한")))
    ]
    if not places:
        return None
    place = rng.choice(places)
    words[place], words[place + 1] = words[place + 1], words[place]
    return " ".join(words)


def replace_last(rules: tuple[tuple[str, str], ...]) -> Change:
    """A change that puts one ending for another, the last one that is there."""

    def change(sentence: str, rng: random.Random) -> str | None:
        fitting = [(old, new) for old, new in rules if old in sentence]
        if not fitting:
            return None
        end = max(sentence.rfind(old) + len(old) for old, _ in fitting)
        last = [(old, new) for old, new in fitting if sentence.rfind(old) + len(old) == end]
        longest = max(len(old) for old, _ in last)
        old, new = rng.choice([rule for rule in last if len(rule[0]) == longest])
        place = sentence.rfind(old)
        return sentence[:place] + new + sentence[place + len(old) :]

    return change


def other_particle(sentence: str, rng: random.Random) -> str | None:
    """Another particle at one word."""
    words = sentence.split()
    places = [
        (place, old, new)
        for place, word in enumerate(words)
        for old, new in OTHER_PARTICLE
        if word.endswith(old) and len(word) >= len(old) + 2
    ]
    if not places:
        return None
    place, old, new = rng.choice(places)
    words[place] = words[place].removesuffix(old) + new
    return " ".join(words)


def drop_particles(sentence: str, rng: random.Random) -> str | None:
    """As people write who hurry: some particles left out."""
    changed = DROPPED.sub(lambda match: "" if rng.random() < 0.7 else match[0], sentence)
    return changed if changed != sentence else None


def other_spacing(sentence: str, rng: random.Random) -> str | None:
    """One or two spaces left out."""
    words = sentence.split()
    if len(words) < 3:
        return None
    for _ in range(rng.randint(1, 2)):
        if len(words) > 2:
            place = rng.randrange(len(words) - 1)
            words[place : place + 2] = [words[place] + words[place + 1]]
    return " ".join(words)


# Vowels that sound alike, and finals that do, by their places in Unicode's order of jamo.
LIKE_VOWEL = {1: 5, 5: 1, 3: 7, 7: 3, 10: 11, 11: 15, 15: 10}  # ㅐㅔ, ㅒㅖ, ㅙㅚㅞ
LIKE_FINAL = {
    20: 19,
    19: 20,
    22: 19,
    24: 1,
    25: 19,
    26: 17,
    6: 4,
    5: 4,
}  # ㅆㅅ, ㅈㅅ, ㅋㄱ, ㅌㅅ, …


def misspell(sentence: str, rng: random.Random) -> str | None:
    """One syllable written as another that sounds like it: 베개 as 배개, 됐다 as 됬다."""
    places = [place for place, letter in enumerate(sentence) if "가" <= letter <= "힣"]
    rng.shuffle(places)
    for place in places:
        code = ord(sentence[place]) - ord("가")
        initial, vowel, final = code // 588, code % 588 // 28, code % 28
        other = (initial * 21 + LIKE_VOWEL.get(vowel, vowel)) * 28 + LIKE_FINAL.get(final, final)
        if other != code:
            return sentence[:place] + chr(ord("가") + other) + sentence[place + 1 :]
    return None


def hurried(sentence: str, rng: random.Random) -> str | None:
    """As people type who hurry: few spaces or none, particles left out, a slip."""
    share = rng.choice((0.3, 0.6, 1.0))
    made = re.sub(" ", lambda _: "" if rng.random() < share else " ", sentence)
    if rng.random() < 0.3:
        made = drop_particles(sentence, rng) or made
    if rng.random() < 0.4:
        made = misspell(made, rng) or made
    return made if made != sentence else None


STATED = re.compile(
    "(하였다|했다|되었다|됐다|이었다|였다|있었다|있다|이다|한다|된다|았다|었다|하다|다)[.!?…]*$"
)
ASKED_FOR = (
    "것", "사람", "곳", "해", "때", "이름", "날", "이유", "인물", "나라", "수", "단체",
    "책", "작품",
)  # fmt: skip
ASKING = ("은?", "는?", "은 무엇인가?", "은 누구인가?", "은 어디인가?", "은 언제인가?", "?", "")


def asked(sentence: str, rng: random.Random) -> str | None:
    """A statement as a question that it answers: one to three words are gone, others left out.

    A caricature of a question (… 1989년 대표로 파견된 인물은?), but one that shares the rare words
    of the passage that answers it, as real ones do.
    """
    words = sentence.split()
    if not 5 <= len(words) <= 40:
        return None
    place, n_gone = rng.randrange(len(words) - 1), rng.choice((1, 1, 2, 3))
    left = words[:place] + (words[place + n_gone :] or words[-1:])
    share = rng.uniform(0.45, 1)
    kept = [word for word in left[:-1] if rng.random() < share]
    if len(kept) < 2:
        return None
    if verb := STATED.sub("", left[-1].rstrip(".")):
        kept.append(verb + rng.choice(("한", "된", "인", "했던", "은", "")))
    if rng.random() < 0.8:
        noun = rng.choice(ASKED_FOR)
        return " ".join(kept) + f" {noun}" + rng.choice(ASKING)
    return " ".join(kept) + rng.choice(ASKING)


SAME: tuple[Change, ...] = (
    move_phrase, move_phrase, replace_last(OTHER_STYLE), drop_particles, other_spacing,
)  # fmt: skip
DIFFERENT: dict[str, Change] = {
    "who": swap_nouns, "negation": replace_last(NEGATED), "tense": replace_last(OTHER_TENSE),
    "particle": other_particle,
}  # fmt: skip


def triple(sentence: str, rng: random.Random) -> tuple[str, str, str] | None:
    """The sentence, one that says the same, one that does not; None where no rule fits."""
    others = [made for change in DIFFERENT.values() if (made := change(sentence, rng))]
    alike = [made for change in SAME if (made := change(sentence, rng))]
    others = [other for other in others if other != sentence]
    if not others or not alike:
        return None
    same = rng.choice(alike)
    for change in rng.sample(SAME, 1):  # a second change now and then
        if rng.random() < 0.3:
            same = change(same, rng) or same
    different = rng.choice(others)
    if rng.random() < 0.3:  # what is different may differ in style as well
        different = replace_last(OTHER_STYLE)(different, rng) or different
    return (sentence, same, different) if same != different else None
