"""The commands on a collection: query, get, list, delete, status."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.opening import existing, open_collection
from kcsearch.cli.options import (
    CollectionOption,
    FilterOption,
    FormatOption,
    ModelOption,
    ParamOption,
    ReportFormatOption,
    WaitOption,
    WhereOption,
    pairs,
)
from kcsearch.cli.printing import HitPrinter, print_documents, print_lines, tell
from kcsearch.errors import InputError
from kcsearch.hangul import is_choseong_query

if TYPE_CHECKING:  # numpy, FAISS and SQLite wait until a command needs them
    from kcsearch.collection import Collection
    from kcsearch.types import Hit, Interpretation

commands = typer.Typer()
_BUNCHED = 0.5  # median cosine of random pairs; models trained for similarity stay below 0.3


@commands.command(
    help=say("Print the documents that are nearest in meaning.")
    + examples(
        'kcsearch query "돈을 언제 돌려받나요"',
        'kcsearch query "비가 오나요" -k 3 --filter topic=날씨',
        "kcsearch query --similar-to refund-01 --format json",
        "cat questions.txt | kcsearch query - --format jsonl",
    )
)
def query(
    queries: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help=say("Queries, or - for a line each from stdin.")),
    ] = None,
    collection: CollectionOption = None,
    top_k: Annotated[
        int,
        typer.Option("--top-k", "-k", min=1, metavar="N", help=say("How many documents to print.")),
    ] = 10,
    min_score: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE",
            help=say("Least cosine, as 0.4, or percentile among random pairs, as p99.9."),
            show_default=False,
        ),
    ] = None,
    filters: FilterOption = None,
    where: WhereOption = None,
    params: ParamOption = None,
    similar_to: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help=say("Neighbours of a stored document."), show_default=False
        ),
    ] = None,
    context: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=100_000, help=say("Print N lines around each hit.")),
    ] = 0,
    mode: Annotated[
        Literal["hybrid", "dense", "lexical"],
        typer.Option(
            help=say("dense: by vectors; lexical: by words and their bigrams; hybrid: both.")
        ),
    ] = "hybrid",
    explain: Annotated[
        bool, typer.Option("--explain", help=say("Tell how each score came about."))
    ] = False,
    model: ModelOption = None,
    format: FormatOption = "table",
) -> None:
    queries = queries or []
    if bool(queries) == (similar_to is not None):
        raise InputError("give a query, or --similar-to KEY, and not both")
    conditions: dict[str, Any] = {
        "filters": pairs(filters, "--filter"),
        "where": where,
        "params": pairs(params, "--param", "NAME VALUE"),
        "min_score": min_score,
    }
    n_found = 0
    with open_collection(existing(collection), model=model) as opened:
        if similar_to is not None:
            answers = iter([(similar_to, opened.similar(similar_to, top_k, **conditions))])
        else:
            answers = _answers(opened, queries, top_k, {"mode": mode, **conditions})
        many = len(queries) > 1 or "-" in queries
        printer = HitPrinter(opened, format, context, many=many, explain=explain)
        for text, hits in answers:
            n_found += len(hits)
            printer.print(text, hits)
        printer.finish()
        if not n_found:
            _tell_nothing(opened, conditions["filters"])
            raise typer.Exit(1)


@commands.command(
    help=say("Print a document by its key.")
    + examples("kcsearch get refund-01", "kcsearch get docs.txt:12")
)
def get(
    keys: Annotated[list[str], typer.Argument(metavar="KEY")],
    collection: CollectionOption = None,
    format: FormatOption = "plain",
) -> None:
    with open_collection(existing(collection)) as opened:
        print_documents([opened.get(key) for key in keys], format)


@commands.command(
    name="list",
    help=say("Print stored documents in the order in which they were added.")
    + examples(
        "kcsearch list --filter source=docs.txt", "kcsearch list --format jsonl > all.jsonl"
    ),
)
def list_(
    collection: CollectionOption = None,
    filters: FilterOption = None,
    where: WhereOption = None,
    params: ParamOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=say("At most so many."), show_default=False),
    ] = None,
    offset: Annotated[
        int, typer.Option(min=0, metavar="N", help=say("Leave out the first so many."))
    ] = 0,
    format: FormatOption = "table",
) -> None:
    with open_collection(existing(collection)) as opened:
        chosen = pairs(filters, "--filter")
        found = opened.list(
            chosen,
            where,
            pairs(params, "--param", "NAME VALUE"),
            limit=limit,
            offset=offset,
        )
        if not print_documents(found, format):
            _tell_nothing(opened, chosen)
            raise typer.Exit(1)


@commands.command(
    help=say("Remove documents by key or by condition.")
    + examples("kcsearch delete refund-01", "kcsearch delete --filter source=old.txt --dry-run")
)
def delete(
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY")] = None,
    collection: CollectionOption = None,
    filters: FilterOption = None,
    where: WhereOption = None,
    params: ParamOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("Only tell what would be done."))
    ] = False,
    wait: WaitOption = 10.0,
) -> None:
    by_condition = bool(filters or where)
    if bool(keys) == by_condition:
        raise InputError("give keys, or a condition with --filter or --where, and not both")
    with open_collection(existing(collection), wait=wait) as opened:
        if keys and dry_run:
            n_removed = len({opened.get(key).key for key in keys})
        elif keys:
            n_removed = opened.delete(keys)
        else:
            n_removed = opened.delete_matching(
                pairs(filters, "--filter"),
                where,
                pairs(params, "--param", "NAME VALUE"),
                dry_run=dry_run,
            )
    words = (
        say("Documents that would be removed: {n}") if dry_run else say("Documents removed: {n}")
    )
    tell(words, n=f"{n_removed:,}")
    if not n_removed:
        raise typer.Exit(1)


@commands.command(
    help=say("Say what the collection holds, with which model, and where it lies.")
    + examples("kcsearch status", "kcsearch status --format json")
)
def status(collection: CollectionOption = None, format: ReportFormatOption = "table") -> None:
    with open_collection(existing(collection)) as opened:
        facts = opened.status()
    if format == "json":
        print_lines([output.as_json(facts)])
        return
    model = facts["model"]
    rows = [
        [say("collection"), facts["path"]],
        [say("documents"), f"{facts['n_documents']:,}"],
        [say("sources"), f"{facts['n_sources']:,}"],
        [say("model"), f"{model.get('name')} {model.get('revision', '')}".strip()],
        [say("vectors"), f"{facts['n_vectors']:,} x {facts['dim']}, {facts['index']}"],
        *([name, f"{size / 1e6:,.1f} MB"] for name, size in facts["bytes"].items() if size),
    ]
    if facts["whitening"]:
        words = say("{dim} numbers, fitted on {n_rows} vectors")
        rows.insert(5, [say("whitened"), words.format(**facts["whitening"])])
    pairs_of = facts["random_pairs"]
    if pairs_of:
        numbers = f"{pairs_of['median']:.2f} ± {pairs_of['spread']:.2f}"
        rows.insert(5, [say("random pairs"), say("cosine {numbers}").format(numbers=numbers)])
    if facts["words"] == "kiwi":
        rows.insert(4, [say("words"), say("morphemes by Kiwi")])
    print_lines([output.as_table(rows)])
    if pairs_of and pairs_of["median"] > _BUNCHED and not facts["whitening"]:
        tell(
            say(
                "The vectors lie close together, as those of a model that was not trained for "
                "similarity. `kcsearch index FILE --whiten {dim}` spreads them"
            ),
            dim=min(256, facts["dim"] // 2),
        )


def _tell_nothing(opened: Collection, filters: Mapping[str, str]) -> None:
    """That nothing was found, and of a filter's field that no document has it."""
    has_field = "EXISTS (SELECT 1 FROM json_each(metadata) WHERE json_each.key = :name)"
    for name in filters:
        is_column = name in ("key", "source", "line")
        if not is_column and not any(opened.list(where=has_field, params={"name": name}, limit=1)):
            tell(say("Nothing found: no document has a field {name!r}."), name=name)
            return
    tell(say("Nothing found."))


