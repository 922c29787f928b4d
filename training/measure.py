"""Measure a table or a model folder on the evaluation sets, each figure with a 95 % interval.

    python -m training.measure --eval DIR --model kcsearch/model [--pooling pooler] --json FILE
    python -m training.measure --eval DIR --table WORK/table.npz --tokenizer WORK/tokenizer.json
    python -m training.measure --eval DIR --bigrams
    python -m training.measure --eval DIR --model NEW --against kcsearch/model

A model runs in plain transformers, fp32. Intervals are bootstrapped over the questions or pairs;
those of a difference over the same ones for both.
"""

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from training.embedders import Embed, bigram_embedder, model_embedder, table_embedder

Rows = list[dict[str, object]]
Figure = dict[str, Any]  # value, low, high, n, and resampled: the statistic of each resampling
Figures = dict[str, dict[str, Figure]]  # by set and measure
N_BOOTSTRAP = 1_000


def read_jsonl(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def column(rows: Rows, name: str) -> list[str]:
    return [str(row[name]) for row in rows]


def cosines(a: np.ndarray | csr_matrix, b: np.ndarray | csr_matrix) -> np.ndarray:
    """Cosine of every row of a with every row of b, both unit rows: float (n, m)."""
    product = a @ b.T
    return product if isinstance(product, np.ndarray) else np.asarray(product.todense())


def paired_cosines(a: np.ndarray | csr_matrix, b: np.ndarray | csr_matrix) -> np.ndarray:
    """Cosine of row i of a with row i of b: float (n,)."""
    product = a * b if isinstance(a, np.ndarray) else a.multiply(b)
    return np.asarray(product.sum(1)).ravel()


def with_interval(statistic: Callable[[np.ndarray], float], n: int) -> Figure:
    """The statistic of all n items, and the 2.5 and 97.5 percentiles over resampled items."""
    rng = np.random.default_rng(0)
    resampled = [statistic(rng.integers(n, size=n)) for _ in range(N_BOOTSTRAP)]
    return figure(statistic(np.arange(n)), np.array(resampled), n)


def figure(value: float, resampled: np.ndarray, n: int) -> Figure:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {"value": value, "low": float(low), "high": float(high), "n": n, "resampled": resampled}


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive scores above a negative, ties counting half (Mann-Whitney)."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    rank_sum = rankdata(scores)[positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def best_ranks(scores: np.ndarray, relevant: list[list[int]]) -> np.ndarray:
    """Rank, from 1, of the best relevant text of each query; ties go to the earlier text.

    scores (n_queries, n_texts) -> int64 (n_queries,).
    """
    ranks = []
    for row, right in zip(scores, relevant, strict=True):
        order = np.argsort(-row, kind="stable")
        ranks.append(1 + int(np.flatnonzero(np.isin(order, right))[0]))
    return np.array(ranks)


def recall(ranks: np.ndarray, ks: tuple[int, ...]) -> dict[str, Figure]:
    """Share of queries with a relevant text among the first k, for each k."""

    def share(k: int) -> Figure:
        return with_interval(lambda items: float((ranks[items] <= k).mean()), len(ranks))

    return {f"R@{k}": share(k) for k in ks}


def reciprocal_rank(ranks: np.ndarray) -> Figure:
    """Mean of 1 / rank of the best relevant text."""
    return with_interval(lambda items: float((1 / ranks[items]).mean()), len(ranks))


def retrieval(
    embed: Embed, queries: list[str], texts: list[str], relevant: list[list[int]],
    ks: tuple[int, ...] = (1, 10),
) -> dict[str, Figure]:  # fmt: skip
    return recall(best_ranks(cosines(embed(queries), embed(texts)), relevant), ks)


def measure_korsts(embed: Embed, folder: Path) -> dict[str, Figure]:
    rows = read_jsonl(folder / "korsts_dev.jsonl")
    found = paired_cosines(embed(column(rows, "a")), embed(column(rows, "b")))
    gold = np.array([row["score"] for row in rows], dtype=float)
    return {"spearman": with_interval(lambda i: spearman(found[i], gold[i]), len(rows))}


def measure_questions(embed: Embed, folder: Path) -> dict[str, Figure]:
    rows = read_jsonl(folder / "question_pair_validation.jsonl")
    found = paired_cosines(embed(column(rows, "a")), embed(column(rows, "b")))
    same = np.array([row["label"] == "duplicate" for row in rows])
    return {"AUC": with_interval(lambda i: area_under_curve(found[i], same[i]), len(rows))}


def measure_korquad(embed: Embed, folder: Path) -> dict[str, Figure]:
    paragraphs = read_jsonl(folder / "korquad_paragraphs.jsonl")
    questions = read_jsonl(folder / "korquad_questions.jsonl")
    place = {key: number for number, key in enumerate(column(paragraphs, "key"))}
    relevant = [[place[key]] for key in column(questions, "relevant")]
    return retrieval(embed, column(questions, "text"), column(paragraphs, "text"), relevant)


def measure_sections(embed: Embed, folder: Path, file: str, field: str) -> dict[str, Figure]:
    rows = read_jsonl(folder / file)
    relevant = [[number] for number in range(len(rows))]
    return retrieval(embed, column(rows, "query"), column(rows, field), relevant)


def measure_parallel(embed: Embed, folder: Path) -> dict[str, Figure]:
    rows = read_jsonl(folder / "tatoeba_laser_ko_en.jsonl")
    scores = cosines(embed(column(rows, "ko")), embed(column(rows, "en")))
    relevant = [[number] for number in range(len(rows))]
    return {
        "ko->en R@1": recall(best_ranks(scores, relevant), (1,))["R@1"],
        "en->ko R@1": recall(best_ranks(scores.T, relevant), (1,))["R@1"],
    }


def measure_everyday(embed: Embed, data: Path, name: str) -> dict[str, Figure]:
    """Questions that share few words with their answers; qrels with a header line, score > 0."""
    texts = read_jsonl(data / "everyday.jsonl")
    queries = read_jsonl(data / f"{name}.queries.jsonl")
    place = {key: number for number, key in enumerate(column(texts, "key"))}
    relevant: dict[str, list[int]] = {}
    with (data / f"{name}.qrels.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if float(row["score"]) > 0:
                relevant.setdefault(row["query-id"], []).append(place[row["corpus-id"]])
    judged = [row for row in queries if str(row["key"]) in relevant]
    right = [relevant[key] for key in column(judged, "key")]
    scores = cosines(embed(column(judged, "text")), embed(column(texts, "text")))
    ranks = best_ranks(scores, right)
    return recall(ranks, (1, 3, 10)) | {"MRR": reciprocal_rank(ranks)}


def measure_minimal_pairs(embed: Embed, data: Path) -> dict[str, Figure]:
    """Share of triples whose anchor lies nearer to the same meaning than to the same words.

    A tie, which a bag cannot help, counts half.
    """
    rows = read_jsonl(data / "minimal_pairs.jsonl")
    anchors = embed(column(rows, "anchor"))
    same, different = (
        paired_cosines(anchors, embed(column(rows, side))) for side in ("same", "different")
    )
    gap = same - different
    right = np.where(np.abs(gap) < 1e-6, 0.5, gap > 0)
    kinds = column(rows, "kind")
    figures = {"right": with_interval(lambda i: float(right[i].mean()), len(rows))}
    for kind in dict.fromkeys(kinds):
        of_kind = right[[name == kind for name in kinds]]
        figures[kind] = with_interval(lambda i, r=of_kind: float(r[i].mean()), len(of_kind))
    return figures


def measure_all(embed: Embed, folder: Path, data: Path, held_out: bool = False) -> Figures:
    """Every set by its name."""
    figures = {
        "KorSTS dev": measure_korsts(embed, folder),
        "question pairs": measure_questions(embed, folder),
        "KorQuAD": measure_korquad(embed, folder),
        "law": measure_sections(embed, folder, "kolaw_heldout_articles.jsonl", "body"),
        "wiki sections": measure_sections(embed, folder, "kowiki_heldout_sections.jsonl", "text"),
        "Tatoeba": measure_parallel(embed, folder),
    }
    if (data / "minimal_pairs.jsonl").exists():
        figures["minimal pairs"] = measure_minimal_pairs(embed, data)
    everyday = ("everyday", "heldout") if held_out else ("everyday",)
    for name in everyday:
        if (data / f"{name}.qrels.tsv").exists():
            figures[name] = measure_everyday(embed, data, name)
    return figures


def differences(new: Figures, old: Figures) -> Figures:
    """How much `new` gains on `old`; every resampling took the same items for both."""
    return {
        name: {
            measure: figure(
                found["value"] - old[name][measure]["value"],
                found["resampled"] - old[name][measure]["resampled"],
                found["n"],
            )
            for measure, found in by_measure.items()
        }
        for name, by_measure in new.items()
    }


def without_resampled(figures: Figures) -> Figures:
    return {
        name: {
            measure: {key: found[key] for key in ("value", "low", "high", "n")}
            for measure, found in by_measure.items()
        }
        for name, by_measure in figures.items()
    }


def print_figures(figures: Figures, sign: str = "") -> None:
    for name, by_measure in figures.items():
        for measure, found in by_measure.items():
            value, low, high = (f"{found[key]:{sign}.3f}" for key in ("value", "low", "high"))
            print(f"{name:16} {measure:11} {value}  [{low}, {high}]  n={found['n']}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--eval", type=Path, required=True, help="folder of the evaluation sets")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of everyday.*")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="model folder")
    what.add_argument("--table", type=Path, help=".npz with a table, needs --tokenizer")
    what.add_argument("--bigrams", action="store_true", help="bag of syllable bigrams, tf-idf")
    parser.add_argument("--pooling", choices=("pooler", "cls", "mean"), default="pooler")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument(
        "--held-out", action="store_true", help="also the questions that nothing may be chosen by"
    )
    parser.add_argument("--against", type=Path, metavar="MODEL", help="another folder: differences")
    parser.add_argument("--json", type=Path, help="where to keep the figures")
    args = parser.parse_args(argv)
    if args.model:
        embed = model_embedder(args.model, args.pooling)
    elif args.table:
        if args.tokenizer is None:
            parser.error("--table needs --tokenizer")
        embed = table_embedder(args.table, args.tokenizer)
    else:
        embed = bigram_embedder()
    figures = measure_all(embed, args.eval, args.data, args.held_out)
    print_figures(figures)
    kept: dict[str, Any] = without_resampled(figures)
    if args.against:
        other = model_embedder(args.against, "pooler")
        gained = differences(figures, measure_all(other, args.eval, args.data, args.held_out))
        print(f"\nagainst {args.against}:")
        print_figures(gained, "+")
        kept["against"] = without_resampled(gained)
    if args.json:
        args.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
