"""Step 2, first half: piece vectors from running text (skip-gram with negative sampling).

    python -m training.skipgram --work DIR [--width 384] [--parts 8]

Reads WORK/running/, writes WORK/skipgram.npz: vectors float32 (n_pieces, width) as they were
learnt, counts int64 (n_pieces,). A checkpoint after every part of the text; run again to go on.
With more than one thread gensim's updates race, so two runs agree no better than two seeds do.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from gensim.models import Word2Vec
from gensim.models.word2vec import MAX_WORDS_IN_BATCH
from tokenizers import Tokenizer

from training.ragged import Ragged, read_npz, write_npz
from training.vocabulary import N_SPECIAL

EVERYDAY = ("petitions", "3i4k_utterances", "conversation")
FIRST_RATE, LAST_RATE = 0.025, 0.0001  # gensim's defaults


def running_files(work: Path, everyday_times: int) -> list[Path]:
    """The files of running text as an epoch reads them, everyday ones several times."""
    paths = sorted((work / "running").glob("*.npz"))
    return [path for path in paths for _ in range(everyday_times if path.stem in EVERYDAY else 1)]


def write_parts(work: Path, paths: list[Path], n_parts: int, seed: int) -> np.ndarray:
    """Write the running text in `n_parts` shuffled text files of ids; return how many of each part.

    Returns int64 (n_parts, 2): lines and pieces.
    """
    folder = work / "skipgram_parts"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = np.zeros((n_parts, 2), np.int64)
    files = [(folder / f"{part}.txt").open("w") for part in range(n_parts)]
    rng = np.random.default_rng(seed)
    texts = [Ragged.from_columns(read_npz(path), "text") for path in paths]
    sources = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    rows = np.concatenate([np.arange(len(text)) for text in texts])
    for line in rng.permutation(len(rows)):
        text, row = texts[sources[line]], rows[line]
        ids = text.flat[text.offsets[row] : text.offsets[row + 1]]
        ids = ids[ids >= N_SPECIAL]
        if 2 <= len(ids) <= MAX_WORDS_IN_BATCH:
            part = int(rng.integers(n_parts))
            files[part].write(" ".join(map(str, ids.tolist())) + "\n")
            sizes[part] += 1, len(ids)
    for file in files:
        file.close()
    return sizes


def count_pieces(paths: list[Path], n_pieces: int) -> np.ndarray:
    """How often each piece is read in an epoch: int64 (n_pieces,)."""
    counts = np.zeros(n_pieces, np.int64)
    for path in paths:
        counts += np.bincount(read_npz(path)["text_flat"], minlength=n_pieces)
    return counts


def build_model(
    counts: np.ndarray, sizes: np.ndarray, width: int, threads: int, seed: int
) -> Word2Vec:
    """A fresh skip-gram model whose words are the ids, as text."""
    model = Word2Vec(
        sg=1, hs=0, vector_size=width, window=8, negative=8, sample=3e-5, min_count=5,
        alpha=FIRST_RATE, min_alpha=LAST_RATE, workers=threads, seed=seed,
    )  # fmt: skip
    frequency = {str(number): int(n) for number, n in enumerate(counts) if number >= N_SPECIAL}
    model.build_vocab_from_freq(frequency, corpus_count=int(sizes[:, 0].sum()))
    return model


def train_part(model: Word2Vec, path: Path, size: np.ndarray, done: float, share: float) -> None:
    """Train on one file; `done` and `share` are the parts of the whole run behind and in it."""
    span = FIRST_RATE - LAST_RATE
    model.train(
        corpus_file=str(path),
        total_examples=int(size[0]),
        total_words=int(size[1]),
        epochs=1,
        start_alpha=FIRST_RATE - span * done,
        end_alpha=FIRST_RATE - span * (done + share),
    )


def piece_vectors(model: Word2Vec, n_pieces: int, seed: int) -> np.ndarray:
    """Rows in id order, float32 (n_pieces, width); pieces never seen get small random rows."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_pieces, model.vector_size)).astype(np.float32)
    vectors *= 0.1 / np.sqrt(model.vector_size)
    for row, word in enumerate(model.wv.index_to_key):
        vectors[int(word)] = model.wv.vectors[row]
    return vectors


def train(
    work: Path, width: int, epochs: int, n_parts: int, threads: int, seed: int,
    until: int | None = None, everyday_times: int = 3,
) -> None:  # fmt: skip
    """Run or go on with the training, all or `until` a part, and write WORK/skipgram.npz."""
    n_pieces = Tokenizer.from_file(str(work / "tokenizer.json")).get_vocab_size()
    paths = running_files(work, everyday_times)
    counts = count_pieces(paths, n_pieces)
    checkpoint = work / "skipgram_checkpoint.npz"
    state = read_npz(checkpoint) if checkpoint.exists() else None
    sizes = state["sizes"] if state else write_parts(work, paths, n_parts, seed)
    model = build_model(counts, sizes, width, threads, seed)
    if state:
        model.wv.vectors[:], model.syn1neg[:] = state["vectors"], state["contexts"]
    total = n_parts * epochs
    for part in range(int(state["part"]) if state else 0, until or total):
        start = time.monotonic()
        model.random.seed(seed + part)
        size, path = sizes[part % n_parts], work / "skipgram_parts" / f"{part % n_parts}.txt"
        train_part(model, path, size, part / total, 1 / total)
        write_npz(checkpoint, {"vectors": model.wv.vectors, "contexts": model.syn1neg,
                               "part": np.array(part + 1), "sizes": sizes})  # fmt: skip
        rate = size[1] / (time.monotonic() - start)
        print(f"part {part + 1}/{total}: {size[1]:,} pieces, {rate:,.0f} a second", flush=True)
    vectors = piece_vectors(model, n_pieces, seed)
    write_npz(work / "skipgram.npz", {"vectors": vectors, "counts": counts})


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--parts", type=int, default=8, help="checkpoints an epoch")
    parser.add_argument("--until", type=int, help="stop after so many parts, the rate still high")
    parser.add_argument("--everyday-times", type=int, default=3, help="of everyday text an epoch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    train(args.work, args.width, args.epochs, args.parts, args.threads, args.seed, args.until,
          args.everyday_times)  # fmt: skip


if __name__ == "__main__":
    main()
