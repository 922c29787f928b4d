"""The HTTP server: what it answers, whom it refuses, and that its schema tells the truth."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import HashEncoder
from running import command, environment

from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.types import Document, Role

pytest.importorskip("fastapi", reason="needs kcsearch[serve]")
pytest.importorskip("uvicorn", reason="needs kcsearch[serve]")
pytest.importorskip("httpx", reason="needs httpx")

import uvicorn
from starlette.testclient import TestClient

from kcsearch.server.app import PAGE, create_app
from kcsearch.server.guard import Rules, name_of, rules
from kcsearch.server.running import serve

HERE = "http://127.0.0.1:8765"
TOKEN = "0123456789abcdef"
LINES = {
    "a/1": "환불은 사흘 안에 처리됩니다.",
    "b?#": "내일은 비가 옵니다.",
    "c": "오늘은 눈이 옵니다.",
}


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "notes", encoder=HashEncoder()) as notes:
        notes.add(
            Document(text, key, "말.txt", line, {"line": line})
            for line, (key, text) in enumerate(LINES.items(), 1)
        )
        yield notes


@pytest.fixture
def client(notes: Collection) -> TestClient:
    return TestClient(create_app(notes), HERE)


@pytest.fixture
def writer(notes: Collection) -> TestClient:
    app = create_app(notes, rules=Rules(token=TOKEN), writable=True)
    return TestClient(app, HERE, headers={"Authorization": f"Bearer {TOKEN}"})


def keys(answer: dict) -> list[list[str]]:
    return [[hit["key"] for hit in found["hits"]] for found in answer["answers"]]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_query_is_answered_as_the_collection_answers_it(
    mode: str, client: TestClient, notes: Collection
) -> None:
    asked = {"query": "내일 비가 오나요", "top_k": 2, "mode": mode}
    (found,) = client.post("/query", json=asked).json()["answers"]
    hits = notes.search("내일 비가 오나요", 2, mode=mode)
    matched = [list(hit.explanation.matched) if hit.explanation else [] for hit in hits]
    expected = [{**hit.as_dict(), "matched": m} for hit, m in zip(hits, matched, strict=True)]
    assert found["query"] == "내일 비가 오나요"
    assert [{"percentile": None, **hit} for hit in expected] == found["hits"]


def test_several_queries_and_filters(client: TestClient) -> None:
    asked = {"query": ["내일 비", "환불은"], "top_k": 1, "mode": "dense"}
    assert keys(client.post("/query", json=asked).json()) == [["b?#"], ["a/1"]]
    asked["filters"] = {"line": "3"}
    assert keys(client.post("/query", json=asked).json()) == [["c"], ["c"]]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"query": ""},
        {"query": " \n"},
        {"query": "가" * 4001},
        {"query": []},
        {"query": ["가"] * 33},
        {"query": "가", "top_k": 0},
        {"query": "가", "top_k": 1001},
        {"query": "가", "mode": "fuzzy"},
        {"query": "가", "where": "1"},
        {"query": "가", "model": "kcbert"},
        {"query": "가", "filters": {str(i): "x" for i in range(21)}},
        {"query": "가", "filters": {"line": 3}},
    ],
)
def test_what_breaks_the_limits_is_refused_in_words(asked: dict, client: TestClient) -> None:
    answer = client.post("/query", json=asked)
    assert answer.status_code == 422
    assert answer.json()["error"]["kind"] == "Request"
    assert len(answer.json()["error"]["message"]) > 10


def test_half_a_surrogate_pair_is_refused(client: TestClient) -> None:
    answer = client.post("/query", content=b'{"query": "\\ud800"}', headers=JSON)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Request")


JSON = {"Content-Type": "application/json"}


def test_documents_come_by_key_whatever_it_holds(client: TestClient, notes: Collection) -> None:
    for key, name in (("a/1", "a/1"), ("b?#", "b%3F%23"), ("c", "c")):
        document = notes.get(key)
        assert client.get(f"/documents/{name}").json() == {
            "key": key,
            "text": document.text,
            "source": "말.txt",
            "line": document.line,
            "metadata": {"line": document.line},
        }
    missing = client.get("/documents/없음")
    assert (missing.status_code, missing.json()) == (
        404,
        {"error": {"kind": "DocumentNotFoundError", "message": "no document has the key '없음'"}},
    )


def test_another_method_is_told_all_that_there_are(client: TestClient, writer: TestClient) -> None:
    for asker, methods in ((client, "GET"), (writer, "DELETE, GET")):
        answer = asker.options("/documents/c")
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    assert client.get("/query").headers["allow"] == "POST"


def test_neighbours_of_a_document(client: TestClient, notes: Collection) -> None:
    asked = {"key": "b?#", "top_k": 2}
    expected = [hit.key for hit in notes.similar("b?#", 2)]
    assert keys(client.post("/similar", json=asked).json()) == [expected]
    assert client.post("/similar", json={"key": "없음"}).status_code == 404


def test_the_map_and_the_places_on_it(client: TestClient, notes: Collection) -> None:
    drawn = client.get("/map").json()
    assert drawn["n_documents"] == 3
    assert {point["key"]: point["text"] for point in drawn["points"]} == LINES
    asked = {"query": LINES["c"], "keys": ["c", "a/1", "없음"]}
    places = client.post("/places", json=asked).json()
    assert places["id"] == drawn["id"]
    points = {point.pop("key"): point for point in places["documents"]}
    assert list(points) == ["c", "a/1"]
    assert places["query"] == pytest.approx(points["c"], abs=1e-5)
    assert client.post("/places", json={}).json()["query"] is None
    assert client.post("/places", json={"keys": ["c"] * 101}).status_code == 422
    notes.delete(["c"])
    assert client.post("/places", json={}).json()["id"] != drawn["id"]


def test_the_status_names_no_path(client: TestClient, notes: Collection) -> None:
    assert client.get("/status").json() == {
        "name": "notes",
        "n_documents": 3,
        "n_sources": 1,
        "model": "hashed bigrams 1",
        "dim": 64,
        "index": "exact",
        "writable": False,
    }
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_commit_of_somebody_else_is_found(client: TestClient, notes: Collection) -> None:
    with Collection(notes.path, encoder=HashEncoder()) as other:
        other.add([Document("고양이가 잡니다.", "d")])
    asked = {"query": "고양이가 잡니다", "top_k": 1}
    assert keys(client.post("/query", json=asked).json()) == [["d"]]


def test_many_at_once_get_their_own_answers(client: TestClient) -> None:
    wanted = [(text, key) for key, text in LINES.items()] * 20

    def first(text: str) -> str:
        return keys(client.post("/query", json={"query": text, "top_k": 1}).json())[0][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(first, [text for text, _ in wanted])) == [key for _, key in wanted]


def test_who_waits_too_long_hears_so(tmp_path: Path) -> None:
    class Slow(HashEncoder):
        def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
            time.sleep(0.3 if role == "query" else 0)
            return super().encode(texts, role)

    with Collection(tmp_path / "slow", encoder=Slow()) as slow:
        slow.add(["가나다"])
        client = TestClient(create_app(slow, seconds=0.1), HERE)
        answer = client.post("/query", json={"query": "가나다"})
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            503,
            "no answer within 0.1 s; try again",
        )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8765"}, 200),
        ({"Host": "[::1]:8765"}, 200),
        ({"Host": "attacker.example"}, 421),
        ({"Host": "127.0.0.1.attacker.example:8765"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://127.0.0.1:8765"}, 200),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_may_not_ask(
    headers: dict[str, str], status: int, client: TestClient
) -> None:
    assert client.get("/status", headers=headers).status_code == status


def test_a_token_guards_everything_but_the_page(notes: Collection) -> None:
    client = TestClient(create_app(notes, rules=Rules(token=TOKEN)), HERE)
    for authorization in (
        "",
        TOKEN,
        "Bearer",
        "Bearer 0123456789abcdeX",
        f"Basic {TOKEN}",
        "Bearer 토큰",
    ):
        headers = {"Authorization": authorization.encode()}
        answer = client.get("/status", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert client.post("/query", json={"query": "비"}, headers=headers).status_code == 401
    assert client.get("/status", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for path in ("/", "/page/page.js", "/page/page.css", "/docs", "/healthz", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_a_body_over_the_limit_is_refused_however_it_comes(notes: Collection) -> None:
    client = TestClient(create_app(notes, rules=Rules(max_bytes=1000)), HERE)
    big = b'{"query": "' + b"a" * 1000 + b'"}'
    for content in (big, iter([big[:500], big[500:]])):
        answer = client.post("/query", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            413,
            "a request's body has at most 1,000 bytes",
        )


def test_a_server_that_is_not_writable_has_no_way_to_write(client: TestClient) -> None:
    assert client.post("/documents", json={"documents": [{"text": "가"}]}).status_code == 405
    assert client.delete("/documents/c").status_code == 405
    assert [
        path
        for path, verbs in client.get("/openapi.json").json()["paths"].items()
        if "delete" in verbs
    ] == []


def test_who_has_the_token_may_write(writer: TestClient, notes: Collection) -> None:
    new = {"text": "고양이가 잡니다.", "key": "d", "metadata": {"topic": "고양이"}}
    report = {"n_read": 2, "n_unchanged": 0, "n_added": 2, "n_changed": 0, "n_embedded": 2}
    answer = writer.post("/documents", json={"documents": [new, {"text": "개가 짖습니다."}]})
    assert answer.json() == report
    assert notes.get("d") == Document("고양이가 잡니다.", "d", metadata={"topic": "고양이"})
    assert writer.delete("/documents/a/1").json() == {"n_removed": 1}
    assert writer.delete("/documents/a/1").status_code == 404
    assert notes.count() == 4
    twice = writer.post("/documents", json={"documents": [new, new]})
    assert (twice.status_code, twice.json()["error"]["kind"]) == (409, "Request")
    without = writer.post("/documents", json={"documents": [new]}, headers={"Authorization": ""})
    assert without.status_code == 401


def _nested(levels: int) -> dict[str, Any]:
    """Metadata with as many levels of values within it, the last of them an empty list."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (json.dumps(_nested(65)), "metadata is nested deeper than 64 levels"),
        (json.dumps(_nested(300)), "metadata is nested deeper than 64 levels"),
        ('{"a": NaN}', "metadata must be JSON values: "),
        ('{"a": "\\ud800"}', "metadata holds half of a surrogate pair (no character)"),
    ],
)
def test_metadata_that_nothing_could_give_back_is_not_taken(
    metadata: str, words: str, writer: TestClient, notes: Collection
) -> None:
    body = (
        f'{{"documents": [{{"text": "가", "key": "k"}}, {{"text": "나", "metadata": {metadata}}}]}}'
    )
    answer = writer.post("/documents", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "InputError")
    assert answer.json()["error"]["message"].startswith(words)
    assert writer.get("/documents/k").status_code == 404  # none of them


