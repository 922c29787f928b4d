"""Weighted sum of tables over one vocabulary: what a run gained, with some of where it began.

    python -m training.average --table A.npz --weight .65 --table B.npz --weight .35 --out OUT.npz

A short run that goes on from an earlier table, with other shares of the sets, gains on some and
loses on others. Its start and its end are near each other, so a point between them keeps most of
the gain and gives back part of the loss, without training. Weights are taken as given; vectors are
normalised later, so only their proportion matters.
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


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--table", type=Path, action="append", required=True, help="may repeat")
    parser.add_argument("--weight", type=float, action="append", required=True, help="of each")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    args = parser.parse_args(argv)
    if len(args.table) != len(args.weight):
        parser.error("give one --weight for each --table")
    tables = [read_npz(path)["table"] for path in args.table]
    write_npz(args.out, {"table": weighted_sum(tables, args.weight)})
    print(f"{len(tables)} tables -> {args.out}")


if __name__ == "__main__":
    main()
