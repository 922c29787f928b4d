"""Runs an MCP session with the SDK's own client and writes it down, as docs/mcp-session.md.

`python -m tools.mcp_session --write` changes the page; a test compares. The client starts
`kcsearch mcp` over pipes, as an assistant does, on a collection of data/everyday.jsonl.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from tools.readme import comparable

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/mcp-session.md"
N_SHOWN = 3  # of the ten that `search` gives

_HEAD = """# A session over the Model Context Protocol

Written by `python -m tools.mcp_session --write`: the client of the SDK starts
`kcsearch mcp -c notes`, whose collection holds `data/everyday.jsonl`, and asks it. Above each block
is what the client calls; in it is what it gets: of an answer the structured content, since its text
says the same.
"""
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("search", {"query": "예금은 얼마까지 보호되나요"}),
    ("fetch", {"id": "bank-06"}),
    ("query", {"query": "비가 오나요", "top_k": 2, "filters": {"topic": "날씨"}}),
    ("fetch", {"id": "bank-99"}),
    ("query", {"query": "비가 오나요", "mode": "fuzzy"}),
]


async def session(folder: Path) -> str:
    """The page, by asking the collection `notes` in `folder`."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "kcsearch", "mcp", "-c", "notes"],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    parts = [_HEAD.rstrip()]
    async with Client(server) as client:
        info = client.server_info
        assert info is not None
        hello = {"name": info.name, "version": info.version, "instructions": client.instructions}
        parts.append(_block("initialize", {"protocol": client.protocol_version, **hello}))
        tools = (await client.list_tools()).tools
        shown = {tool.name: {"description": tool.description, **_asked(tool)} for tool in tools}
        parts.append(_block("tools/list", shown))
        for name, arguments in CALLS:
            answer = await client.call_tool(name, arguments)
            if answer.is_error:
                got: Any = {"is_error": True, "text": answer.content[0].text.split("\n")}
            else:
                got = _shortened(answer.structured_content)
            parts.append(_block(f"tools/call {name} {_json(arguments)}", got))
    return "\n".join(parts)


def _asked(tool: Any) -> dict[str, Any]:
    """Its arguments: which it needs, and what each is."""
    schema = tool.input_schema
    arguments = {name: one.get("description") for name, one in schema["properties"].items()}
    return {"needs": schema.get("required", []), "arguments": arguments}


def _shortened(content: dict[str, Any]) -> dict[str, Any]:
    results = content.get("results", [])
    left = len(results) - N_SHOWN
    if left <= 0:
        return content
    return {**content, "results": [*results[:N_SHOWN], f"… and {left} more"]}


def _block(title: str, content: Any) -> str:
    return f"\n## `{title}`\n\n```json\n{json.dumps(content, ensure_ascii=False, indent=2)}\n```"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def written() -> str:
    """The page as it is now."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "data").mkdir()
        shutil.copy(ROOT / "data/everyday.jsonl", Path(name) / "data")
        command = [sys.executable, "-m", "kcsearch", "index", "data", "-c", "notes"]
        subprocess.run(command, cwd=name, check=True, capture_output=True)
        return asyncio.run(session(Path(name))) + "\n"


def main() -> None:
    page = written()
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page, encoding="utf-8")
    elif comparable(page) != comparable(PAGE.read_text(encoding="utf-8")):
        sys.exit("docs/mcp-session.md is another session: python -m tools.mcp_session --write")


if __name__ == "__main__":
    main()