def test_the_deepest_metadata_that_is_taken_comes_back(
    writer: TestClient, notes: Collection, tmp_path: Path
) -> None:
    new = {"text": "깊은 메타데이터", "key": "deep", "metadata": _nested(64)}
    assert writer.post("/documents", json={"documents": [new]}).status_code == 200
    assert writer.get("/documents/deep").json()["metadata"] == _nested(64)
    assert writer.post("/similar", json={"key": "deep"}).status_code == 200
    answers = writer.post("/query", json={"query": "깊은 메타데이터"}).json()["answers"]
    assert _nested(64) in [hit["metadata"] for hit in answers[0]["hits"]]
    for vectors in (False, True):
        notes.export(tmp_path / "all.jsonl", vectors=vectors)
        assert notes.import_(tmp_path / "all.jsonl").n_read == notes.count()


def test_the_page_needs_nothing_from_elsewhere_and_builds_no_markup_from_text(
    client: TestClient,
) -> None:
    page = client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text + client.get("/docs").text)
    assert sorted(set(linked)) == [
        "/openapi.json",
        "/page/docs.js",
        "/page/icon.svg",
        "/page/page.css",
        "/page/page.js",
    ]
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8")
        text = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert re.findall(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|eval\(", text) == []
    assert client.get("/page/../app.py").status_code == 404
    assert client.get("/page/index.html").status_code == 404


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0 can be reached from other machines: set a token"),
        ({"host": "192.0.2.1"}, "can be reached from other machines"),
        ({"writable": True}, "--writable needs a token"),
        ({"token": "short"}, "at least 16 ASCII characters"),
        ({"token": "0123456789 abcdef"}, "at least 16 ASCII characters"),
    ],
)
def test_what_would_be_open_to_all_does_not_start(
    options: dict, message: str, notes: Collection
) -> None:
    with pytest.raises(InputError, match=message):
        serve(notes, **options)


