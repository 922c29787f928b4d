"""The MCP server, asked by the SDK's own client: in this process, over pipes, over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import HashEncoder
from running import command, environment

from kcsearch.collection import Collection
from kcsearch.types import Document

pytest.importorskip("mcp", reason="needs kcsearch[mcp]")

from mcp import Client, StdioServerParameters

from kcsearch.mcp import create_server

pytestmark = pytest.mark.anyio  # for the tests that are coroutines
TEXTS = {
    "a/1": "환불은 사흘 안에 처리됩니다.",
    "b": "내일은 비가 옵니다.",
    "c": "오늘은 눈이 옵니다.",
}
LONG = "아주 긴 제목이 있는 글입니다. " * 4 + "그 뒤에도 글이 이어집니다.\n둘째 줄"


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "notes", encoder=HashEncoder(limit=200)) as notes:
        notes.add(
            Document(text, key, "말.txt", line, {"topic": key})
            for line, (key, text) in enumerate(TEXTS.items(), 1)
        )
        yield notes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with the bundled model, for servers in a process of their own."""
    with Collection(tmp_path / "notes") as notes:
        notes.add([Document(text, key) for key, text in TEXTS.items()])
    return tmp_path


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert json.loads(answer.content[0].text) == answer.structured_content
    return answer.structured_content


async def test_search_gives_ids_for_fetch(notes: Collection) -> None:
    notes.add([Document(LONG, "길다")])
    async with Client(create_server(notes)) as client:
        found = (await call(client, "search", query="내일 비가 오나요"))["results"]
        expected = [hit.key for hit in notes.search("내일 비가 오나요", 10)]
        assert [result["id"] for result in found] == expected
        assert found[0] == {"id": "b", "title": TEXTS["b"], "url": "kcsearch:b"}
        assert await call(client, "fetch", id="a/1") == {
            "id": "a/1",
            "title": TEXTS["a/1"],
            "text": TEXTS["a/1"],
            "url": "kcsearch:a/1",
            "metadata": {"source": "말.txt", "line": 1, "topic": "a/1"},
        }
        long = await call(client, "fetch", id="길다")
        assert (long["text"], long["metadata"]) == (LONG, {})
        assert long["title"] == LONG[:59] + "…"


async def test_query_takes_the_options_of_the_collection(notes: Collection) -> None:
    options = {"top_k": 1, "mode": "dense", "filters": {"topic": "c"}}
    async with Client(create_server(notes)) as client:
        (found,) = (await call(client, "query", query="환불은", **options))["hits"]
    (hit,) = notes.search("환불은", 1, mode="dense", filters={"topic": "c"})
    assert found == {
        "id": "c",
        "text": TEXTS["c"],
        "cosine": hit.cosine,
        "percentile": hit.percentile,
        "source": "말.txt",
        "line": 3,
        "metadata": {"topic": "c"},
    }


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("fetch", {"id": "없음"}, "no document has the key '없음'"),
        ("search", {"query": " "}, "the query is empty"),
        ("query", {"query": "비", "top_k": 0}, "top_k"),
        ("query", {"query": "비", "top_k": 101}, "top_k"),
        ("query", {"query": "비", "mode": "fuzzy"}, "mode"),
        ("query", {"query": "비" * 4001}, "query"),
    ],
)
async def test_what_cannot_be_done_is_told(
    tool: str, arguments: dict[str, Any], message: str, notes: Collection
) -> None:
    async with Client(create_server(notes)) as client:
        answer = await client.call_tool(tool, arguments)
        assert answer.is_error
        assert message in answer.content[0].text


async def test_the_tools_only_read_and_name_no_path_and_no_model(notes: Collection) -> None:
    async with Client(create_server(notes)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {name: sorted(tool.input_schema["properties"]) for name, tool in tools.items()} == {
        "search": ["query"],
        "fetch": ["id"],
        "query": ["filters", "mode", "query", "top_k"],
    }
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert all(tool.output_schema for tool in tools.values())


async def test_over_pipes_as_assistants_start_it(folder: Path) -> None:
    _, *arguments = command("mcp", "-c", str(folder / "notes"))
    env = {**environment(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    server = StdioServerParameters(command=sys.executable, args=arguments, env=env)
    async with Client(server) as client:
        found = (await call(client, "search", query="비가 오나요"))["results"]
        assert found[0]["id"] == "b"
        with Collection(folder / "notes") as other:  # another process's commit
            other.add([Document("고양이가 소파에서 잡니다.", "d")])
        hits = (await call(client, "query", query="고양이가 자요", top_k=1))["hits"]
        assert [hit["id"] for hit in hits] == ["d"]


def test_it_ends_with_its_input_and_prints_nothing_but_protocol(folder: Path) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    done = subprocess.run(
        command("mcp", "-c", "notes"),
        cwd=folder,
        env=environment(),
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["id"], answer["result"]["serverInfo"]["name"]) for answer in answers] == [
        (1, "kcsearch")
    ]


async def test_over_http_with_a_token(folder: Path) -> None:
    httpx = pytest.importorskip("httpx")
    token = "0123456789abcdef"
    running = subprocess.Popen(
        command("mcp", "-c", "notes", "--http", "--port", "0"),
        cwd=folder,
        env=environment(KCSEARCH_TOKEN=token),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        address = re.search("http://[^ ]+", running.stderr.readline())
        assert address
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"Accept": "application/json, text/event-stream"}
        assert httpx.post(address[0], json=call, headers=headers).status_code == 401
        headers["Authorization"] = f"Bearer {token}"
        foreign = {**headers, "Origin": "https://attacker.example"}
        assert httpx.post(address[0], json=call, headers=foreign).status_code == 403
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}}
        hello["clientInfo"] = {"name": "test", "version": "1"}
        call = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        answer = httpx.post(address[0], json=call, headers=headers)
        assert answer.status_code == 200
        assert '"name":"kcsearch"' in answer.text.replace(" ", "")
    finally:
        running.kill()
        running.wait()


async def test_over_http_by_the_clients_own_transport(folder: Path) -> None:
    running = subprocess.Popen(
        command("mcp", "-c", "notes", "--http", "--port", "0"),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        address = re.search("http://[^ ]+", running.stderr.readline())
        assert address
        async with Client(address[0]) as client:
            assert (await call(client, "search", query="눈이 와요"))["results"][0]["id"] == "c"
    finally:
        running.kill()
        running.wait()
