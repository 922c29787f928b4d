"""The commands on a collection: index, query, get, list, delete, status."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import say
from kcsearch.cli.options import (
    CollectionOption,
    DeviceOption,
    FilterOption,
    FormatOption,
    ModelOption,
    ParamOption,
    PrecisionOption,
    ThreadsOption,
    WaitOption,
    WhereOption,
    pairs,
)
from kcsearch.cli.printing import HitPrinter, print_documents, print_lines, tell
from kcsearch.errors import CollectionNotFoundError, InputError

if TYPE_CHECKING:  # numpy, FAISS and SQLite wait until a command needs them
    from kcsearch.collection import Collection
    from kcsearch.types import Hit, IndexReport

commands = typer.Typer()


@commands.command(
    help=say(
        "Bring the collection in step with files; only what changed is embedded.\n\n"
        "\b\nkcsearch index docs.txt\n"
        "kcsearch index notes/ --split sentence\n"
        "kcsearch index faq.csv --text-field answer --key-field id\n"
        "cat lines.txt | kcsearch index -"
    )
)
def index(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help=say("Files, folders, patterns, or - for standard input.")
        ),
    ],
    collection: CollectionOption = None,
    model: ModelOption = None,
    split: Annotated[
        Literal["line", "sentence", "paragraph", "none"] | None,
        typer.Option(
            help=say("What one document is [default: line; paragraph in Markdown]."),
            show_default=False,
        ),
    ] = None,
    text_field: Annotated[
        str, typer.Option(metavar="NAME", help=say("The field or column with the text."))
    ] = "text",
    key_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=say("The field or column with the key [default: key, id or _id, if there]."),
            show_default=False,
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=say("Force an encoding [default: UTF-8, UTF-16 with a mark, or CP949]."),
            show_default=False,
        ),
    ] = None,
    input_format: Annotated[
        Literal["txt", "md", "jsonl", "json", "csv", "tsv"] | None,
        typer.Option(help=say("Read as this format [default: by suffix]."), show_default=False),
    ] = None,
    prune: Annotated[
        bool, typer.Option(help=say("Remove documents that vanished from these files."))
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("Only tell what would be done."))
    ] = False,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    wait: WaitOption = 10.0,
    as_json: Annotated[
        bool, typer.Option("--json", help=say("Print the report as JSON on stdout."))
    ] = False,
) -> None:
    import time

    from kcsearch.cli.progress import indexing_progress
    from kcsearch.readers import ReadReport

    started, reading = time.monotonic(), ReadReport()
    target = _target(collection)
    is_new = not (target / "store.db").exists()
    with _open(target, model=model, create=not (dry_run and is_new), wait=wait) as opened:
        opened.use_engine(precision=precision, device=device, threads=threads)
        before = opened.count()
        try:
            with indexing_progress(reading) as progress:
                report = opened.index(
                    paths,
                    split=split,
                    text_field=text_field,
                    key_field=key_field,
                    encoding=encoding,
                    format=input_format,
                    prune=prune,
                    dry_run=dry_run,
                    report=reading,
                    progress=progress,
                )
        except KeyboardInterrupt:
            tell(
                say(
                    "Interrupted. The collection holds {n} documents ({new} of this run); the "
                    "same command goes on from there."
                ),
                n=opened.count(),
                new=opened.count() - before,
            )
            raise
        _tell_reading(reading)
        _tell_report(report, dry_run, time.monotonic() - started, opened)
    if as_json:
        print_lines([output.as_json(report.as_dict())])


@commands.command(
    help=say(
        "Print the documents that are nearest in meaning.\n\n"
        '\b\nkcsearch query "돈을 언제 돌려받나요"\n'
        'kcsearch query "비가 오나요" -k 3 --filter topic=날씨\n'
        "kcsearch query --similar-to refund-01 --format json\n"
        "cat questions.txt | kcsearch query - --format jsonl"
    )
)
def query(
    queries: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help=say("Queries, or - for a line each from stdin.")),
    ] = None,
    collection: CollectionOption = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help=say("How many documents to print."))
    ] = 10,
    min_score: Annotated[
        float | None,
        typer.Option(metavar="COSINE", help=say("Least cosine, -1 to 1."), show_default=False),
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
        int, typer.Option(metavar="N", min=0, help=say("Print N lines around each hit."))
    ] = 0,
    model: ModelOption = None,
    format: FormatOption = "table",
) -> None:
    queries = queries or []
    if bool(queries) == (similar_to is not None):
        raise InputError("give a query, or --similar-to KEY, and not both")
    conditions: dict[str, Any] = {
        "filters": pairs(filters, "--filter"),
        "where": where,
        "params": pairs(params, "--param"),
        "min_score": min_score,
    }
    n_found = 0
    with _open(_existing(collection), model=model) as opened:
        if similar_to is not None:
            answers = iter([(similar_to, opened.similar(similar_to, top_k, **conditions))])
        else:
            answers = _answers(opened, queries, top_k, conditions)
        printer = HitPrinter(opened, format, context, many=len(queries) > 1 or "-" in queries)
        for text, hits in answers:
            n_found += len(hits)
            printer.print(text, hits)
        printer.finish()
    if not n_found:
        tell(say("Nothing found."))
        raise typer.Exit(1)


@commands.command(
    help=say("Print a document by its key.\n\n\b\nkcsearch get refund-01\nkcsearch get docs.txt:12")
)
def get(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...")],
    collection: CollectionOption = None,
    format: FormatOption = "plain",
) -> None:
    with _open(_existing(collection)) as opened:
        print_documents([opened.get(key) for key in keys], format)


@commands.command(
    name="list",
    help=say(
        "Print stored documents in the order in which they were added.\n\n"
        "\b\nkcsearch list --filter source=docs.txt\nkcsearch list --format jsonl > all.jsonl"
    ),
)
def list_(
    collection: CollectionOption = None,
    filters: FilterOption = None,
    where: WhereOption = None,
    params: ParamOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=say("At most so many."), show_default=False)
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help=say("Leave out the first so many."))] = 0,
    format: FormatOption = "table",
) -> None:
    with _open(_existing(collection)) as opened:
        found = opened.list(
            pairs(filters, "--filter"),
            where,
            pairs(params, "--param"),
            limit=limit,
            offset=offset,
        )
        if not print_documents(found, format):
            tell(say("Nothing found."))
            raise typer.Exit(1)


@commands.command(
    help=say(
        "Remove documents by key or by condition.\n\n"
        "\b\nkcsearch delete refund-01\nkcsearch delete --filter source=old.txt --dry-run"
    )
)
def delete(
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY...")] = None,
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
    with _open(_existing(collection), wait=wait) as opened:
        if keys and dry_run:
            n_removed = len({opened.get(key).key for key in keys})
        elif keys:
            n_removed = opened.delete(keys)
        else:
            n_removed = opened.delete_matching(
                pairs(filters, "--filter"), where, pairs(params, "--param"), dry_run=dry_run
            )
    words = say("{n} documents would be removed.") if dry_run else say("{n} documents removed.")
    tell(words, n=n_removed)
    if not n_removed:
        raise typer.Exit(1)


@commands.command(
    help=say(
        "Say what the collection holds, with which model, and where it lies.\n\n"
        "\b\nkcsearch status\nkcsearch status --format json"
    )
)
def status(
    collection: CollectionOption = None,
    format: Annotated[
        Literal["table", "json"], typer.Option("--format", "-f", help=say("How to print."))
    ] = "table",
) -> None:
    with _open(_existing(collection)) as opened:
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
        *([name, f"{size / 1e6:,.1f} MB"] for name, size in facts["bytes"].items()),
    ]
    print_lines([output.as_table(rows)])


# -- finding the collection -------------------------------------------------------------------


def _existing(named: Path | None) -> Path:
    from kcsearch.collection import find_collection

    return named or find_collection()


def _target(named: Path | None) -> Path:
    """The collection to write to: as for reading, or a new one in the working directory."""
    from kcsearch.collection import DEFAULT_NAME

    try:
        return _existing(named)
    except CollectionNotFoundError:
        return Path(DEFAULT_NAME)


def _open(
    path: Path, *, model: str | None = None, create: bool = False, wait: float = 10.0
) -> Collection:
    from kcsearch.collection import Collection

    return Collection(
        path,
        model,
        create=create,
        wait=wait,
        on_wait=lambda: tell(say("Another process is writing; waiting for it …")),
    )


def _answers(
    opened: Collection, queries: Iterable[str], top_k: int, conditions: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[Hit]]]:
    """Each query with its hits; those from stdin as soon as their line is there."""
    for text in queries:
        if text != "-":
            yield text, opened.search(text, top_k, **conditions)
            continue
        for line in sys.stdin.buffer:
            try:
                asked = line.decode("utf-8-sig").strip()
            except UnicodeDecodeError:
                raise InputError("standard input: {line!r} is not UTF-8", line=line) from None
            if asked:
                yield asked, opened.search(asked, top_k, **conditions)


def _tell_reading(reading: Any) -> None:
    for name in reading.guessed:
        tell(say("{name} is not UTF-8; it was read as CP949."), name=name)
    if reading.skipped:
        tell(
            say("{n} files of other formats were left out, such as {name}."),
            n=len(reading.skipped),
            name=reading.skipped[0],
        )
    if reading.n_blank:
        tell(say("{n} blank lines were skipped."), n=reading.n_blank)


def _tell_report(report: IndexReport, dry_run: bool, seconds: float, opened: Collection) -> None:
    words = say(
        "{read} documents read: {added} new, {changed} changed, {removed} removed, {unchanged} "
        "unchanged; {embedded} embedded"
    )
    numbers = {name.removeprefix("n_"): f"{n:,}" for name, n in report.as_dict().items()}
    tell(words + (say(" (dry run: nothing was done)") if dry_run else ""), **numbers)
    if report.n_windows:
        tell(say("Texts over the model's limit were split into {n} windows."), n=report.n_windows)
    if not dry_run:
        tell(
            say("{path} holds {n} documents ({seconds} s)."),
            path=opened.path,
            n=f"{opened.count():,}",
            seconds=f"{seconds:.1f}",
        )
