"""Between two tables: put more whole words into the vocabulary.

    python -m training.extend --corpus DIR --work DIR --table TABLE.npz --out NEW_WORK

A word that is put together from syllables (도배 as 도 + ##배) shares its rows with every other word
that has them, so that a bag cannot say what it means. The words that were written for this project
and the stems of everyday text are put in, those used most first, until there are `size` pieces. A
new row begins as the sum of the rows that the word was, and a new code as the mean of its codes,
weighed by the rows' lengths: the table says nearly what it said before, and goes on from there.
Writes NEW_WORK/tokenizer.json, vocab.txt and the table under its name.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training import stems
from training.pieces import own_lines
from training.ragged import read_npz, write_npz
from training.vocabulary import (
    EVERYDAY_TIMES,
    LEAST_STEM,
    SAMPLE,
    count_words,
    pieces_of,
    sample_corpus,
    tokenizer_of,
    used_pieces,
    write_vocabulary,
)

WRITTEN = ("everyday_groups.txt", "more_everyday_groups.txt", "synonyms.txt", "situations.txt",
           "everyday_matters.txt", "associations.txt")  # fmt: skip
LEXICON = ("synonyms.txt", "associations.txt")  # a word a place
WRITTEN_TIMES = 20  # what was written for this project counts so often
LONGEST = 6  # syllables of a new piece
NAMING_ENDINGS = ("스럽다", "시키다", "당하다", "하다", "되다", "롭다", "다")
VERB_MAKERS = {"하", "되", "이", "시키", "스럽", "롭"}  # 사용 ##하: known without


def headwords(lines: Iterable[str]) -> set[str]:
    """The single words of lines of synonyms, and those that associations are given to.

    Without the endings that name a verb: 지연되다 -> 지연.
    """
    found = set()
    for line in lines:
        parts = [line.split(" : ")[0]] if " : " in line else line.split(" / ")
        for word in map(str.strip, parts):
            ending = next((e for e in NAMING_ENDINGS if word.endswith(e)), "")
            stem = word.removesuffix(ending)
            found.add(stem if len(stem) > 1 else word)
    return {word for word in found if stems.is_hangul(word) and 2 <= len(word) <= LONGEST}


def put_together(word: str, old: Tokenizer) -> bool:
    """Whether a word is more than one piece, and not just one of them with an ending."""
    tokens = old.encode(word, add_special_tokens=False).tokens
    rest = "".join(token.removeprefix("##") for token in tokens[1:])
    return len(tokens) > 1 and not (rest in stems.SUFFIXES or rest in VERB_MAKERS)


def candidates(
    written: list[str], lexicon: list[str], spoken: Counter[str], old: Tokenizer
) -> list[str]:
    """Words and stems that might become pieces, at the beginning of a word and within one."""
    known = headwords(lexicon)
    found = stems.stem_counts(spoken + count_words(written))
    found = {stem for stem, n in found.items() if n >= LEAST_STEM}
    whole = [word for word in sorted(known | found) if put_together(word, old)]
    return whole + [f"##{word}" for word in whole if word in known]


def parts(piece: str, numbers: Mapping[str, int]) -> list[int]:
    """The old pieces that greedy match takes for a new one; none if a letter is unknown."""
    rest, mark = piece.removeprefix("##"), "##" if piece.startswith("##") else ""
    found = []
    while rest:
        ends = (end for end in range(len(rest), 0, -1) if mark + rest[:end] in numbers)
        end = next(ends, 0)
        if not end:
            return []
        found.append(numbers[mark + rest[:end]])
        rest, mark = rest[end:], "##"
    return found


def extended(pieces: list[str], more: list[str], words: Counter[str], size: int) -> list[str]:
    """The pieces as they are, and of `more` those that greedy match uses most.

    ValueError if there are more pieces than `size` already.
    """
    if size < len(pieces):
        raise ValueError(f"size {size}: there are {len(pieces)} pieces already")
    numbers = {piece: number for number, piece in enumerate(pieces)}
    new = [one for one in dict.fromkeys(more) if one not in numbers and parts(one, numbers)]
    used = used_pieces([*pieces, *new], words)
    return [*pieces, *sorted(new, key=lambda piece: (-used[piece], piece))[: size - len(pieces)]]


def extended_arrays(arrays: dict[str, np.ndarray], pieces: list[str]) -> dict[str, np.ndarray]:
    """Table and codes with rows for the new pieces: sums of the old ones, codes made unit again.

    pieces: the old ones, as many as the table has rows, then the new ones.
    """
    table = arrays["table"]
    if len(pieces) == len(table):
        return arrays
    numbers = {piece: number for number, piece in enumerate(pieces[: len(table)])}
    old = [parts(piece, numbers) for piece in pieces[len(table) :]]
    found = arrays | {"table": np.stack([*table, *(table[ids].sum(0) for ids in old)])}
    if "codes" in arrays:
        weighed = arrays["codes"] * np.linalg.norm(table, axis=1, keepdims=True)
        made = np.stack([weighed[ids].sum(0) for ids in old])
        made /= np.linalg.norm(made, axis=1, keepdims=True).clip(1e-12)
        found["codes"] = np.concatenate([arrays["codes"], made])
    return found


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="the corpus folder")
    parser.add_argument("--work", type=Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--table", type=Path, required=True, help="the .npz of training.table")
    parser.add_argument("--out", type=Path, required=True, help="new folder for intermediate files")
    parser.add_argument("--size", type=int, default=24_000, help="number of pieces")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    old = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    known = pieces_of(old)
    arrays = read_npz(args.table)
    if len(arrays["table"]) != len(known):
        parser.error(f"{args.table}: {len(arrays['table'])} rows for {len(known)} pieces")
    everyday, other = sample_corpus(args.corpus, args.seed, SAMPLE)
    written, lexicon = (
        [line for name in names for line in own_lines(name)] for names in (WRITTEN, LEXICON)
    )
    spoken, words = count_words(everyday), count_words(other)
    for counts, times in ((spoken, EVERYDAY_TIMES), (count_words(written), WRITTEN_TIMES)):
        for word, n in counts.items():
            words[word] += times * n
    pieces = extended(known, candidates(written, lexicon, spoken, old), words, args.size)
    write_vocabulary(tokenizer_of(pieces), args.out)
    write_npz(args.out / args.table.name, extended_arrays(arrays, pieces))
    print(f"{len(pieces) - len(known)} pieces more -> {args.out}")


if __name__ == "__main__":
    main()
