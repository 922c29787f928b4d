"""The command line: parse, call the library, print. Data goes to stdout, all else to stderr."""

from __future__ import annotations

import importlib
from copy import copy
from typing import Annotated

import typer

from kcsearch import __version__
from kcsearch.cli.messages import examples, say
from kcsearch.cli.printing import print_lines
from kcsearch.cli.usage import Command, Group

# The module of each command, in the order of the help page.
MODULES = {
    "index": "index_command",
    "query": "commands",
    "get": "commands",
    "list": "commands",
    "delete": "commands",
    "status": "commands",
    "eval": "eval_command",
    "export": "transfer_commands",
    "import": "transfer_commands",
    "verify": "maintenance_commands",
    "repair": "maintenance_commands",
    "rebuild": "maintenance_commands",
    "optimize": "maintenance_commands",
    "backup": "maintenance_commands",
    "tokenize": "model_commands",
    "embed": "model_commands",
    "serve": "serve_commands",
    "mcp": "serve_commands",
    "train": "train_command",
    "models": "model_commands",
}


def _print_version(asked: bool) -> None:
    if asked:
        print_lines([f"kcsearch {__version__}"])
        raise typer.Exit


def before_command(
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


def _named_only() -> None:
    """Stands for a command of which nothing but the name and the first line of help is asked."""


def make_app(word: str = "") -> typer.Typer:
    """The command called `word` alone, else all: to build all is a tenth of a cold query.

    For --help all by name: options, which take a fifth of its time, are on pages of their own.
    """
    app = typer.Typer(
        name="kcsearch",
        cls=Group,
        callback=before_command,
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
    for name in [word] if word in MODULES else MODULES:
        module = importlib.import_module(f"kcsearch.cli.{MODULES[name]}")
        if name == "models":
            app.add_typer(module.models_app, name=name)
            for command in module.models_app.registered_commands:
                command.cls = Command
            continue
        for registered in getattr(module, MODULES[name]).registered_commands:
            if (registered.name or registered.callback.__name__) != name:
                continue
            command = copy(registered)
            command.cls = Command
            if word in ("--help", "-h"):
                command.name, command.callback = name, _named_only
            app.registered_commands.append(command)
    return app
