"""The options that several commands share, each written once, and how their words are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from kcsearch.cli.messages import say
from kcsearch.cli.output import Format
from kcsearch.errors import InputError


def _folder(word: str) -> Path:
    if not word:  # Path would take it for the working directory
        raise InputError("the name of the collection's folder is empty")
    return Path(word)


CollectionOption = Annotated[
    Path | None,
    typer.Option(
        "--collection",
        "-c",
        metavar="DIR",
        parser=_folder,
        envvar="KCSEARCH_COLLECTION",
        help=say("The collection's folder [default: .kcsearch here or in a folder above]."),
        show_default=False,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help=say("bundled, a model folder, or a Hugging Face name such as beomi/kcbert-base."),
        show_default=False,
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help=say("How to print."))]
ReportFormatOption = Annotated[
    Literal["table", "json"], typer.Option("--format", "-f", help=say("How to print."))
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="NAME=VALUE",
        help=say("Only documents whose field (or key, source, line) is VALUE; repeatable."),
        show_default=False,
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="SQL",
        help=say("Only documents that fulfil this SQL condition (row_id, key, text, …)."),
        show_default=False,
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME VALUE",
        help=say("A value for :NAME in --where, as text; repeatable."),
        show_default=False,
    ),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait", min=0, metavar="SECONDS", help=say("How long to wait for another writer.")
    ),
]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "bf16", "int8"],
    typer.Option(
        "--precision",
        help=say(
            "auto: bf16 where the processor is quick at it, else fp32. int8 is quicker and changes "
            "about 6 of 100 neighbours."
        ),
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help=say("auto, cpu, cuda or mps."), metavar="NAME")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        help=say("Processor threads [default: all]."),
        show_default=False,
    ),
]


DeterministicOption = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help=say("The same bytes for the same text on this machine, in any order; slower."),
    ),
]


def join_params(arguments: Sequence[str]) -> list[str]:
    """`-p NAME VALUE`, as sqlite-utils writes it, becomes the one word that Typer can take.

    >>> join_params(["query", "비", "-p", "stars", "4"])
    ['query', '비', '-p', 'stars=4']
    """
    joined, words = [], iter(arguments)
    for word in words:
        joined.append(word)
        if word == "--":
            break
        if word in ("-p", "--param"):
            name = next(words, None)
            if name is not None:
                value = None if "=" in name else next(words, None)
                joined.append(name if value is None else f"{name}={value}")
    return [*joined, *words]


def pairs(words: Iterable[str] | None, option: str, form: str = "NAME=VALUE") -> dict[str, str]:
    """Each NAME=VALUE; the last of a name counts. Raises InputError, which asks for `form`."""
    pairs = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise InputError(
                "{option} {word!r}: {form} is needed", option=option, word=word, form=form
            )
        pairs[name] = value
    return pairs
