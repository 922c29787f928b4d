"""Turn running text and text pairs into cached arrays of piece ids.

    python -m training.pieces --corpus DIR --work DIR --what running
    python -m training.pieces --corpus DIR --work DIR --what pairs

Writes WORK/running/<name>.npz and WORK/pairs/<set>.npz. Files that exist are kept, so a run that
was cut off goes on with the first missing file. No special pieces are added here.
"""

import argparse
import hashlib
import itertools
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training import alterations, corpus
from training.ragged import Ragged, write_npz

MAX_CHARACTERS = 1_200  # of one text; about 500 pieces, more than any later step reads
PAIR_CHARACTERS = 500  # of a text of a pair: the table reads 96 pieces
MAX_PIECES = 298  # 300 positions less [CLS] and [SEP]
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
CONVERSATION = ("songys_chatbot", "question_pair_train", "parakqc_train", "naver_square_kosbi")
# At most this many pairs of one documentation project, so that they do not outweigh other English.
PARALLEL_CAP = 33_000
N_REST, N_WIKI_HALVES = 250_000, 240_000
HALVINGS, CLOSEST = 3, 6  # of a line of associations
N_ALTERED, N_HURRIED = 15_000, 20_000  # of a source
HALVED = {"nsmc_reviews": "line", "kocohub_comments": "line", "3i4k_utterances": "line",
          "naver_square_kosbi": "line", "klue_ner_dev": "line", "ud_korean_kaist_devtest": "line",
          "petitions": "sentence", "kowiki": "sentence"}  # fmt: skip

# Sets that are taken as they are: name here -> file.
PLAIN = {"section": "kowiki_section_para", "title": "kowiki_title_lead",
         "documentation": "docs_heading_section", "law": "kolaw_article_title_body",
         "petitions": "petitions_title_body", "chatbot": "songys_chatbot",
         "questions": "question_pair_train", "naver": "naver_square_kosbi"}  # fmt: skip

QUESTIONS = Path(__file__).with_name("paragraph_questions.tsv")
# Where its paragraphs are.
QUESTIONED: tuple[tuple[corpus.Kind, str, str], ...] = (
    ("mono", "kowiki", "text"),
    ("pairs", "kolaw_article_title_body", "b"),
    ("pairs", "petitions_title_body", "b"),
    ("pairs", "docs_heading_section", "b"),
)

Columns = dict[str, np.ndarray]


def encode(
    tokenizer: Tokenizer,
    texts: list[str],
    max_pieces: int = MAX_PIECES,
    max_characters: int = PAIR_CHARACTERS,
) -> Ragged:
    """Encode texts without special pieces, each cut at `max_characters` and `max_pieces`."""
    rows = []
    for start in range(0, len(texts), 20_000):
        batch = [text[:max_characters] for text in texts[start : start + 20_000]]
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            rows.append(np.array(encoding.ids[:max_pieces], dtype=np.uint16))
    return Ragged.from_rows(rows)


def split_sentences(text: str) -> list[str]:
    """Split at sentence-final punctuation followed by a space: rough, but enough for training."""
    return [sentence for sentence in SENTENCE_END.split(text.strip()) if sentence]


def running_texts(folder: Path, name: str, share: float, seed: int) -> list[str]:
    """Texts of one mono set for skip-gram: everything, or a random share."""
    texts = [row["text"] for row in corpus.rows(folder, "mono", name)]
    if share < 1:
        random.Random(f"{seed} running").shuffle(texts)
        texts = texts[: int(len(texts) * share)]
    # Long rows (petitions) are cut into runs of sentences rather than cut off.
    return [part for text in texts for part in split_runs(text)]


def split_runs(text: str) -> Iterator[str]:
    """Yield runs of whole sentences, at most MAX_CHARACTERS each; a longer sentence alone."""
    run = ""
    for sentence in split_sentences(text):
        if run and len(run) + len(sentence) >= MAX_CHARACTERS:
            yield run
            run = ""
        run = f"{run} {sentence}" if run else sentence
    if run:
        yield run


