"""Like pieces share a count: by hand, in a training set, and in the BERT that is written down."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="training needs scipy: pip install 'kcsearch[training]'")

import torch

from training import average, build_bert, crowding, ragged
from training.embedders import pool_batch
from training.table import PairSet, Settings, bags, embed, weighted
from training.table import main as table_main

N_PIECES = 80


def some_table(width: int, seed: int = 0) -> np.ndarray:
    """Rows of many lengths, in 20 kinds of four that are alike."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(rng.standard_normal((N_PIECES // 4, width)), 4, axis=0)
    rows = kinds + 0.3 * rng.standard_normal((N_PIECES, width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows *= np.exp(rng.normal(-1, 0.7, (N_PIECES, 1)))
    rows[:5] = 0
    return rows.astype(np.float32)


def some_texts(seed: int = 1) -> ragged.Ragged:
    rng = np.random.default_rng(seed)
    lengths = [1, 0, 12, 3, 60, 2, 12]
    return ragged.Ragged.from_rows([rng.integers(5, N_PIECES, n) for n in lengths])


def test_codes_are_unit_rows_and_like_pieces_have_like_ones() -> None:
    codes = crowding.piece_codes(some_table(64))
    assert codes.shape == (N_PIECES, crowding.CODE_WIDTH)
    np.testing.assert_allclose(np.linalg.norm(codes[5:], axis=1), 1, atol=1e-6)
    cosines = codes[8:] @ codes[8:].T
    is_alike = np.arange(N_PIECES - 8)[:, None] // 4 == np.arange(N_PIECES - 8) // 4
    assert cosines[is_alike].mean() > 0.8
    assert cosines[~is_alike].mean() < 0.2


@pytest.mark.parametrize("max_cells", [4_000_000, 100])
def test_crowds_are_what_the_formula_says(monkeypatch: pytest.MonkeyPatch, max_cells: int) -> None:
    monkeypatch.setattr(crowding, "MAX_CELLS", max_cells)
    codes, texts = crowding.piece_codes(some_table(64)), some_texts()
    expected = [
        np.exp(crowding.SHARPNESS * (codes[row] @ codes[row].T - 1)).sum(1) for row in texts.rows()
    ]
    ids, offsets, _ = bags(texts)
    found = crowding.crowds(torch.from_numpy(codes), ids, offsets).numpy()
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5)
    assert found[0] == pytest.approx(1)  # a text of one piece


def test_the_same_word_again_counts_less_each_time() -> None:
    codes = torch.from_numpy(crowding.piece_codes(some_table(64)))
    texts = ragged.Ragged.from_rows([np.array([7, 40]), np.array([7, 7, 7, 7, 40])])
    ids, offsets, weights = weighted(bags(texts), codes)
    assert weights is not None
    once, four_times = weights[0], weights[2:6]
    assert torch.equal(four_times, four_times[:1].expand(4))
    assert float(once) < float(four_times.sum()) < 3 * float(once)
    assert weighted((ids, offsets, None), None)[2] is None


def test_a_training_set_weighs_its_texts_as_they_are_cut(tmp_path: Path) -> None:
    texts = some_texts()
    ragged.write_npz(tmp_path / "rest.npz", {**texts.columns("a"), **texts.columns("b")})
    codes = torch.from_numpy(crowding.piece_codes(some_table(64)))
    one = PairSet(tmp_path / "rest.npz", Settings(max_pieces=10), codes)
    ids, offsets, weights = one.texts("a", np.array([4, 0]))
    assert offsets.tolist() == [0, 10]
    assert weights is not None
    expected = crowding.crowd_weights(codes, ids, offsets)
    torch.testing.assert_close(weights, expected, rtol=1e-3, atol=0)  # kept in half precision
    plain = PairSet(tmp_path / "rest.npz", Settings(max_pieces=10))
    assert plain.texts("a", np.array([4]))[2] is None


def test_codes_go_from_a_run_to_the_next_and_into_their_mean(tmp_path: Path) -> None:
    texts = some_texts()
    ragged.write_npz(tmp_path / "pairs" / "rest.npz", texts.columns("a") | texts.columns("b"))
    start = some_table(64)
    ragged.write_npz(tmp_path / "start.npz", {"table": start})
    run = ["--work", str(tmp_path), "--steps", "2"]
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    table_main([*run, "--start", str(tmp_path / "start.npz"), "--out", "first", "--crowding"])
    table_main([*run, "--start", str(first), "--out", "second"])
    average.main([
        "--table", str(first), "--weight", ".5", "--table", str(second), "--weight", ".5",
        "--out", str(tmp_path / "mean.npz"),
    ])  # fmt: skip
    codes = crowding.piece_codes(start)
    for name in ("first", "second", "mean"):
        assert np.array_equal(ragged.read_npz(tmp_path / f"{name}.npz")["codes"], codes), name
    ragged.write_npz(second, {"table": start, "codes": codes[::-1]})
    with pytest.raises(ValueError, match="different codes"):
        average.one_of_codes([ragged.read_npz(first), ragged.read_npz(second)])


@pytest.mark.parametrize("layers", [2, 3])
def test_the_written_bert_counts_as_the_table_does(layers: int) -> None:
    table = some_table(128)
    codes = crowding.piece_codes(table)
    config = build_bert.bert_config(N_PIECES, 128, layers=layers, heads=2, inner=32)
    model = build_bert.bert_from_table(table, config, n_waves=0, seed=1, codes=codes)
    # A text of no piece has no vector in the table.
    texts = ragged.Ragged.from_rows([row for row in some_texts().rows() if len(row)])
    pooled = pool_batch(model, [[2, *row.tolist(), 3] for row in texts.rows()], "pooler")
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    turn = torch.from_numpy(build_bert.turn_to_model(table, 0, 1, codes.shape[1])).float()
    turned = torch.from_numpy(table) @ turn
    summed = embed(turned, weighted(bags(texts), torch.from_numpy(codes))).numpy()
    plain = embed(turned, bags(texts)).numpy()
    assert (pooled * summed).sum(1).min() > 0.999
    assert (pooled * plain).sum(1).min() < 0.995  # so that the test sees what is counted


def test_unknown_pieces_neither_count_nor_weigh() -> None:
    table = some_table(128)
    config = build_bert.bert_config(N_PIECES, 128, layers=2, heads=2, inner=32)
    model = build_bert.bert_from_table(table, config, 0, 1, crowding.piece_codes(table))
    text = [2, 7, 7, 9, 30, 41, 7, 3]
    pooled = pool_batch(model, [text, [2, *[1] * 10, *text[1:]]], "pooler")
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    assert pooled[0] @ pooled[1] > 0.9999


def test_the_layer_that_counts_has_one_live_head() -> None:
    table = some_table(128)
    config = build_bert.bert_config(N_PIECES, 128, layers=2, heads=2, inner=32)
    model = build_bert.bert_from_table(table, config, 0, 1, crowding.piece_codes(table))
    layer = model.encoder.layer[0]
    assert not layer.attention.self.query.weight[64:].any()
    assert not layer.attention.output.dense.weight[:, 1:].any()
    assert not layer.output.dense.weight.any()


def test_what_cannot_be_written_is_refused() -> None:
    table = some_table(128)
    codes = crowding.piece_codes(table)
    one_layer = build_bert.bert_config(N_PIECES, 128, layers=1, heads=2)
    with pytest.raises(ValueError, match="two layers"):
        build_bert.bert_from_table(table, one_layer, 0, codes=codes)
    small_heads = build_bert.bert_config(N_PIECES, 128, layers=2, heads=16)
    with pytest.raises(ValueError, match="heads of more than 16"):
        build_bert.bert_from_table(table, small_heads, 0, codes=codes)
