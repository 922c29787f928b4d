"""The picture of a collection: its axes against numpy's SVD, and when it is drawn again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles import HashEncoder

from kcsearch import vector_map
from kcsearch.collection import Collection
from kcsearch.types import Document
from kcsearch.vector_map import Plane

TEXTS = [f"{i}번째 글: {'가나다라마바사'[i % 7] * 3}" for i in range(30)]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "notes", encoder=HashEncoder()) as notes:
        notes.add(Document(text, str(i)) for i, text in enumerate(TEXTS))
        yield notes


def test_the_axes_are_those_of_the_singular_value_decomposition() -> None:
    sample = np.random.default_rng(1).standard_normal((200, 8)) * [1, 9, 1, 1, 5, 1, 1, 1] + 3
    plane = Plane.fit(sample.astype(np.float32))
    _, values, axes = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
    assert plane.share == pytest.approx((values[:2] ** 2).sum() / (values**2).sum(), rel=1e-4)
    lengths = np.linalg.norm(plane.axes, axis=0)
    cosines = (plane.axes / lengths * axes[:2].T).sum(axis=0)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-4)
    assert lengths[0] == pytest.approx(lengths[1])  # distances are told alike on both
    places = plane.place(sample)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-5)
    assert 0.98 <= (np.abs(places).max(axis=1) <= 1.0001).mean() < 1


@pytest.mark.parametrize("n", [0, 1, 5])
def test_what_does_not_differ_lies_in_the_middle(n: int) -> None:
    plane = Plane.fit(np.full((n, 4), 0.5, np.float32))
    assert plane.share == 0
    np.testing.assert_array_equal(plane.place(np.ones((2, 4), np.float32)), np.zeros((2, 2)))


def test_a_dimension_alone_is_one_axis() -> None:
    plane = Plane.fit(np.array([[-1], [0], [1]], np.float32))
    assert plane.share == pytest.approx(1)
    np.testing.assert_allclose(plane.place(np.array([[1]]))[:, 1], 0)


def test_every_document_is_a_point_and_lies_where_places_says(notes: Collection) -> None:
    drawn = notes.map()
    assert (drawn.n_documents, [point.key for point in drawn.points]) == (
        30,
        [str(i) for i in range(30)],
    )
    assert drawn.points[3].text == TEXTS[3]
    found, asked = notes.places(["7", "없음", "3"], TEXTS[3])
    assert list(found) == ["7", "3"]
    for key, place in found.items():
        point = drawn.points[int(key)]
        assert place == pytest.approx((point.x, point.y), abs=1e-5)
    assert asked == pytest.approx(found["3"], abs=1e-5)
    assert notes.places([]) == ({}, None)


def test_it_is_drawn_once_a_commit(notes: Collection) -> None:
    first = notes.map()
    assert notes.map() is first
    with Collection(notes.path, encoder=HashEncoder()) as other:
        other.add([Document("긴 글이 하나 더 있습니다. " * 20, "새")])
    second = notes.map()
    assert second.id != first.id
    new = [point for point in second.points if point.key == "새"]
    assert len(new) > 1  # the windows of a long text
    assert new[0].text.startswith("긴 글이 하나 더 있습니다.")
    notes.whiten(4)
    third = notes.map()
    assert third.id != second.id
    assert third.plane.axes.shape == (4, 2)
    found, asked = notes.places(["3"], TEXTS[3])
    assert asked == pytest.approx(found["3"], abs=1e-4)


def test_of_many_documents_a_sample_is_shown(
    notes: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_map, "N_POINTS", 10)
    drawn = notes.map()
    assert [point.key for point in drawn.points] == [str(i) for i in range(0, 30, 3)]
    assert drawn.n_documents == 30
    (place,) = notes.places(["29"])[0].values()  # one that is not shown
    assert np.isfinite(place).all()


def test_an_empty_collection_has_an_empty_picture(tmp_path: Path) -> None:
    with Collection(tmp_path / "none", encoder=HashEncoder()) as none:
        assert (none.map().n_documents, none.map().points) == (0, [])
        assert none.places([], "무엇이든") == ({}, (0.0, 0.0))
