"""The command `index`: files into a collection, and what it tells about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.opening import opened_to_write
from kcsearch.cli.options import (
    CollectionOption,
    DeterministicOption,
    DeviceOption,
    ModelOption,
    PrecisionOption,
    ThreadsOption,
    WaitOption,
)
from kcsearch.cli.printing import print_lines, tell

if TYPE_CHECKING:  # numpy, FAISS and SQLite wait until a command needs them
    from kcsearch.collection import Collection
    from kcsearch.readers import ReadReport
    from kcsearch.types import IndexReport

index_command = typer.Typer()


@index_command.command(
    help=say("Bring the collection in step with files; only what changed is embedded.")
    + examples(
        "kcsearch index docs.txt",
        "kcsearch index notes/ --split sentence",
        "kcsearch index faq.csv --text-field answer --key-field id",
        "kcsearch index shop.db --sql 'SELECT id, body AS text, stars FROM reviews'",
        "cat lines.txt | kcsearch index -",
    )
)
def index(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help=say("Files, folders, patterns, or - for standard input.")
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
        Literal[
            "txt", "md", "jsonl", "json", "csv", "tsv", "html", "docx", "hwpx", "pdf", "parquet"
        ]
        | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=say(
                "Read as txt, md, jsonl, json, csv, tsv, html, docx, hwpx, pdf or parquet "
                "[default: by suffix]."
            ),
            show_default=False,
        ),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql",
            metavar="QUERY",
            help=say("Index the rows that this query finds in an SQLite file."),
            show_default=False,
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            help=say("Remove documents that vanished from these files [default: --prune]."),
            show_default=False,
        ),
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("Only tell what would be done."))
    ] = False,
    clean: Annotated[
        Literal["none", "kcbert"] | None,
        typer.Option(
            help=say("kcbert: clean comments before encoding, as KcBERT was trained on them."),
            show_default=False,
        ),
    ] = None,
    words: Annotated[
        Literal["bigrams", "kiwi"] | None,
        typer.Option(
            help=say(
                "What a new collection looks words up by: syllable bigrams, or Kiwi's morphemes "
                "(kcsearch[ko]) [default: bigrams]."
            ),
            show_default=False,
        ),
    ] = None,
    whiten: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="DIM",
            help=say(
                "Afterwards fit PCA whitening to DIM numbers on all vectors, for models that were "
                "not trained for similarity; 0 takes it away."
            ),
            show_default=False,
        ),
    ] = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    deterministic: DeterministicOption = False,
    wait: WaitOption = 10.0,
    as_json: Annotated[
        bool, typer.Option("--json", help=say("Print the report as JSON on stdout."))
    ] = False,
) -> None:
    import time

    from kcsearch.cli.progress import indexing_progress
    from kcsearch.readers import ReadReport
    from kcsearch.readers.paths import find

    find(paths, input_format)  # a mistyped name makes no collection
    if "-" in paths and sys.stdin.isatty():
        tell(say("Reading what you type; Ctrl-D ends it."))
    started, reading = time.monotonic(), ReadReport()
    with opened_to_write(collection, model, wait, dry_run, clean, words) as opened:
        opened.use_engine(precision, device, threads, deterministic)
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
                    sql=sql,
                    prune=prune,
                    dry_run=dry_run,
                    report=reading,
                    progress=progress,
                )
        except KeyboardInterrupt:
            n_kept = opened.count()
            tell(
                say(
                    "Interrupted. What was embedded is kept: documents now {n}, of this run {new}. "
                    "The same command goes on from there."
                ),
                n=f"{n_kept:,}",
                new=f"{n_kept - before:,}",
            )
            raise
        _tell_reading(reading)
        _tell_report(report, dry_run, time.monotonic() - started, opened)
        if whiten is not None and not dry_run:
            opened.whiten(whiten or None)
            tell(say("Vectors whitened to {dim} numbers") if whiten else say("Whitening removed"),
                 dim=whiten)  # fmt: skip
    if as_json:
        print_lines([output.as_json(report.as_dict())])


def _tell_reading(reading: ReadReport) -> None:
    for name in reading.guessed:
        tell(say("{name} is not UTF-8; it was read as CP949."), name=name)
    if reading.skipped:
        tell(
            say("Files of other formats left out: {n}, such as {name}"),
            n=f"{len(reading.skipped):,}",
            name=reading.skipped[0],
        )
    if reading.n_blank:
        tell(say("Blank lines skipped: {n}"), n=f"{reading.n_blank:,}")


def _tell_report(report: IndexReport, dry_run: bool, seconds: float, opened: Collection) -> None:
    words = say(
        "Documents read: {read} ({added} new, {changed} changed, {removed} removed, {unchanged} "
        "unchanged; {embedded} embedded)"
    )
    numbers = {name.removeprefix("n_"): f"{n:,}" for name, n in report.as_dict().items()}
    tell(words, **numbers)
    if report.n_windows:
        tell(
            say("Windows that hold the texts over the model's limit: {n}"),
            n=f"{report.n_windows:,}",
        )
    if dry_run:
        tell(say("A dry run: nothing was changed."))
    else:
        tell(
            say("Documents in {path}: {n} ({seconds} s)"),
            path=opened.path,
            n=f"{opened.count():,}",
            seconds=f"{seconds:.1f}",
        )
