"""Step 1: choose the WordPiece vocabulary on a sample of the corpus.

    python -m training.vocabulary --corpus DIR --work DIR [--size 16000]

Writes WORK/tokenizer.json and WORK/vocab.txt. Case and accents are kept. A trained vocabulary glues
particles to their nouns (분위기가 as one piece), so that one noun has many unrelated rows, and has
too few everyday words (환불 as 환 + ##불). So a larger one is trained, glued pieces are taken out,
common stems of everyday text are put in, and the pieces used most are kept.
"""

import argparse
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from training import corpus, stems

SPECIAL_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # ids 0 to 4
N_SPECIAL = len(SPECIAL_PIECES)
# Characters taken from each source. Large sources are capped so that films, encyclopaedias and
# manuals do not crowd out speech, comments and English.
SAMPLE = {"kowiki": 14_000_000, "nsmc_reviews": 6_000_000, "petitions": 4_000_000,
          "docs": 500_000, "mono": 2_500_000, "pairs": 2_500_000,
          "parallel": 1_500_000}  # fmt: skip
PLAIN_SAMPLE = SAMPLE | {"kowiki": 20_000_000, "nsmc_reviews": 15_000_000, "docs": 2_500_000,
                         "parallel": 2_000_000}  # fmt: skip
SMALL_PAIR_SETS = ("songys_chatbot", "question_pair_train", "parakqc_train", "korsts_train",
                   "klue_nli_dev")  # fmt: skip
# Everyday text counts this many times, and the stems put in are those common in it.
EVERYDAY = ("petitions", "3i4k_utterances", "songys_chatbot", "question_pair_train",
            "parakqc_train")  # fmt: skip
EVERYDAY_TIMES = 3
WORD = re.compile(r"[^\W\d_]+|\d+")
ALPHABET, PLAIN_ALPHABET = 3_000, 4_000  # single letters
LARGER = 1.65  # pieces trained for every piece kept
LEAST_STEM = 6  # a stem put in occurs this often in everyday text


def sample_texts(
    folder: Path, kind: corpus.Kind, name: str, seed: int, sample: dict[str, int]
) -> Iterator[str]:
    """Yield texts of one set in random order until its share of characters is reached."""
    fields = corpus.TEXT_FIELDS[kind]
    texts = [row[field] for row in corpus.rows(folder, kind, name) for field in fields]
    random.Random(f"{seed} {name}").shuffle(texts)
    of_kind = sample["docs" if "docs" in name and kind == "mono" else kind]
    left = sample.get(name, of_kind)
    for text in texts:
        if left <= 0:
            return
        left -= len(text)
        yield text


def sample_corpus(folder: Path, seed: int, sample: dict[str, int]) -> tuple[list[str], list[str]]:
    """The training sample, everyday texts apart: (everyday, other)."""
    everyday: list[str] = []
    other: list[str] = []
    for kind in ("mono", "parallel", "pairs"):
        for name in corpus.names(folder, kind):
            if kind != "pairs" or name in SMALL_PAIR_SETS:
                texts = everyday if name in EVERYDAY else other
                texts += sample_texts(folder, kind, name, seed, sample)
    return everyday, other


def count_words(texts: list[str]) -> Counter[str]:
    """How often each word occurs; punctuation is no word."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(WORD.findall(text))
    return counts


def build_tokenizer(model: models.WordPiece) -> Tokenizer:
    """Wrap a WordPiece model as BERT does: clean text, split at punctuation, [CLS] A [SEP]."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", SPECIAL_PIECES.index("[CLS]")),
                        ("[SEP]", SPECIAL_PIECES.index("[SEP]"))],
    )  # fmt: skip
    return tokenizer


def train_vocabulary(
    texts: Iterator[str], size: int, alphabet: int = ALPHABET, min_frequency: int = 3
) -> Tokenizer:
    """Train a WordPiece tokenizer of at most `size` pieces, the special ones first."""
    tokenizer = build_tokenizer(models.WordPiece(unk_token="[UNK]"))
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        limit_alphabet=alphabet,
        special_tokens=SPECIAL_PIECES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def ends_in_particle(word: str, stems_inside: set[str]) -> bool:
    """Whether a piece within a word is another one + a particle: 대학교의."""
    splits = stems.splits(word)
    return any(stem in stems_inside and suffix in stems.PARTICLES for stem, suffix in splits)