def conversation_texts(folder: Path) -> list[str]:
    """Both sides of the conversational pair sets, each text once, in order of first use."""
    texts: dict[str, None] = {}
    for name in filter(lambda name: corpus.has(folder, "pairs", name), CONVERSATION):
        for row in corpus.rows(folder, "pairs", name):
            texts |= {row["a"]: None, row["b"]: None}
    return list(texts)


def encode_two(
    tokenizer: Tokenizer, pairs: list[tuple[str, str]], max_characters: int = PAIR_CHARACTERS
) -> Columns:
    """Encode pairs of texts as the columns a_flat, a_offsets, b_flat, b_offsets."""
    a, b = (
        encode(tokenizer, [pair[side] for pair in pairs], max_characters=max_characters)
        for side in (0, 1)
    )
    keep = np.flatnonzero((a.lengths > 0) & (b.lengths > 0))
    return {"kept": keep, **a.select(keep).columns("a"), **b.select(keep).columns("b")}


def encode_grouped(tokenizer: Tokenizer, rows: list[tuple[str, str, int]]) -> Columns:
    """Encode pairs of texts, each with the number of its group (column group)."""
    columns = encode_two(tokenizer, [(a, b) for a, b, _ in rows])
    groups = np.array([number for _, _, number in rows], dtype=np.int64)
    return columns | {"group": groups[columns["kept"]]}


def plain_pairs(folder: Path, kind: corpus.Kind, name: str) -> list[tuple[str, str]]:
    """The (a, b) texts of one set, without pairs of equal texts and pairs labelled as different."""
    first, second = corpus.TEXT_FIELDS[kind]
    rows = (row for row in corpus.rows(folder, kind, name) if row.get("label") != "different")
    both = [(row[first], row[second]) for row in rows]
    return [(a, b) for a, b in both if a != b]


def parallel_pairs(folder: Path, seed: int) -> list[tuple[str, str]]:
    """Korean and English of all parallel sets, documentation capped at PARALLEL_CAP each."""
    pairs = []
    for name in corpus.names(folder, "parallel"):
        one = plain_pairs(folder, "parallel", name)
        random.Random(f"{seed} {name}").shuffle(one)
        pairs += one[:PARALLEL_CAP] if name.endswith("docs") else one
    return pairs


def rest_pairs(folder: Path, seed: int) -> list[tuple[str, str]]:
    """One sentence of a Wikipedia paragraph, and the rest of that paragraph."""
    rng = random.Random(f"{seed} rest")
    pairs = []
    for row in corpus.rows(folder, "mono", "kowiki"):
        sentences = split_sentences(row["text"])
        if len(sentences) < 2 or len(row["text"]) < 60:
            continue
        one = sentences.pop(rng.randrange(len(sentences)))
        if len(one) >= 15:
            pairs.append((one, " ".join(sentences)))
    rng.shuffle(pairs)
    return pairs[:N_REST]


def halves(tokenizer: Tokenizer, folder: Path, seed: int) -> Columns:
    """Lines and sentences cut in two at a word: the left half, the right half."""
    texts = []
    for name, unit in HALVED.items():
        if not corpus.has(folder, "mono", name):
            continue
        rows = [row["text"] for row in corpus.rows(folder, "mono", name)]
        if unit == "sentence":
            rows = [sentence for text in rows for sentence in split_sentences(text)]
        if name == "kowiki":
            random.Random(f"{seed} halves").shuffle(rows)
            rows = rows[:N_WIKI_HALVES]
        texts += rows
    texts += conversation_texts(folder)
    cut = HalfCutter(tokenizer, np.random.default_rng(seed))
    found = [two for ids in encode(tokenizer, texts).rows() if (two := cut(ids)) is not None]
    a, b = Ragged.from_rows([two[0] for two in found]), Ragged.from_rows([two[1] for two in found])
    return {**a.columns("a"), **b.columns("b")}


