"""The commands that keep a collection whole: verify, repair, rebuild, optimize, backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.opening import existing, open_collection, tell_waiting
from kcsearch.cli.options import CollectionOption, ReportFormatOption, WaitOption
from kcsearch.cli.printing import print_lines, tell
from kcsearch.errors import CollectionDamagedError

if TYPE_CHECKING:  # numpy, FAISS and SQLite wait until a command needs them
    from kcsearch.upkeep.verification import Part

maintenance_commands = typer.Typer()


@maintenance_commands.command(
    help=say("Look at everything that is stored, and say what does not fit.")
    + examples("kcsearch verify", "kcsearch verify --format json")
)
def verify(collection: CollectionOption = None, format: ReportFormatOption = "table") -> None:
    with open_collection(existing(collection)) as opened:
        path, checks = opened.path, opened.verify()
    if format == "json":
        print_lines([output.as_json([check.as_dict() for check in checks])])
    else:
        header = [say("part"), say("looked at"), say("wrong"), say("what")]
        rows = [
            [_name(check.part), f"{check.n:,}", f"{check.n_wrong:,}", check.first]
            for check in checks
        ]
        print_lines([output.as_table(rows, header)])
    wrong = [_name(check.part) for check in checks if check.n_wrong]
    if wrong:
        raise CollectionDamagedError(
            "{path}: not all of it is as it should be: {parts}. `kcsearch repair` mends what can "
            "be mended",
            path=path,
            parts=", ".join(wrong),
        )


@maintenance_commands.command(
    help=say(
        "Mend a damaged collection: all that can be rebuilt is, the rest is set aside in a file."
    )
    + examples("kcsearch repair", "kcsearch repair --collection notes")
)
def repair(
    collection: CollectionOption = None,
    wait: WaitOption = 10.0,
    as_json: Annotated[
        bool, typer.Option("--json", help=say("Print the report as JSON on stdout."))
    ] = False,
) -> None:
    from kcsearch.upkeep.repairing import repair as mend

    path = existing(collection)
    report = mend(path, wait=wait, on_wait=tell_waiting)
    tell(
        say("Documents kept: {n}, of them encoded again: {new}"),
        n=f"{report.n_kept:,}",
        new=f"{report.n_encoded:,}",
    )
    if report.n_set_aside:
        tell(
            say("Set aside in {name}, because they are damaged: {n}"),
            name=path / (report.set_aside or ""),
            n=f"{report.n_set_aside:,}",
        )
    if report.n_gone:
        tell(
            say("Gone without a trace: {n}. `kcsearch index` on their sources brings them back."),
            n=f"{report.n_gone:,}",
        )
    if report.damaged:
        tell(say("The damaged store is kept as {name}"), name=path / report.damaged)
    if as_json:
        print_lines([output.as_json(report.as_dict())])


@maintenance_commands.command(
    help=say("Build the vector index again from the stored vectors; nothing is embedded.")
    + examples("kcsearch rebuild")
)
def rebuild(collection: CollectionOption = None, wait: WaitOption = 10.0) -> None:
    with open_collection(existing(collection), wait=wait) as opened:
        opened.rebuild()
        tell(say("Vectors in the index: {n}"), n=f"{opened.count():,}")


@maintenance_commands.command(
    help=say("Give the room of removed documents back to the disk, and merge the word index.")
    + examples("kcsearch optimize")
)
def optimize(collection: CollectionOption = None, wait: WaitOption = 10.0) -> None:
    with open_collection(existing(collection), wait=wait) as opened:
        before, after = opened.optimize()
    tell(
        say("store.db: {before} MB, before {after} MB").format(
            before=f"{after / 1e6:,.1f}", after=f"{before / 1e6:,.1f}"
        )
    )


@maintenance_commands.command(
    help=say("Copy the collection into a new folder, also while something writes to it.")
    + examples("kcsearch backup ../notes-backup")
)
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=say("A new folder."))],
    collection: CollectionOption = None,
) -> None:
    with open_collection(existing(collection)) as opened:
        n = opened.backup(folder)
    tell(say("Documents copied to {path}: {n}"), path=folder, n=f"{n:,}")


def _name(part: Part) -> str:
    """A part of the collection in the user's language."""
    return {
        "sqlite": say("SQLite file"),
        "counts": say("counts"),
        "documents": say("documents"),
        "vectors": say("vectors"),
        "words": say("words"),
        "model": say("model"),
        "index file": say("vectors.faiss"),
        "search": say("searches"),
    }[part]