def _answers(
    opened: Collection, queries: Iterable[str], top_k: int, conditions: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[Hit]]]:
    """Each query with its hits; those from stdin as soon as their line is there."""
    for given in queries:
        for text in _stdin_lines() if given == "-" else [given]:
            answer = opened.ask(text, top_k, **conditions)
            _tell_interpretation(answer.asked)
            yield text, answer.hits


def _tell_interpretation(asked: Interpretation) -> None:
    has_its_letters = "".join(asked.text.split()) == "".join(asked.query.split())
    if asked.text != asked.query and (has_its_letters or is_choseong_query(asked.query)):
        tell(say("{query} is read as {text}"), query=asked.query, text=asked.text)
    elif asked.text != asked.query:
        tell(
            say(
                "Nothing holds {query}; this is for {text}, as if typed in the other keyboard mode"
            ),
            query=asked.query,
            text=asked.text,
        )
    elif asked.suggestion is not None:
        tell(say("Did you mean {text}?"), text=asked.suggestion)


def _stdin_lines() -> Iterator[str]:
    """Lines of standard input that hold anything, each as soon as it is there."""
    number = 0
    while True:
        try:
            line = sys.stdin.buffer.readline()
        except OSError as error:
            raise InputError(
                "standard input cannot be read ({reason})", reason=error.strerror
            ) from None
        number += 1
        if not line:
            return
        try:
            text = line.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise InputError(
                "standard input:{line}: not UTF-8. Convert it first: iconv -f cp949 -t utf-8",
                line=number,
            ) from None
        if text:
            yield text
