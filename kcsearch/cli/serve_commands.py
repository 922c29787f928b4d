"""The commands that answer other programs: serve and mcp."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from kcsearch.cli.messages import examples, say
from kcsearch.cli.opening import existing, open_collection
from kcsearch.cli.options import CollectionOption
from kcsearch.cli.printing import tell

HostOption = Annotated[str, typer.Option(metavar="NAME", help=say("The address to listen at."))]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=say("Another name that the server answers to; repeatable."),
        show_default=False,
    ),
]

serve_commands = typer.Typer()


@serve_commands.command(
    help=say(
        "Serve a collection over HTTP, with a page to search it.\n\n"
        "Who must send a token is told it in the variable KCSEARCH_TOKEN; without one the server "
        "listens on this machine alone."
    )
    + examples("kcsearch serve", "KCSEARCH_TOKEN=… kcsearch serve --host 0.0.0.0 --writable")
)
def serve(
    collection: CollectionOption = None,
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help=say("The port; 0 for any that is free.")),
    ] = 8765,
    allow_host: AllowHostOption = None,
    writable: Annotated[
        bool, typer.Option("--writable", help=say("Let those with the token add and delete."))
    ] = False,
) -> None:
    from kcsearch.server.running import serve as run

    with open_collection(existing(collection)) as opened:
        run(
            opened,
            host=host,
            port=port,
            token=_token(),
            allowed_hosts=allow_host or (),
            writable=writable,
            on_start=lambda url: tell(
                say("Serving {path} at {url} (Ctrl-C ends it)"), path=opened.path, url=url
            ),
        )


@serve_commands.command(
    help=say(
        "Serve a collection to assistants by the Model Context Protocol.\n\n"
        "Over standard input and output, as assistants start it, or over HTTP."
    )
    + examples("kcsearch mcp --collection ~/notes/.kcsearch", "kcsearch mcp --http")
)
def mcp(
    collection: CollectionOption = None,
    http: Annotated[
        bool, typer.Option("--http", help=say("Over HTTP, at http://HOST:PORT/mcp."))
    ] = False,
    host: HostOption = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help=say("The port; 0 for any that is free.")),
    ] = 8766,
    allow_host: AllowHostOption = None,
) -> None:
    from kcsearch.mcp import serve_http, serve_stdio

    with open_collection(existing(collection)) as opened:
        if not http:
            serve_stdio(opened)
            return
        serve_http(
            opened,
            host=host,
            port=port,
            token=_token(),
            allowed_hosts=allow_host or (),
            on_start=lambda url: tell(
                say("Serving {path} at {url} (Ctrl-C ends it)"), path=opened.path, url=url
            ),
        )


def _token() -> str | None:
    return os.environ.get("KCSEARCH_TOKEN") or None
