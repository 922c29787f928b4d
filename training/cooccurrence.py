"""Step 2, first half: piece vectors from running text by counting and one factorisation.

    python -m training.cooccurrence --work DIR [--width 512]

Counts which pieces stand near each other, turns the counts into positive pointwise mutual
information and keeps the largest singular directions (Levy, Goldberg and Dagan 2015). It takes
minutes where skip-gram takes an hour, and a rerun gives the same vectors. Reads WORK/running/,
writes WORK/cooccurrence.npz: vectors float32 (n_pieces, width), counts int64 (n_pieces,). The
counted matrix is kept in WORK/cooccurrence_counts.npy.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from training.ragged import Ragged, read_npz, write_npz
from training.vocabulary import N_SPECIAL

SAMPLE = 1e-4  # a piece of larger frequency f is read with probability sqrt(SAMPLE / f)
SMOOTHING = 0.75  # of the contexts' frequencies
ROWS_AT_ONCE = 100_000  # texts counted in one go
EVERYDAY = ("petitions", "3i4k_utterances", "conversation")


def running_files(work: Path, everyday_times: int) -> list[Path]:
    """The files of running text as they are counted, everyday ones several times."""
    paths = sorted((work / "running").glob("*.npz"))
    return [path for path in paths for _ in range(everyday_times if path.stem in EVERYDAY else 1)]


def count_pieces(paths: list[Path], n_pieces: int) -> np.ndarray:
    """How often each piece is read: int64 (n_pieces,)."""
    counts = np.zeros(n_pieces, np.int64)
    for path in paths:
        counts += np.bincount(read_npz(path)["text_flat"], minlength=n_pieces)
    return counts


def kept_pieces(text: Ragged, chance: np.ndarray, rng: np.random.Generator) -> Ragged:
    """The text without special pieces and without a random part of the frequent ones."""
    keep = (text.flat >= N_SPECIAL) & (rng.random(len(text.flat)) < chance[text.flat])
    before = np.concatenate([[0], np.cumsum(keep)])
    return Ragged(text.flat[keep], before[text.offsets])


def add_neighbours(matrix: np.ndarray, text: Ragged, window: int) -> None:
    """Count every two pieces of a text at most `window` apart, near ones more, one way only.

    matrix float32 (n_pieces, n_pieces): row the earlier piece, column the later one.
    """
    flat, n_pieces = matrix.ravel(), len(matrix)
    ids = text.flat.astype(np.int64)
    rows = np.repeat(np.arange(len(text)), text.lengths)
    for distance in range(1, window + 1):
        together = rows[distance:] == rows[:-distance]
        places = ids[:-distance][together] * n_pieces + ids[distance:][together]
        np.add.at(flat, places, np.float32((window + 1 - distance) / window))


def count_neighbours(
    work: Path, counts: np.ndarray, window: int, everyday_times: int, seed: int
) -> np.ndarray:
    """How often pieces stand near each other, both ways: float32 (n_pieces, n_pieces)."""
    matrix = np.zeros((len(counts), len(counts)), np.float32)
    frequency = np.maximum(counts / counts.sum(), 1e-12)
    chance = np.minimum(1.0, np.sqrt(SAMPLE / frequency))
    rng = np.random.default_rng(seed)
    for path in running_files(work, everyday_times):
        start = time.monotonic()
        text = Ragged.from_columns(read_npz(path), "text")
        for first in range(0, len(text), ROWS_AT_ONCE):
            rows = np.arange(first, min(first + ROWS_AT_ONCE, len(text)))
            add_neighbours(matrix, kept_pieces(text.select(rows), chance, rng), window)
        print(
            f"{path.stem}: {len(text.flat):,} pieces, {time.monotonic() - start:.0f} s", flush=True
        )
    return matrix + matrix.T


def mutual_information(matrix: np.ndarray, shift: float) -> np.ndarray:
    """Positive pointwise mutual information less `shift`, in place: float32, same shape."""
    sums = matrix.sum(1, dtype=np.float64)
    contexts = np.maximum(sums, 1e-9) ** SMOOTHING
    contexts /= contexts.sum()
    seen = np.maximum(sums, 1e-9)
    for first in range(0, len(matrix), 1_000):
        part = matrix[first : first + 1_000]
        with np.errstate(divide="ignore"):
            np.log(part, out=part)
        part -= np.log(seen[first : first + 1_000]).astype(np.float32)[:, None]
        part -= (np.log(contexts) + shift).astype(np.float32)[None, :]
        np.maximum(part, 0, out=part)
    return matrix


def singular_vectors(
    matrix: np.ndarray, width: int, power: float, seed: int, rounds: int = 2
) -> np.ndarray:
    """Left singular vectors times singular values ** power: float32 (n, width).

    Randomised (Halko, Martinsson and Tropp 2011), with `rounds` power iterations.
    """
    whole = torch.from_numpy(matrix)
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(len(matrix), width + 64, generator=generator)
    for _ in range(rounds):
        basis, _ = torch.linalg.qr(whole @ basis)
        basis, _ = torch.linalg.qr(whole.T @ basis)
    basis, _ = torch.linalg.qr(whole @ basis)
    left, values, _ = torch.linalg.svd(basis.T @ whole, full_matrices=False)
    return ((basis @ left[:, :width]) * values[:width] ** power).numpy()


def train(
    work: Path, width: int, window: int, everyday_times: int, shift: float,
    power: float, seed: int, out: str,
) -> None:  # fmt: skip
    """Count, factorise and write WORK/<out>.npz."""
    n_pieces = Tokenizer.from_file(str(work / "tokenizer.json")).get_vocab_size()
    counts = count_pieces(running_files(work, everyday_times), n_pieces)
    kept = work / f"{out}_counts.npy"
    if kept.exists():
        matrix = np.load(kept)
    else:
        matrix = count_neighbours(work, counts, window, everyday_times, seed)
        beside = kept.with_name(f"part.{kept.name}")
        np.save(beside, matrix)
        beside.rename(kept)
    start = time.monotonic()
    vectors = singular_vectors(mutual_information(matrix, shift), width, power, seed)
    vectors *= 1 / np.sqrt((vectors**2).mean())
    write_npz(work / f"{out}.npz", {"vectors": vectors, "counts": counts})
    print(f"factorised in {time.monotonic() - start:.0f} s -> {work / out}.npz")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--everyday-times", type=int, default=3, help="of everyday text an epoch")
    parser.add_argument("--shift", type=float, default=0.0, help="taken off the information")
    parser.add_argument("--power", type=float, default=0.0, help="of the singular values")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="cooccurrence", help="name of the result")
    args = parser.parse_args(argv)
    train(args.work, args.width, args.window, args.everyday_times, args.shift,
          args.power, args.seed, args.out)  # fmt: skip


if __name__ == "__main__":
    main()