def unglued(pieces: list[str], words: Counter[str], everyday: Counter[str]) -> list[str]:
    """Pieces without those that are stem + suffix, with the suffixes and the everyday stems."""
    larger, found = set(pieces), stems.stem_counts(everyday)
    common = [stem for stem, n in found.most_common() if n >= LEAST_STEM and stem not in larger]
    common = [stem for stem in common if not stems.glued(stem, words, set(pieces) | set(found))]
    known = {piece for piece in pieces if not piece.startswith("##")} | set(common)
    inside = {piece[2:] for piece in pieces if piece.startswith("##")} | stems.SUFFIXES
    kept = []
    for piece in pieces:
        word = piece.removeprefix("##")
        if not stems.is_hangul(word):
            kept.append(piece)
        elif piece == word:
            if not stems.glued(word, words, known):
                kept.append(piece)
        elif word in stems.SUFFIXES or not ends_in_particle(word, inside):
            kept.append(piece)
    letters = {letter for piece in pieces for letter in piece.removeprefix("##")}
    suffixes = [f"##{suffix}" for suffix in sorted(stems.SUFFIXES) if letters.issuperset(suffix)]
    return list(dict.fromkeys([*kept, *suffixes, *common]))


def everyday_words() -> list[str]:
    """The words that the vocabulary has in any case, whatever the corpus says."""
    path = Path(__file__).with_name("everyday_words.txt")
    return path.read_text(encoding="utf-8").split()


def used_pieces(pieces: list[str], words: Counter[str]) -> Counter[str]:
    """How often greedy match uses each piece; words seen once say little and are left out."""
    model = build_tokenizer(model_of(pieces))
    frequent = [word for word, n in words.items() if n > 1] or list(words)
    used: Counter[str] = Counter()
    for start in range(0, len(frequent), 50_000):
        batch = frequent[start : start + 50_000]
        encodings = model.encode_batch_fast(batch, add_special_tokens=False)
        for word, encoding in zip(batch, encodings, strict=True):
            for number in encoding.ids:  # the fast way leaves `tokens` empty
                used[pieces[number]] += words[word]
    return used


def most_used(pieces: list[str], words: Counter[str], size: int) -> list[str]:
    """The special pieces, every letter, everyday words, then what greedy match uses most."""
    used = used_pieces(pieces, words)
    letters = [piece for piece in pieces if len(piece.removeprefix("##")) == 1]
    always = [word for word in everyday_words() if set(word) <= set(letters)]
    ranked = sorted(pieces, key=lambda piece: -used[piece])
    return list(dict.fromkeys([*SPECIAL_PIECES, *letters, *always, *ranked]))[:size]


def model_of(pieces: list[str]) -> models.WordPiece:
    """A WordPiece model whose ids are the places in the list."""
    return models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")


def tokenizer_of(pieces: list[str]) -> Tokenizer:
    """A tokenizer with these pieces, the special ones marked as a trainer marks them."""
    tokenizer = build_tokenizer(model_of(pieces))
    tokenizer.add_special_tokens(SPECIAL_PIECES)
    return tokenizer


def pieces_of(tokenizer: Tokenizer) -> list[str]:
    """Its pieces in the order of their ids."""
    numbers = tokenizer.get_vocab()
    return sorted(numbers, key=lambda piece: numbers[piece])


def choose_vocabulary(everyday: list[str], other: list[str], size: int) -> Tokenizer:
    """Train a larger vocabulary, take out what is glued, put in everyday stems, cut to `size`."""
    spoken = count_words(everyday)
    words = count_words(other)
    for word, n in spoken.items():
        words[word] += EVERYDAY_TIMES * n
    texts = itertools.chain(other, *[everyday] * EVERYDAY_TIMES)
    pieces = pieces_of(train_vocabulary(texts, int(size * LARGER)))
    better = unglued(pieces, words, spoken)
    better += [word for word in everyday_words() if word not in set(better)]
    print(f"{len(pieces)} pieces trained, {len(set(pieces) - set(better))} taken out, "
          f"{len(set(better) - set(pieces))} put in")  # fmt: skip
    return tokenizer_of(most_used(better, words, size))


def write_vocabulary(tokenizer: Tokenizer, work: Path) -> None:
    """Write tokenizer.json and vocab.txt (one piece a line, the line number is the id)."""
    work.mkdir(parents=True, exist_ok=True)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    if [number for _, number in pieces] != list(range(len(pieces))):
        raise ValueError("the vocabulary has gaps in its ids")
    (work / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")
    tokenizer.save(str(work / "tokenizer.json"))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="the corpus folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--size", type=int, default=16_000, help="number of pieces")
    parser.add_argument("--plain", action="store_true", help="as trained, nothing taken out")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    sample = PLAIN_SAMPLE if args.plain else SAMPLE
    everyday, other = sample_corpus(args.corpus, args.seed, sample)
    if args.plain:
        texts = itertools.chain(everyday, other)
        tokenizer = train_vocabulary(texts, args.size, PLAIN_ALPHABET)
    else:
        tokenizer = choose_vocabulary(everyday, other, args.size)
    write_vocabulary(tokenizer, args.work)
    print(f"{tokenizer.get_vocab_size()} pieces -> {args.work / 'tokenizer.json'}")


if __name__ == "__main__":
    main()
