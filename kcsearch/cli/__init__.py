"""The command line: parse, call the library, print. Data goes to stdout, all else to stderr."""

from __future__ import annotations

from typing import Annotated

import typer

from kcsearch import __version__
from kcsearch.cli.commands import commands
from kcsearch.cli.messages import say
from kcsearch.cli.model_commands import add_to as add_model_commands

app = typer.Typer(
    name="kcsearch",
    help=say(
        "Search Korean text by meaning, on this machine.\n\n"
        "kcsearch index FILE embeds every line; kcsearch query TEXT finds the nearest ones."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would double the time that --help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
app.registered_commands += commands.registered_commands
add_model_commands(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kcsearch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help=say("Print the version."), callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options before the command."""
