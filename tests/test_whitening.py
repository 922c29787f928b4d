"""Whitening against numpy's eigenvectors, and a collection that is searched through it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from doubles import HashEncoder
from running import DATA, kcsearch

from kcsearch import Collection, Document, InputError
from kcsearch.whitening import SETTING, Whitening, whitening_id, whitening_of

SUBJECTS = ("서울 날씨", "환불 신청", "지하철 노선")
TEXTS = [f"{one} {n}번 {verb}" for n in range(12) for one in SUBJECTS for verb in ("본다", "없다")]


class BunchedEncoder(HashEncoder):
    """All vectors within a narrow cone, as those of a masked language model."""

    def fingerprint(self) -> Mapping[str, str]:
        return {"name": "bunched"}

    def encode(self, texts: Sequence[str], role: str = "passage") -> np.ndarray:
        rows = super().encode(texts) + 4 / np.sqrt(self.dim)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def correlated(n: int = 500, d: int = 8) -> np.ndarray:
    random = np.random.default_rng(0)
    rows = random.standard_normal((n, d)) @ random.standard_normal((d, d)) + 3
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def collection(path: Path) -> Collection:
    made = Collection(path, encoder=BunchedEncoder())
    made.add(Document(text, key=str(i)) for i, text in enumerate(TEXTS))
    return made


def test_whitened_numbers_are_uncorrelated_with_equal_spread() -> None:
    rows = correlated()
    fitted = Whitening.fit(rows, 5)
    spread = rows @ fitted.matrix + fitted.offset
    np.testing.assert_allclose(spread.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(spread.T @ spread, np.eye(5), atol=0.02)  # FAISS takes the sum


def test_the_directions_are_those_of_the_largest_eigenvalues() -> None:
    rows = correlated()
    fitted = Whitening.fit(rows, 3)
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    expected = (rows - rows.mean(axis=0)) @ (vectors[:, ::-1] / np.sqrt(values[::-1]))[:, :3]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = fitted.apply(rows)
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_whitening_survives_its_setting() -> None:
    fitted = Whitening.fit(correlated(), 4)
    settings = {SETTING: json.loads(json.dumps(fitted.as_json()))}
    again = whitening_of(settings)
    assert again is not None
    np.testing.assert_array_equal(again.apply(correlated(9)), fitted.apply(correlated(9)))
    assert (again.dim, again.n_rows) == (4, 500)
    assert whitening_id(settings) == fitted.as_json()["id"] != whitening_id({})
    assert whitening_of({}) is None
    assert whitening_of({SETTING: None}) is None


@pytest.mark.parametrize(("n", "dim"), [(500, 9), (500, 0), (3, 3), (0, 1)])
def test_impossible_dimensions_are_refused(n: int, dim: int) -> None:
    with pytest.raises(InputError, match=f"cannot whiten to {dim} numbers: vectors have 8"):
        Whitening.fit(correlated(n), dim)


def test_directions_in_which_nothing_varies_are_refused() -> None:
    """They would be divided by nothing: a hundred rows that differ in three directions of eight."""
    random = np.random.default_rng(0)
    rows = (random.standard_normal((100, 3)) @ random.standard_normal((3, 8)) / 50 + 1).astype("f4")
    assert np.isfinite(Whitening.fit(rows, 3).apply(rows)).all()
    with pytest.raises(InputError, match=r"cannot whiten to 4 numbers.* Choose at most 3"):
        Whitening.fit(rows, 4)


def test_a_whitened_collection_finds_what_numpy_finds(tmp_path: Path) -> None:
    with collection(tmp_path / "c") as made:
        before = made.status()
        assert before["random_pairs"]["median"] > 0.9
        made.whiten(16)
        after = made.status()
        assert abs(after["random_pairs"]["median"]) < 0.15
        assert after["whitening"] == {"dim": 16, "n_rows": len(TEXTS)}
        made.add([Document("서울 날씨 새로 봅니다", key="late")])  # comes in beside the base
    with Collection(tmp_path / "c", encoder=BunchedEncoder()) as again:
        texts = [*TEXTS, "서울 날씨 새로 봅니다"]
        rows = BunchedEncoder().encode(texts)
        fitted = whitening_of(again._store.settings)
        assert fitted is not None
        for query in ("서울 날씨", "환불 없다"):
            hits = again.search(query, 5, mode="dense")
            cosines = fitted.apply(rows) @ fitted.apply(BunchedEncoder().encode([query]))[0]
            best = np.argsort(-cosines)[:5]
            assert [hit.text for hit in hits] == [texts[i] for i in best]
            assert [hit.cosine for hit in hits] == pytest.approx(cosines[best], abs=1e-5)
        cosines = fitted.apply(rows[:-1]) @ fitted.apply(rows[-1:])[0]
        assert again.similar("late", 1)[0].text == texts[int(cosines.argmax())]
        assert again.index_recall(["서울 날씨", "환불"]) == 1
        assert not any(check.n_wrong for check in again.verify())


def test_taking_it_away_gives_the_first_answers_again(tmp_path: Path) -> None:
    with collection(tmp_path / "c") as made:
        first = made.search("환불 신청", 5, mode="dense")
        made.whiten(8)
        assert made.search("환불 신청", 5, mode="dense") != first
        made.whiten(4)
        assert made.status()["whitening"]["dim"] == 4
        made.whiten(None)
        assert made.search("환불 신청", 5, mode="dense") == first
        assert made.status()["whitening"] is None


def test_the_command_line_advises_and_whitens(tmp_path: Path, tiny_bert: Path) -> None:
    data = str(DATA / "everyday.jsonl")
    assert kcsearch(tmp_path, "index", data, "--model", str(tiny_bert)).code == 0
    done = kcsearch(tmp_path, "status")
    assert "random pairs" in done.out
    assert "`kcsearch index FILE --whiten 16` spreads them" in done.err
    done = kcsearch(tmp_path, "index", data, "--whiten", "16")
    assert done.err.endswith("Vectors whitened to 16 numbers\n")
    done = kcsearch(tmp_path, "status")
    assert "16 numbers, fitted on 507 vectors" in done.out
    assert done.err == ""
    assert kcsearch(tmp_path, "query", "비가 오나요", "-k", "1", "--mode", "dense").code == 0
    done = kcsearch(tmp_path, "index", data, "--whiten", "99")
    assert (done.code, done.out) == (2, "")
    assert "cannot whiten to 99 numbers: vectors have 32, and there are 507 of them" in done.err