class HalfCutter:
    """Cut piece ids in two: half of the time after a point or comma if there is one, else anywhere.

    Each half keeps at least `min_pieces`, and a word is never cut.
    """

    def __init__(self, tokenizer: Tokenizer, rng: np.random.Generator, min_pieces: int = 3):
        n_pieces = tokenizer.get_vocab_size()
        pieces = [tokenizer.id_to_token(number) or "" for number in range(n_pieces)]
        self.starts_word = np.array([not piece.startswith("##") for piece in pieces])
        self.is_point = np.array([piece in set(".,!?…~;:") for piece in pieces])
        self.starts_word &= ~self.is_point
        self.rng, self.min_pieces = rng, min_pieces

    def __call__(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        low, high = self.min_pieces, len(ids) - self.min_pieces
        if low >= high:
            return None
        places = low + np.flatnonzero(self.starts_word[ids[low:high]])
        after_point = places[self.is_point[ids[places - 1]]]
        if len(after_point) and self.rng.random() < 0.5:
            places = after_point
        if not len(places):
            return None
        place = int(self.rng.choice(places))
        return ids[:place], ids[place:]


def korsts(tokenizer: Tokenizer, folder: Path) -> Columns:
    """Sentence pairs with their similarity, float32 0 to 5."""
    rows = list(corpus.rows(folder, "pairs", "korsts_train"))
    columns = encode_two(tokenizer, [(row["a"], row["b"]) for row in rows])
    scores = np.array([row["score"] for row in rows], dtype=np.float32)
    return columns | {"score": scores[columns["kept"]]}


def parakqc(tokenizer: Tokenizer, folder: Path) -> Columns:
    """Paraphrase pairs with the number of their group: other pairs of a group are no negatives."""
    rows = corpus.rows(folder, "pairs", "parakqc_train")
    return encode_grouped(tokenizer, [(row["a"], row["b"], row["group"]) for row in rows])


def own_lines(name: str) -> list[str]:
    """The lines of a file that was written for this project."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()


def own_texts(name: str) -> list[list[str]]:
    """Texts that were written for this project, those of a line together."""
    return [line.split(" / ") for line in own_lines(name)]


def everyday(tokenizer: Tokenizer, name: str) -> Columns:
    """Every two texts of each everyday group of a file, with the number of their group."""
    rows = [
        (a, b, number)
        for number, texts in enumerate(own_texts(name))
        for a, b in itertools.combinations(texts, 2)
    ]
    return encode_grouped(tokenizer, rows)


def associations(tokenizer: Tokenizer, lines: list[str], seed: int) -> Columns:
    """A word and what is associated with it, with the number of their line.

    HALVINGS times a random half with the other one, and the word with the first; the word with all
    of it, and with each of the CLOSEST that stand first.
    """
    rng = random.Random(f"{seed} associations")
    rows: list[tuple[str, str, int]] = []
    for number, line in enumerate(lines):
        word, _, others = line.partition(" : ")
        known = others.split(", ")
        for _ in range(HALVINGS):
            rng.shuffle(known)
            one, other = known[::2], known[1::2]
            rows += [(" ".join(one), " ".join(other), number), (word, " ".join(one), number)]
        rows += [(word, " ".join(known), number)]
        rows += [(word, one, number) for one in others.split(", ")[:CLOSEST]]
    return encode_grouped(tokenizer, rows)


def nli(tokenizer: Tokenizer, folder: Path) -> Columns:
    """Premise, a sentence it entails, and a sentence that contradicts it (columns c)."""
    found: dict[str, dict[str, str]] = {}
    for row in corpus.rows(folder, "pairs", "klue_nli_dev"):
        found.setdefault(row["a"], {})[row["label"]] = row["b"]
    triples = [(premise, by_label["entailment"], by_label["contradiction"])
               for premise, by_label in found.items()
               if {"entailment", "contradiction"} <= by_label.keys()]  # fmt: skip
    columns = encode_two(tokenizer, [(a, b) for a, b, _ in triples])
    if len(columns["kept"]) != len(triples):
        raise ValueError("klue_nli_dev: a text without pieces")
    return columns | encode(tokenizer, [c for _, _, c in triples]).columns("c")


INFERENCE_SCORES = {"entailment": 2.0, "neutral": 1.0, "contradiction": 0.0}


def inference(tokenizer: Tokenizer, folder: Path) -> Columns:
    """Premise and hypothesis with a score: entailed above neutral above contradicted."""
    rows = list(corpus.rows(folder, "pairs", "klue_nli_dev"))
    columns = encode_two(tokenizer, [(row["a"], row["b"]) for row in rows])
    scores = np.array([INFERENCE_SCORES[row["label"]] for row in rows], dtype=np.float32)
    return columns | {"score": scores[columns["kept"]]}


def pawsx(tokenizer: Tokenizer, folder: Path) -> Columns:
    """Sentences of nearly the same words, with 1 for the same meaning and 0 for another."""
    rows = list(corpus.rows(folder, "pairs", "pawsx_ko_dev"))
    columns = encode_two(tokenizer, [(row["a"], row["b"]) for row in rows])
    scores = np.array([float(row["label"]) for row in rows], dtype=np.float32)
    return columns | {"score": scores[columns["kept"]]}


def short_sentences(folder: Path, rng: random.Random) -> Iterator[Iterator[str]]:
    """Of each source of everyday text and of Wikipedia, sentences in random order."""
    for name in filter(lambda name: corpus.has(folder, "mono", name), HALVED):
        texts = [row["text"] for row in corpus.rows(folder, "mono", name)]
        rng.shuffle(texts)
        sentences = (rng.choice(split_sentences(text) or [""]) for text in texts)
        yield (sentence for sentence in sentences if 8 <= len(sentence) <= 70)


def hurried(tokenizer: Tokenizer, folder: Path, seed: int) -> Columns:
    """Sentences, and the same with spaces and particles left out and slips."""
    rng = random.Random(f"{seed} hurried")
    found: list[tuple[str, str]] = []
    for sentences in short_sentences(folder, rng):
        made = ((sentence, alterations.hurried(sentence, rng)) for sentence in sentences)
        pairs = ((a, b) for a, b in made if b is not None)
        found += list(itertools.islice(pairs, N_HURRIED))
    return encode_two(tokenizer, found)


def asked(tokenizer: Tokenizer, folder: Path, seed: int) -> Columns:
    """A sentence of a Wikipedia paragraph as a question, and the whole paragraph.

    Rows stand as in their articles; column `run`: draw so many at a time, and the paragraphs of an
    article are near misses of each other.
    """
    rng = random.Random(f"{seed} asked")
    found = []
    for row in corpus.rows(folder, "mono", "kowiki"):
        sentences = [one for one in split_sentences(row["text"]) if len(one) >= 15]
        if len(row["text"]) < 120 or not sentences:
            continue
        if question := alterations.asked(rng.choice(sentences), rng):
            found.append((question, row["text"]))
    return encode_two(tokenizer, found, MAX_CHARACTERS) | {"run": np.array([8])}


def text_hash(text: str) -> str:
    """The name of a corpus text in paragraph_questions.tsv, which holds no corpus text itself."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def paragraph_questions(tokenizer: Tokenizer, folder: Path, path: Path = QUESTIONS) -> Columns:
    """Questions that were written for this project, and the corpus paragraph that answers each.

    path: lines of a paragraph's `text_hash` and one or two questions, tabs between. Says how many
    paragraphs it found: another Wikipedia dump, cut otherwise, has few of them.
    """
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    questions = {name: asked for name, *asked in lines}
    texts = itertools.chain.from_iterable(
        (row[field] for row in corpus.rows(folder, kind, name))
        for kind, name, field in QUESTIONED
        if corpus.has(folder, kind, name)
    )
    n_all = len(questions)
    found = [(one, text) for text in texts for one in questions.pop(text_hash(text), ())]
    print(f"{path.name}: {n_all - len(questions):,} of {n_all:,} paragraphs found", flush=True)
    return encode_two(tokenizer, found, MAX_CHARACTERS)


def altered(tokenizer: Tokenizer, folder: Path, seed: int) -> Columns:
    """Sentences, the same in another form, and the like that say something else (columns c)."""
    rng = random.Random(f"{seed} altered")
    found = []
    for sentences in short_sentences(folder, rng):
        made = (alterations.triple(sentence, rng) for sentence in sentences)
        found += list(itertools.islice(filter(None, made), N_ALTERED))
    columns = encode_two(tokenizer, [(a, b) for a, b, _ in found])
    c = encode(tokenizer, [c for _, _, c in found]).select(columns["kept"])
    return columns | c.columns("c")


def triples(tokenizer: Tokenizer) -> Columns:
    """A sentence, the same in other words, and another meaning in its words (columns c)."""
    found = own_texts("minimal_triples.txt")
    columns = encode_two(tokenizer, [(a, b) for a, b, _ in found])
    c = encode(tokenizer, [c for _, _, c in found]).select(columns["kept"])
    return columns | c.columns("c")


def pair_sets(tokenizer: Tokenizer, folder: Path, seed: int) -> dict[str, Callable[[], Columns]]:
    """Every training set by its name, not yet computed."""

    def encode_plain(name: str) -> Callable[[], Columns]:
        return lambda: encode_two(tokenizer, plain_pairs(folder, "pairs", name))

    return {short: encode_plain(name) for short, name in PLAIN.items()} | {
        "parallel": lambda: encode_two(tokenizer, parallel_pairs(folder, seed)),
        "rest": lambda: encode_two(tokenizer, rest_pairs(folder, seed)),
        "halves": lambda: halves(tokenizer, folder, seed),
        "korsts": lambda: korsts(tokenizer, folder),
        "parakqc": lambda: parakqc(tokenizer, folder),
        "everyday": lambda: everyday(tokenizer, "everyday_groups.txt"),
        "more_everyday": lambda: everyday(tokenizer, "more_everyday_groups.txt"),
        "synonyms": lambda: everyday(tokenizer, "synonyms.txt"),
        "situations": lambda: everyday(tokenizer, "situations.txt"),
        "matters": lambda: everyday(tokenizer, "everyday_matters.txt"),
        "associations": lambda: associations(tokenizer, own_lines("associations.txt"), seed),
        "nli": lambda: nli(tokenizer, folder),
        "inference": lambda: inference(tokenizer, folder),
        "pawsx": lambda: pawsx(tokenizer, folder),
        "asked": lambda: asked(tokenizer, folder, seed),
        "paragraph_questions": lambda: paragraph_questions(tokenizer, folder),
        "altered": lambda: altered(tokenizer, folder, seed),
        "hurried": lambda: hurried(tokenizer, folder, seed),
        "triples": lambda: triples(tokenizer),
    }


def running_sets(
    tokenizer: Tokenizer, folder: Path, shares: dict[str, float], seed: int
) -> dict[str, Callable[[], Columns]]:
    """Every source of running text by its name, not yet computed."""

    def encode_running(name: str) -> Callable[[], Columns]:
        return lambda: encode(
            tokenizer, running_texts(folder, name, shares.get(name, 1.0), seed),
            max_pieces=10_000, max_characters=MAX_CHARACTERS,
        ).columns("text")  # fmt: skip

    return {name: encode_running(name) for name in corpus.names(folder, "mono")} | {
        "conversation": lambda: encode(tokenizer, conversation_texts(folder)).columns("text")
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="the corpus folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--what", choices=("running", "pairs"), required=True)
    parser.add_argument("--wiki-share", type=float, default=0.5, help="of Wikipedia that is read")
    parser.add_argument("--review-share", type=float, default=0.5, help="of nsmc_reviews")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    if args.what == "pairs":
        jobs = pair_sets(tokenizer, args.corpus, args.seed)
    else:
        shares = {"kowiki": args.wiki_share, "nsmc_reviews": args.review_share}
        jobs = running_sets(tokenizer, args.corpus, shares, args.seed)
    for name, job in jobs.items():
        path = args.work / args.what / f"{name}.npz"
        if path.exists():
            continue
        try:
            columns = job()
        except FileNotFoundError as error:
            print(f"{name}: left out, {error}", flush=True)
            continue
        write_npz(path, columns)
        sizes = {key: len(value) for key, value in columns.items() if "offsets" not in key}
        print(f"{path}: {sizes}", flush=True)


if __name__ == "__main__":
    main()
