"""Korean particles and endings: which words are a stem with one of them glued on.

Rules of thumb over word counts, not a morphological analyser: enough to choose a vocabulary in
which greedy longest match gives stem + ##particle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

AFTER_CONSONANT = (
    "은 이 을 과 으로 이나 이라고 이라는 이란 이며 이고 이에요 으로서 으로써 이라도 이라면"
)
AFTER_VOWEL = "는 가 를 와 로 나 라고 라는 란 며 예요 로서 로써 라도 라면"
ANYWHERE = """의 에 에서 에게 에는 에도 에서는 에서도 에게서 에서의 도 만 까지 부터 처럼 보다
마다 밖에 조차 마저 한테 께서 께 들 들이 들은 들을 들의 들에게 들도 입니다 인데 이다 인 였다
이었다 뿐 대로 만큼 요 적 적인 적으로 히"""
OF_VERBS = """하다 하는 한 할 함 하고 하여 해 해서 했다 했던 했고 했는데 했으며 합니다 합니까
하면 하며 하지 하게 하기 하세요 하십니까 해요 해야 해도 했습니다 했어요 했지만 하도록 하던
하려고 하려면 하자 하나요 할까요 하네요 하는데 하십시오 해주세요 해줘 해라 하냐 하니 한다
한다고 하겠습니다 하시는 하시나요 하였다 하였고 하였으며 되는 된 될 되고 되어 되어서 돼 됐다
되었다 되었고 되었으며 되며 되면 되지 되어야 됩니다 되었습니다 됐습니다 되나요 돼요 된다 되기
되도록 시키는 시킨 시켜 시킬"""
# Endings of verbs: clear ones may follow a stem of one syllable (있 + 습니다).
CLEAR = """습니다 습니까 어요 아요 었다 았다 었던 았던 었어요 았어요 었습니다 았습니다 었는데
았는데 었고 았고 는데 는데요 지만 으면 어서 아서 네요 나요 는지 는가 는다 는다고 려고 으려고
어야 아야 어도 아도 으니 으니까 니까 면서 으면서 을까 을까요 을게요 으세요 더라 더라고 잖아
잖아요 거든 거든요 군요 구나 겠다 겠어요 겠습니다 겠지 었으면 았으면 었지만 았지만 도록 던데
든지 지요 고요 기에 기도 세요"""
SHORT_ENDINGS = "고 지 죠 게 기 던 든 면 자 니"
# Words that look like a stem and an ending and are neither any more.
NO_STEMS = """그리고 그러나 하지만 그래서 그러면 그런데 그러니까 어떻게 때문에 이렇게 그렇게
저렇게 그리스도 이야기 아버지 어머니 고양이 강아지 오히려 이상한 그대로 대로 모든 어떤 아무도
어디 언제 얼마나 누구나 길이"""
# Nouns of one syllable, and the particles that are taken off them: 돈을, 비가, 집에서.
SHORT_NOUNS = """돈 비 집 물 밥 눈 손 발 말 차 길 방 문 옷 책 날 일 곳 때 것 앱 약 열 목 배 코 귀
털 개 빵 술 꿈 맛 값 글 몸 불 땅 병 잠 칼 컵"""
SHORT_PARTICLES = "은 는 이 가 을 를 에 에서 에는 으로"

WHOLE = frozenset(NO_STEMS.split())
CLEAR_ENDINGS = frozenset(CLEAR.split())
PARTICLES = frozenset(f"{AFTER_CONSONANT} {AFTER_VOWEL} {ANYWHERE}".split())
SUFFIXES = PARTICLES | CLEAR_ENDINGS | frozenset(f"{OF_VERBS} {SHORT_ENDINGS}".split())
LONGEST = max(map(len, SUFFIXES))
_CONSONANT, _VOWEL = frozenset(AFTER_CONSONANT.split()), frozenset(AFTER_VOWEL.split())
_NOUN_MARKS = (("을", "이", "의"), ("를", "가", "의"))  # after a consonant, after a vowel


def final_consonant(word: str) -> int:
    """Number of the final consonant of the last syllable, 0 if it ends in a vowel."""
    return (ord(word[-1]) - ord("가")) % 28


def is_hangul(word: str) -> bool:
    return all("가" <= character <= "힣" for character in word)


def may_follow(stem: str, suffix: str) -> bool:
    """Whether the suffix has the form that this stem asks for: 물을, 나무를, 물로.

    >>> may_follow("물", "을"), may_follow("물", "를"), may_follow("물", "로")
    (True, False, True)
    """
    final = final_consonant(stem)
    if suffix in _CONSONANT:
        return final != 0
    if suffix in _VOWEL:
        return final == 0 or (final == 8 and suffix.startswith("로"))  # 8 is ㄹ
    return True


SHORT = frozenset(
    noun + particle
    for noun in SHORT_NOUNS.split()
    for particle in SHORT_PARTICLES.split()
    if may_follow(noun, particle)
)


def splits(word: str, least: int = 2) -> Iterator[tuple[str, str]]:
    """Every (stem, suffix) of a Hangul word, stems of at least so many syllables."""
    for place in range(max(least, len(word) - LONGEST), len(word)):
        stem, suffix = word[:place], word[place:]
        if suffix in SUFFIXES and may_follow(stem, suffix):
            yield stem, suffix


def noun_share(word: str, counts: Mapping[str, int]) -> float:
    """How often a word takes a mark of nouns (을, 이, 의), beside how often it stands alone."""
    marks = _NOUN_MARKS[0 if final_consonant(word) else 1]
    return sum(counts.get(word + mark, 0) for mark in marks) / (counts.get(word, 0) + 1)


def glued(word: str, counts: Mapping[str, int], known: set[str]) -> bool:
    """Whether a word is a known stem + suffix rather than a word of its own.

    A noun that happens to end like that (고양이) takes marks of nouns itself.
    """
    if word in WHOLE or len(word) < 2:
        return False
    if word in SHORT:
        return True
    if any(stem in known for stem, _ in splits(word)):
        return noun_share(word, counts) < 0.05
    stems = (word[: -len(end)] for end in CLEAR_ENDINGS if word.endswith(end))
    return any(len(stem) == 1 and final_consonant(stem) and stem in known for stem in stems)


def stem_counts(
    counts: Mapping[str, int], longest: int = 4, least_suffixes: int = 4
) -> Counter[str]:
    """How often each stem occurs alone or with a suffix, if it is seen with several of them."""
    found: Counter[str] = Counter()
    suffixes: defaultdict[str, set[str]] = defaultdict(set)
    for word, n in counts.items():
        if not is_hangul(word):
            continue
        if 2 <= len(word) <= longest:
            found[word] += n
        for stem, suffix in splits(word):
            if len(stem) <= longest:
                found[stem] += n
                suffixes[stem].add(suffix)
    real = (stem for stem in found if len(suffixes[stem]) >= least_suffixes)
    return Counter({stem: found[stem] for stem in real})
