"""The commands `export` and `import`: documents to files and back, with their vectors if asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.opening import existing, exists, open_collection, opened_to_write
from kcsearch.cli.options import (
    CollectionOption,
    FilterOption,
    ModelOption,
    ParamOption,
    WaitOption,
    WhereOption,
    pairs,
)
from kcsearch.cli.printing import JsonOutput, print_lines, tell
from kcsearch.errors import InputError

transfer_commands = typer.Typer()


@transfer_commands.command(
    help=say("Write documents to a file: .jsonl, .parquet, or .npy for the vectors as a matrix.")
    + examples(
        "kcsearch export notes.jsonl",
        "kcsearch export notes.parquet --vectors",
        "kcsearch export vectors.npy --filter topic=날씨",
        "kcsearch export - | gzip > notes.jsonl.gz",
    )
)
def export(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help=say("A file, or - for standard output."))
    ],
    collection: CollectionOption = None,
    vectors: Annotated[
        bool, typer.Option("--vectors", help=say("Write the vectors, too."))
    ] = False,
    filters: FilterOption = None,
    where: WhereOption = None,
    params: ParamOption = None,
) -> None:
    if file != "-" and not file.endswith((".jsonl", ".parquet", ".npy")):
        raise InputError(
            "{name}: a name that ends in .jsonl, .parquet or .npy is needed", name=file
        )
    with open_collection(existing(collection)) as opened:
        n = opened.export(
            JsonOutput() if file == "-" else file,
            vectors=vectors,
            filters=pairs(filters, "--filter"),
            where=where,
            params=pairs(params, "--param", "NAME VALUE"),
        )
    tell(say("Documents written: {n}"), n=f"{n:,}")


@transfer_commands.command(
    name="import",
    help=say("Add what `export` wrote; vectors of the same model are taken as they are.")
    + examples("kcsearch import notes.jsonl", "kcsearch import vectors.npy --collection notes"),
)
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=say("A .jsonl, .parquet or .npy file."))
    ],
    collection: CollectionOption = None,
    model: ModelOption = None,
    wait: WaitOption = 10.0,
    as_json: Annotated[
        bool, typer.Option("--json", help=say("Print the report as JSON on stdout."))
    ] = False,
) -> None:
    from kcsearch.upkeep.transfer import origin_of

    origin = origin_of(file)  # a mistyped name makes no collection
    made_with = (origin or {}).get("model_reference", "bundled")
    if model is None and made_with != "bundled" and not exists(collection):
        raise InputError(
            "{path} holds vectors of the model {name!r}: name it with --model, or import into a "
            "collection of that model",
            path=file,
            name=made_with,
        )
    with opened_to_write(collection, model, wait, dry_run=False) as opened:
        report = opened.import_(file)
    tell(
        say("Documents read: {read} ({added} new, {changed} replaced)"),
        read=f"{report.n_read:,}",
        added=f"{report.n_added:,}",
        changed=f"{report.n_changed:,}",
    )
    if as_json:
        print_lines([output.as_json(report.as_dict())])
