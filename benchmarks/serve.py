"""How many queries a second does a server answer, and how long does each take?

    python benchmarks/serve.py                     100,000 documents, the bundled model
    python benchmarks/serve.py --n 20000 --seconds 5 --repeats 1

`kcsearch serve` against txtai's API over the same documents and vectors, each with the same encoder
(txtai loads what `kcsearch models export` writes), asked by wrk on the same machine: for some
seconds by so many clients, each of which asks its next query when it has the last one's answer. One
server is asked after the other in each of several rounds. txtai compares vectors, as `--mode dense`
does; hybrid, the default, also looks at words. `same`: how many of ten hits both give alike.

Needs wrk, and for the peer: pip install 'txtai[api]' sentence-transformers
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from cold_query import fill
from machine import ROOT, headline, machine, save
from sentences import sentences

from kcsearch import models
from kcsearch.model_export.sentence_transformers_folder import export

TOP_K = 10
CLIENTS = (1, 16)
_LUA = """
local requests, i = {}, 0
init = function()
%s
end
request = function()
  i = i %% #requests + 1
  return requests[i]
end
done = function(summary, latency)
  local wrong = summary.errors
  io.stderr:write(string.format(
    '{"requests": %%d, "seconds": %%.6f, "errors": %%d, "p50_ms": %%.3f, "p99_ms": %%.3f}\\n',
    summary.requests, summary.duration / 1e6,
    wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Target:
    """A server's way to be asked: an address, and for each query its path and its body."""

    address: str
    paths: Sequence[str]
    bodies: Sequence[str | None]

    def ask(self, number: int) -> Any:
        body = self.bodies[number]
        request = urllib.request.Request(
            self.address + self.paths[number],
            None if body is None else body.encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def as_lua(self) -> str:
        """A wrk script that asks the queries over and over."""
        calls = []
        for path, body in zip(self.paths, self.bodies, strict=True):
            if body is None:
                given = f'"GET", "{path}", {{}}, nil'
            else:
                given = f'"POST", "{path}", {{["Content-Type"]="application/json"}}, [==[{body}]==]'
            calls.append(f"  requests[#requests + 1] = wrk.format({given})")
        return _LUA % "\n".join(calls)


def ours(address: str, queries: Sequence[str], mode: str) -> Target:
    asked = [{"query": query, "top_k": TOP_K, "mode": mode} for query in queries]
    bodies = [json.dumps(one, ensure_ascii=False) for one in asked]
    return Target(address, ["/query"] * len(queries), bodies)


def txtais(address: str, queries: Sequence[str]) -> Target:
    paths = [f"/search?query={quote(query)}&limit={TOP_K}" for query in queries]
    return Target(address, paths, [None] * len(queries))


def fill_txtai(model: Path, work: Path) -> None:
    """txtai's own index of the same texts and stored vectors; queries go through `model`."""
    from txtai import Embeddings

    vectors = np.load(work / "vectors.npy")
    texts = (work / "texts.txt").read_text(encoding="utf-8").splitlines()
    place = {text: i for i, text in enumerate(texts)}
    stored = {"method": "external", "transform": lambda b: np.stack([vectors[place[t]] for t in b])}
    embeddings = Embeddings({"format": "json", "content": True, "backend": "faiss", **stored})
    embeddings.index((i, text, None) for i, text in enumerate(texts))
    embeddings.config.pop("transform")
    embeddings.config |= {"path": str(model), "method": "sentence-transformers"}
    embeddings.save(str(work / "txtai"))
    (work / "txtai.yml").write_text(f"path: {work}/txtai\nwritable: false\nembeddings:\n")


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """A server, and the address that its first lines tell."""
    with log.open("w") as file:
        process = subprocess.Popen(command, env=dict(environment), stdout=file, stderr=file)
    try:
        for _ in range(600):
            told = re.search(r"https?://[\d.]+:\d+", log.read_text(encoding="utf-8"))
            if told or process.poll() is not None:
                break
            time.sleep(0.2)
        else:
            told = None
        if told is None:
            raise SystemExit(f"{command[0]} does not start:\n{log.read_text(encoding='utf-8')}")
        yield told[0]
    finally:
        process.terminate()
        process.wait(timeout=30)


def load(target: Target, n_clients: int, seconds: int, work: Path) -> dict[str, float]:
    """What wrk measured: requests, seconds, errors, p50_ms, p99_ms."""
    script = work / "queries.lua"
    script.write_text(target.as_lua(), encoding="utf-8")
    command = ["wrk", "--threads", "1", "--connections", str(n_clients), "--timeout", "60s"]
    command += ["--duration", f"{seconds}s", "--script", str(script), target.address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return found


def shared_hits(first: Target, second: Target, n: int) -> float:
    """How many of TOP_K texts two servers give alike, on average."""
    same = []
    for number in range(n):
        hits = {hit["text"] for hit in first.ask(number)["answers"][0]["hits"]}
        same.append(len(hits & {hit["text"] for hit in second.ask(number)}))
    return statistics.mean(same)


def measure(n: int, seconds: int, n_repeats: int) -> dict[str, Any]:
    report: dict[str, Any] = {"machine": machine("fastapi", "txtai", "uvicorn"), "n_documents": n}
    lines = (ROOT / "data/everyday.queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line)["text"] for line in lines]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        work = Path(name)
        fill(models.resolve(), sentences(n), work, is_random=False)
        serve = [sys.executable, "-m", "kcsearch", "serve", "--port", "0"]
        serve += ["-c", str(work / "collection")]
        address = servers.enter_context(running(serve, environment, work / "kcsearch.log"))
        targets = {f"kcsearch, {m}": ours(address, queries, m) for m in ("dense", "hybrid")}
        if all(importlib.util.find_spec(name) for name in ("txtai", "fastapi_mcp")):
            export(models.resolve(), work / "model")
            fill_txtai(work / "model", work)
            api = [sys.executable, "-m", "uvicorn", "txtai.api:app", "--port", "0"]
            environment["CONFIG"] = str(work / "txtai.yml")
            address = servers.enter_context(running(api, environment, work / "txtai.log"))
            targets["txtai"] = txtais(address, queries)
            report["same"] = shared_hits(targets["kcsearch, dense"], targets["txtai"], len(queries))
        runs: list[dict[str, Any]] = []
        for target in targets.values():
            load(target, 1, 2, work)  # warms, and does not count
        for _ in range(n_repeats):
            for n_clients in CLIENTS:
                for server, target in targets.items():
                    found = load(target, n_clients, seconds, work)
                    runs.append({"server": server, "clients": n_clients, **found})
    report["runs"] = runs
    report["medians"] = [
        {"server": server, "clients": n_clients, **_median(runs, server, n_clients)}
        for n_clients in CLIENTS
        for server in targets
    ]
    return report


def _median(runs: Sequence[Mapping[str, Any]], server: str, n_clients: int) -> dict[str, float]:
    chosen = [r for r in runs if (r["server"], r["clients"]) == (server, n_clients)]
    return {
        "per_second": statistics.median(r["requests"] / r["seconds"] for r in chosen),
        "p50_ms": statistics.median(r["p50_ms"] for r in chosen),
        "p99_ms": statistics.median(r["p99_ms"] for r in chosen),
        "errors": sum(r["errors"] for r in chosen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=100_000, help="documents")
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    report = measure(options.n, options.seconds, options.repeats)
    print(headline(report["machine"]))
    print(f"{options.n:,} documents, median of {options.repeats} x {options.seconds} s")
    print(f"same of {TOP_K}: {report.get('same')}")
    for row in report["medians"]:
        print(
            f"{row['server']:18} {row['clients']:3} clients {row['per_second']:8.1f}/s  "
            f"median {row['p50_ms']:7.1f} ms  99 % {row['p99_ms']:7.1f} ms  {row['errors']} errors"
        )
    print(save("serve", report))


if __name__ == "__main__":
    main()