def test_a_port_in_use_is_told_in_words(notes: Collection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"):
            serve(notes, port=port)


def test_an_answer_does_not_wait_for_an_acknowledgement(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the accepted connection says, which inherits the option."""
    found = []

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        with socket.create_connection(sockets[0].getsockname()), sockets[0].accept()[0] as peer:
            found.append(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(uvicorn.Server, "run", run)
    serve(notes, port=0)
    assert found == [1]


def test_which_hosts_are_answered() -> None:
    loopback = {"127.0.0.1", "localhost", "::1"}
    assert rules("localhost", None).hosts == loopback
    assert rules("127.0.0.1", None, ["Notes.local"]).hosts == loopback | {"notes.local"}
    assert rules("0.0.0.0", TOKEN).hosts is None
    assert rules("0.0.0.0", TOKEN, ["notes.local"]).hosts == {"notes.local", "0.0.0.0"}
    assert [name_of(host) for host in ("a:b:1", "[::1", "a:")] == ["a:b:1", "::1", "a:"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_interrupted(number: int, tmp_path: Path) -> None:
    import httpx

    with Collection(tmp_path / "notes") as notes:
        notes.add(list(LINES.values()))
    running = subprocess.Popen(
        command("serve", "-c", "notes", "--port", "0"),
        cwd=tmp_path,
        env=environment(OTEL_SDK_DISABLED="true"),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        line = running.stderr.readline()
        found = re.search(
            r"^Serving .*/notes at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)$", line
        )
        assert found, line
        answer = httpx.post(
            f"{found[1]}query", json={"query": "비가 오나요", "top_k": 1}, timeout=60
        )
        assert answer.json()["answers"][0]["hits"][0]["text"] == LINES["b?#"]
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
        assert (running.returncode, out, err) == (0, "", "")
    finally:
        running.kill()
        running.wait()
