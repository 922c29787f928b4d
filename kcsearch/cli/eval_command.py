"""`kcsearch eval`: how good the answers are, against judgements that people made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.opening import existing, open_collection
from kcsearch.cli.options import CollectionOption, ModelOption, ReportFormatOption
from kcsearch.cli.printing import print_lines, tell
from kcsearch.errors import InputError

if TYPE_CHECKING:  # numpy and FAISS wait until the files have been read
    from kcsearch.collection import Collection
    from kcsearch.evaluation import Estimate, Qrels, Run

eval_command = typer.Typer()
_DEPTH = 100  # hits a query: as deep as recall@100 looks


@eval_command.command(
    name="eval",
    help=say("Measure the search against judged queries, or vectors against scored sentence pairs.")
    + examples(
        "kcsearch eval queries.jsonl qrels.tsv",
        "kcsearch eval queries.jsonl qrels.tsv --mode hybrid --per-query each.jsonl",
        "kcsearch eval --sts pairs.tsv",
    ),
)
def evaluate(
    queries: Annotated[
        Path | None,
        typer.Argument(metavar="QUERIES", help=say("JSON Lines, TSV or TREC topics.")),
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Argument(metavar="QRELS", help=say("Judgements as TREC's, BEIR's or JSON Lines.")),
    ] = None,
    collection: CollectionOption = None,
    mode: Annotated[
        Literal["all", "dense", "lexical", "hybrid"],
        typer.Option(help=say("Measure this mode, or each.")),
    ] = "all",
    sts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=say("Sentence pairs with scores: Spearman's rank correlation with the cosine."),
            show_default=False,
        ),
    ] = None,
    per_query: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=say("Write a JSON line for each query and mode: its measures, what it found."),
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    format: ReportFormatOption = "table",
) -> None:
    if (sts is None) == (queries is None or qrels is None):
        raise InputError("give QUERIES and QRELS, or --sts FILE, and not both")
    if sts is not None:
        _print_sts(sts, model, format)
    elif queries is not None and qrels is not None:
        modes = ("dense", "lexical", "hybrid") if mode == "all" else (mode,)
        _print_retrieval(queries, qrels, existing(collection), model, modes, per_query, format)


def _print_sts(path: Path, model: str | None, format: str) -> None:
    from kcsearch import models
    from kcsearch.encoder import TextEncoder
    from kcsearch.evaluation import pair_correlation
    from kcsearch.readers.judgements import read_scored_pairs

    pairs = read_scored_pairs(path)
    found = pair_correlation(TextEncoder(models.resolve(model)), pairs)
    if format == "json":
        print_lines([output.as_json({"n_pairs": len(pairs), "spearman": _as_json(found)})])
    else:
        header = [say("pairs"), say("Spearman"), say("95 % interval")]
        print_lines([output.as_table([[f"{len(pairs):,}", *_cells(found)]], header)])


def _print_retrieval(
    queries_file: Path,
    qrels_file: Path,
    folder: Path,
    model: str | None,
    modes: Sequence[Any],
    per_query_file: Path | None,
    format: str,
) -> None:
    from kcsearch.atomic_file import refuse_file_of_collection
    from kcsearch.evaluation import MEASURES, evaluate
    from kcsearch.readers.judgements import read_qrels, read_queries

    if per_query_file is not None:
        refuse_file_of_collection(per_query_file)
    queries, qrels = read_queries(queries_file), read_qrels(qrels_file)
    judged = {key: qrels[key] for key in queries if any(g > 0 for g in qrels.get(key, {}).values())}
    if not judged:
        raise InputError("no query of {queries} has a relevant document in {qrels}",
                         queries=queries_file, qrels=qrels_file)  # fmt: skip
    asked = {key: queries[key] for key in judged}
    with open_collection(folder, model=model) as opened:
        _tell_what_is_missing(opened, queries, qrels, judged)
        runs = {mode: _run(opened, asked, qrels, mode) for mode in modes}
        recall = opened.index_recall(list(asked.values())[:200])
    figures = {mode: evaluate(run, judged) for mode, run in runs.items()}
    if per_query_file is not None:
        _write_per_query(per_query_file, asked, judged, runs)
    if format == "json":
        report = {
            "n_queries": len(judged),
            "modes": {m: {n: _as_json(e) for n, e in f.items()} for m, f in figures.items()},
            "index_recall@10": recall,
        }
        print_lines([output.as_json(report)])
        return
    header = [say("measure"), *modes]
    rows = [[name, *(" ".join(_cells(figures[mode][name])) for mode in modes)] for name in MEASURES]
    print_lines([output.as_table(rows, header)])
    tell(say("{n} queries, with 95 % intervals. Of the 10 nearest vectors the index finds {share}"),
         n=f"{len(judged):,}", share=f"{recall:.1%}")  # fmt: skip


def _run(
    opened: Collection, queries: Mapping[str, str], qrels: Qrels, mode: Any
) -> dict[str, list[str]]:
    """Document keys, best first; of a long text's windows the best counts."""
    known = {key for grades in qrels.values() for key in grades}
    answers = opened.search_many(list(queries.values()), _DEPTH, mode=mode)
    return {
        query: list(dict.fromkeys(_whole_key(hit.key, known) for hit in hits))
        for query, hits in zip(queries, answers, strict=True)
    }


def _whole_key(key: str, known: set[str]) -> str:
    """KEY of KEY#2, the second window of a long text."""
    whole, mark, number = key.rpartition("#")
    return whole if mark and number.isdecimal() and key not in known else key


def _tell_what_is_missing(
    opened: Collection, queries: Mapping[str, str], qrels: Qrels, judged: Qrels
) -> None:
    n_unjudged = len(queries) - len(judged)
    if n_unjudged:
        tell(say("Queries without a relevant document, left out: {n}"), n=f"{n_unjudged:,}")
    n_unknown = len(qrels.keys() - queries.keys())
    if n_unknown:
        tell(say("Judged queries whose text is not there, left out: {n}"), n=f"{n_unknown:,}")
    keys = {key for grades in judged.values() for key, grade in grades.items() if grade > 0}
    n_missing = len(keys) - opened.n_known(keys)
    if n_missing:
        tell(
            say("Relevant documents that the collection does not hold: {n} of {all}"),
            n=f"{n_missing:,}",
            all=f"{len(keys):,}",
        )


def _write_per_query(
    path: Path, queries: Mapping[str, str], judged: Qrels, runs: Mapping[str, Run]
) -> None:
    from kcsearch.atomic_file import replacing
    from kcsearch.evaluation import MEASURES, per_query
    from kcsearch.store.sqlite_file import explained

    values = {m: {n: per_query(run, judged, n) for n in MEASURES} for m, run in runs.items()}
    with explained(path), replacing(path) as draft, draft.open("w", encoding="utf-8") as lines:
        for key, text in queries.items():
            for mode, run in runs.items():
                record = {
                    "query": key,
                    "text": text,
                    "mode": mode,
                    **{name: values[mode][name][key] for name in MEASURES},
                    "relevant": judged[key],
                    "found": list(run[key][:10]),
                }
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def _as_json(found: Estimate) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _cells(found: Estimate) -> list[str]:
    return [f"{found.mean:.3f}", f"({found.low:.3f}-{found.high:.3f})"]
