"""Any order of changes, searches, reopenings and crashes, against a dict and numpy.

`python -m torture state_machine`: 10,000 steps drawn by Hypothesis. A crash is the folder as it is
on disk at that moment, opened elsewhere: nothing was closed, no log folded in.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kcsearch.collection import Collection
from kcsearch.types import Document
from kcsearch.upkeep.repairing import repair
from tests.doubles import HashEncoder

N_STEPS, N_STEPS_EACH = 10_000, 50
_WORDS = [
    "환불",
    "날씨",
    "배송",
    "여행",
    "학교",
    "병원",
    "영화",
    "김치",
    "기차",
    "서울은",
    "부산에서",
]
_TEXTS = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=15).map(" ".join)
_KEYS = st.integers(0, 30).map("k{}".format)
_ENCODER = HashEncoder()


class Life(RuleBasedStateMachine):
    """One collection; `model` holds what it must: texts by key, in the order of their rows."""

    folder: Path
    n_steps: Counter[str]

    @initialize()
    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.n_crashes = 0
        self.model: dict[str, str] = {}
        self.collection = Collection(self._path(), encoder=HashEncoder())

    @rule(documents=st.dictionaries(_KEYS, _TEXTS, min_size=1, max_size=8))
    def add(self, documents: dict[str, str]) -> None:
        self.n_steps["add or update"] += 1
        self.collection.add([Document(text, key) for key, text in documents.items()])
        for key, text in documents.items():
            if self.model.get(key) != text:  # a changed text is a new row, behind the others
                self.model.pop(key, None)
                self.model[key] = text

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.n_steps["delete"] += 1
        keys = data.draw(st.lists(st.sampled_from(sorted(self.model)), min_size=1, unique=True))
        assert self.collection.delete(keys) == len(keys)
        for key in keys:
            del self.model[key]

    @rule(query=_TEXTS, top_k=st.integers(1, 12))
    def search(self, query: str, top_k: int) -> None:
        """Dense: by numpy. A long query and a long text are their windows."""
        self.n_steps["search"] += 1
        rows = [(key, part) for key, text in self.model.items() for part in _ENCODER.split(text)]
        hits = self.collection.search(query, top_k, mode="dense")
        vector = _ENCODER.encode(_ENCODER.split(query), "query").mean(axis=0)
        vector /= np.linalg.norm(vector)
        cosines = (
            _ENCODER.encode([part for _, part in rows], "query") @ vector if rows else np.empty(0)
        )
        best = np.sort(cosines)[::-1][:top_k]
        np.testing.assert_allclose([hit.cosine for hit in hits], best, atol=1e-5)
        texts = dict(zip([f"{key} {part}" for key, part in rows], cosines, strict=True))
        for hit in hits:
            cosine = texts[f"{hit.key.partition('#')[0]} {hit.text}"]
            assert abs(cosine - hit.cosine) < 1e-5

    @rule(word=st.sampled_from(_WORDS))
    def search_words(self, word: str) -> None:
        self.n_steps["search by words"] += 1
        hits = self.collection.search(word[:2], 1000, mode="lexical")
        found = {hit.key.partition("#")[0] for hit in hits}
        assert found == {key for key, text in self.model.items() if word[:2] in text}

    @rule()
    def reopen(self) -> None:
        self.n_steps["reopen"] += 1
        self.collection.close()
        self.collection = Collection(self._path(), create=False, encoder=HashEncoder())

    @rule()
    def crash(self) -> None:
        self.n_steps["crash"] += 1
        before = self._path()
        self.n_crashes += 1
        shutil.copytree(before, self._path())
        self.collection.close()
        shutil.rmtree(before)
        self.collection = Collection(self._path(), create=False, encoder=HashEncoder())

    @rule(how=st.sampled_from(["rebuild", "optimize", "backup", "repair", "export"]))
    def maintain(self, how: str) -> None:
        self.n_steps["maintain"] += 1
        if how == "rebuild":
            self.collection.rebuild()
        elif how == "optimize":
            self.collection.optimize()
        elif how == "repair":
            repair(self._path(), encoder=HashEncoder())
        else:
            old, file = self._path(), self.folder / "rows.jsonl"
            self.n_crashes += 1
            if how == "backup":
                self.collection.backup(self._path())
            else:
                self.collection.export(file, vectors=True)
                with Collection(self._path(), encoder=HashEncoder()) as new:
                    new.import_(file)
            self.collection.close()
            shutil.rmtree(old)
            self.collection = Collection(self._path(), create=False, encoder=HashEncoder())

    @rule()
    def verify(self) -> None:
        self.n_steps["verify"] += 1
        assert [check for check in self.collection.verify() if check.n_wrong] == []

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        if hasattr(self, "collection"):
            texts: dict[str, str] = {}
            for document in self.collection.list():
                key = (document.key or "").partition("#")[0]
                texts[key] = texts.get(key, "") + document.text
            assert list(texts.items()) == list(self.model.items())

    def teardown(self) -> None:
        if hasattr(self, "collection"):
            self.collection.close()

    def _path(self) -> Path:
        return self.folder / f"c{self.n_crashes}"


def run(folder: Path, n_steps: int = N_STEPS) -> dict[str, Any]:
    """Raises at the first difference, with the steps that lead to it."""
    counts = Counter[str]()

    class Here(Life):
        pass

    Here.folder, Here.n_steps = folder / "life", counts
    while counts.total() < n_steps:
        examples = max(1, (n_steps - counts.total()) // N_STEPS_EACH)
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=examples,
                stateful_step_count=N_STEPS_EACH,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    return {"steps": counts.total(), "by kind": dict(counts), "problems": []}
