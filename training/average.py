"""Weighted sum of tables over one vocabulary: what a run gained, with some of where it began.

    python -m training.average --table A.npz --weight .65 --table B.npz --weight .35 --out OUT.npz

A short run that goes on from an earlier table, with other shares of the sets, gains on some and
loses on others. Its start and its end are near each other, so a point between them keeps most of
the gain and gives back part of the loss, without training. Weights are taken as given. Vectors are
normalised later, so only their proportion matters, unless training goes on from the result: then
let them sum to 1, or the rate means something else.
"""

import argparse
from pathlib import Path

import numpy as np

from training.ragged import read_npz, write_npz


def weighted_sum(tables: list[np.ndarray], weights: list[float]) -> np.ndarray:
    """Sum of float32 tables of one shape, each times its weight, in the order given.

    >>> weighted_sum([np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)], [0.5, 0.5])
    array([[0.5, 0.5]], dtype=float32)
    """
    if not tables or len(tables) != len(weights):
        raise ValueError(f"{len(tables)} tables, {len(weights)} weights: one weight for each table")
    if len({table.shape for table in tables}) > 1:
        raise ValueError(f"tables of different shapes: {[table.shape for table in tables]}")
    total = np.zeros_like(tables[0])
    for table, weight in zip(tables, weights, strict=True):
        total += weight * table
    return total


def one_of_codes(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The codes that the tables share, if they have any; ValueError if they differ."""
    found = [part["codes"] for part in parts if "codes" in part]
    if any(not np.array_equal(codes, found[0]) for codes in found):
        raise ValueError("tables of different codes: their sums count pieces differently")
    return {"codes": found[0]} if found else {}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--table", type=Path, action="append", required=True, help="may repeat")
    parser.add_argument("--weight", type=float, action="append", required=True, help="of each")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    args = parser.parse_args(argv)
    if len(args.table) != len(args.weight):
        parser.error("give one --weight for each --table")
    parts = [read_npz(path) for path in args.table]
    tables = [part["table"] for part in parts]
    write_npz(args.out, one_of_codes(parts) | {"table": weighted_sum(tables, args.weight)})
    print(f"{len(tables)} tables -> {args.out}")


if __name__ == "__main__":
    main()
