"""Carry an earlier table over to a new vocabulary, so that its training is not lost.

    python -m training.carry_over --work DIR --old-tokenizer FILE --old-table FILE

A piece of both vocabularies keeps its row, a new one gets the sum of the rows it had as several
pieces: a sentence is a sum, so the new table then says what the old one said. Skip-gram of the new
vocabulary, turned onto the old table by the rotation that fits the pieces of both best (orthogonal
Procrustes), is mixed in: it knows the new pieces as the words they are. Reads WORK/skipgram.npz.
"""

import argparse
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training.ragged import read_npz, write_npz
from training.table import Settings, start_table
from training.vocabulary import N_SPECIAL


def old_pieces(piece: str, old: dict[str, int]) -> list[int]:
    """Ids of the old pieces that a new piece is made of, by greedy longest match; [] if none."""
    inside, word = piece.startswith("##"), piece.removeprefix("##")
    found, start = [], 0
    while start < len(word):
        prefix = "##" if inside or start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if prefix + word[start:end] in old), None)
        if end is None:
            return []
        found.append(old[prefix + word[start:end]])
        start = end
    return found


def carry_over(
    old_table: np.ndarray,
    sources: list[list[int]],
    skipgram: np.ndarray,
    share_known: float,
    share_new: float,
) -> np.ndarray:
    """Rows of the old table summed by `sources`, mixed with aligned skip-gram rows.

    old_table (n_old, width), sources the old ids of each new piece, skipgram (n_new, width) as
    `start_table` leaves it -> float32 (n_new, width).
    """
    summed = np.stack([old_table[ids].sum(0) for ids in sources]).astype(np.float64)
    known = np.array([len(ids) == 1 for ids in sources])
    known[:N_SPECIAL] = False
    a, b = skipgram[known].astype(np.float64), summed[known]
    left, _, right = np.linalg.svd(a.T @ b)
    turned = skipgram @ (left @ right)
    turned *= np.median(np.linalg.norm(b, axis=1)) / np.median(np.linalg.norm(a, axis=1))
    share = np.where(known, share_known, share_new)
    share[[not ids for ids in sources]] = 1.0
    table = (1 - share)[:, None] * summed + share[:, None] * turned
    table[:N_SPECIAL] = 0.0
    return table.astype(np.float32)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the new vocabulary")
    parser.add_argument("--old-tokenizer", type=Path, required=True)
    parser.add_argument("--old-table", type=Path, required=True)
    parser.add_argument("--share-known", type=float, default=0.2, help="skip-gram in known rows")
    parser.add_argument("--share-new", type=float, default=0.5, help="skip-gram in new rows")
    parser.add_argument("--out", default="carried", help="name of the result")
    args = parser.parse_args(argv)
    old = Tokenizer.from_file(str(args.old_tokenizer)).get_vocab()
    new = Tokenizer.from_file(str(args.work / "tokenizer.json")).get_vocab()
    sources = [old_pieces(piece, old) for piece in sorted(new, key=lambda piece: new[piece])]
    n_known = sum(len(ids) == 1 for ids in sources)
    vectors = read_npz(args.work / "skipgram.npz")
    start = start_table(vectors["vectors"], vectors["counts"], Settings().common)
    table = carry_over(
        read_npz(args.old_table)["table"], sources, start, args.share_known, args.share_new
    )
    write_npz(args.work / f"{args.out}.npz", {"table": table})
    print(f"{n_known} rows kept, {len(sources) - n_known} new -> {args.work / args.out}.npz")


if __name__ == "__main__":
    main()
