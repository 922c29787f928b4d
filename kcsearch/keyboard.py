"""Korean typed with the keyboard in Latin mode, and the other way round (dubeolsik, KS X 5002).

It guesses only what was meant; whether to search for it is the caller's decision.
"""

from __future__ import annotations

import re

from kcsearch.hangul import CLUSTERS, INITIALS, is_choseong_query, normalize

_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
_COMPOUND_VOWELS = {
    "ㅘ": "ㅗㅏ", "ㅙ": "ㅗㅐ", "ㅚ": "ㅗㅣ", "ㅝ": "ㅜㅓ",
    "ㅞ": "ㅜㅔ", "ㅟ": "ㅜㅣ", "ㅢ": "ㅡㅣ",
}  # fmt: skip

_JAMO_OF_KEY = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnmQWERTOP",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ",
        strict=True,
    )
)
_STROKES = {**CLUSTERS, **_COMPOUND_VOWELS}  # letters that take two keys
_JOINED = {strokes: letter for letter, strokes in _STROKES.items()}
_KEYS_OF_JAMO = {jamo: key for key, jamo in _JAMO_OF_KEY.items()} | {
    letter: "".join({j: k for k, j in _JAMO_OF_KEY.items()}[stroke] for stroke in strokes)
    for letter, strokes in _STROKES.items()
}

# A final consonant is one only if no vowel follows it: backtracking does what an input method does
# when the next vowel takes a consonant away from the syllable before (간 + ㅏ -> 가나).
_VOWEL = "(?:ㅗ[ㅏㅐㅣ]?|ㅜ[ㅓㅔㅣ]?|ㅡㅣ?|[ㅏ-ㅣ])"
_FINAL = "(?:ㄱㅅ|ㄴ[ㅈㅎ]|ㄹ[ㄱㅁㅂㅅㅌㅍㅎ]|ㅂㅅ|[ㄱㄲㄴㄷㄹㅁㅂㅅㅆㅇㅈㅊㅋㅌㅍㅎ])"
_TYPED = re.compile(f"([ㄱ-ㅎ])({_VOWEL})({_FINAL}(?![ㅏ-ㅣ]))?|{_VOWEL}")


def from_latin_keys(text: str) -> str:
    """The Hangul that these keys give in Korean mode; what is no letter key stays.

    >>> from_latin_keys("dkssudgktpdy! Rhc")
    '안녕하세요! 꽃'
    """
    strokes = "".join(_JAMO_OF_KEY.get(c) or _JAMO_OF_KEY.get(c.lower(), c) for c in text)
    return _TYPED.sub(_compose, strokes)


def _compose(typed: re.Match[str]) -> str:
    initial, vowel, final = typed.groups()
    if initial is None:
        return _JOINED.get(typed[0], typed[0])
    vowel_at = _VOWELS.index(_JOINED.get(vowel, vowel))
    final_at = _FINALS.index(_JOINED.get(final, final)) if final else 0
    return chr(0xAC00 + (INITIALS.index(initial) * 21 + vowel_at) * 28 + final_at)


def to_latin_keys(text: str) -> str:
    """The keys that type this Hangul; all else stays.

    >>> to_latin_keys("ㅗ디ㅣㅐ")
    'hello'
    """
    return "".join(map(_keys_of, normalize(text)))


def _keys_of(letter: str) -> str:
    if not "가" <= letter <= "힣":
        return _KEYS_OF_JAMO.get(letter, letter)
    code = ord(letter) - 0xAC00
    parts = INITIALS[code // 588], _VOWELS[code // 28 % 21], _FINALS[code % 28]
    return "".join(_KEYS_OF_JAMO[part] for part in parts if part)


# English words that happen to compose into common syllables: those among the 2,000 most frequent
# words of the English side of our parallel texts, and of the 500 everyday words in
# tests/test_keyboard.py. Of the next 18,000 frequent words 1.8 % compose as well.
_ENGLISH = set(
    re.findall(
        "[a-z]+",
        """also auto chair city clean disk django down element entry field fish focus foreign form
        forms girl right sight sign signal social such than them then they title today total turn
        tutorial virtual when width wifi with work works world""",
    )
)
_LATIN_WORD = re.compile("(?<![^\\W\\d_])[A-Za-z]{4,}(?![^\\W\\d_])")  # two syllables at the least
_EMOTICON = re.compile(r"[ㅠㅜㅡ]+(?![ㄱ-ㅣ가-힣])|([ㄱ-ㅎ])\1+")


def looks_like_slip(text: str) -> str | None:
    """What was probably meant, if the keyboard was in the other mode; None if nothing suggests it.

    Latin letters must compose wholly into the 2,350 common syllables (KS X 1001), at least two of
    them in one word; where there is Hangul beside them, every such word is looked at by itself.
    Hangul must hold vowels that stand alone and are no emoticon; words of whole syllables beside
    them stay, unless they are one of the English words that happen to become syllables. A 초성
    query is never a slip, so ㅅㄷㄴㅅ ("test") is not seen; neither are such English words alone.

    >>> looks_like_slip("dkssudgktpdy"), looks_like_slip("python"), looks_like_slip("ㅔㅛ쇄ㅜ 설치")
    ('안녕하세요', None, 'python 설치')
    """
    text = normalize(text).strip()
    if text.isascii():
        return _meant_hangul(text)
    if not is_choseong_query(text) and re.search("[ㅏ-ㅣ]", _EMOTICON.sub("", text)):
        return _meant_latin(text)
    meant = _LATIN_WORD.sub(lambda word: _meant_hangul(word[0]) or word[0], text)
    return meant if meant != text else None


def _meant_hangul(text: str) -> str | None:
    words = re.findall("[a-z]+", text.lower())
    hangul = from_latin_keys(text)
    is_whole = re.search("[가-힣]{2}", hangul) and not re.search("[ㄱ-ㅣ]", hangul)
    if not is_whole or not _ENGLISH.isdisjoint(words):
        return None
    syllables = re.findall("[가-힣]", hangul)
    # The codec writes a syllable outside KS X 1001 in eight bytes (annex 3 of the standard).
    return hangul if all(len(s.encode("euc_kr")) == 2 for s in syllables) else None


def _meant_latin(text: str) -> str | None:
    latin = re.sub(r"\S+", lambda word: _latin_word(word[0]), text)
    changed = [new for new, old in zip(latin.split(), text.split(), strict=True) if new != old]
    has_vowels = re.search("[aeiouy]", "".join(changed))
    return latin if has_vowels and all(map(str.isascii, changed)) else None


def _latin_word(word: str) -> str:
    latin = to_latin_keys(word)
    is_slip = re.search("[ㄱ-ㅣ]", _EMOTICON.sub("", word)) or latin in _ENGLISH
    return latin if is_slip else word
