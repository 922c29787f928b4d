"""The command line: parse, call the library, print. Data goes to stdout, all else to stderr."""

from __future__ import annotations

from typing import Annotated

import typer

from kcsearch import __version__
from kcsearch.cli.commands import commands
from kcsearch.cli.eval_command import eval_command
from kcsearch.cli.index_command import index_command
from kcsearch.cli.maintenance_commands import maintenance_commands
from kcsearch.cli.messages import examples, say
from kcsearch.cli.model_commands import model_commands, models_app
from kcsearch.cli.serve_commands import serve_commands
from kcsearch.cli.train_command import train_command
from kcsearch.cli.transfer_commands import transfer_commands
from kcsearch.cli.usage import Command, Group

app = typer.Typer(
    name="kcsearch",
    cls=Group,
    help=say(
        "Search Korean text by meaning, on this machine.\n\n"
        "`index` embeds every line of your files, `query` finds the nearest ones."
    )
    + examples("kcsearch index docs.txt", 'kcsearch query "돈을 언제 돌려받나요"'),
    invoke_without_command=True,
    rich_markup_mode=None,  # rich would double the time that --help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
for group in (
    index_command,
    commands,
    eval_command,
    transfer_commands,
    maintenance_commands,
    model_commands,
    serve_commands,
    train_command,
):
    app.registered_commands += group.registered_commands
app.add_typer(models_app, name="models")
for command in (*app.registered_commands, *models_app.registered_commands):
    command.cls = Command


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kcsearch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help=say("Print the version."), callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options before the command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)
