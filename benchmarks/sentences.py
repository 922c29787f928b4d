"""As many distinct short Korean sentences as one wants, made of data/everyday.jsonl."""

from __future__ import annotations

import json
from pathlib import Path

EVERYDAY = Path(__file__).parents[1] / "data/everyday.jsonl"


def sentences(n: int) -> list[str]:
    """The first half of one sentence and the second of another, numbered where pairs run out."""
    lines = EVERYDAY.read_text(encoding="utf-8").splitlines()
    words = [json.loads(line)["text"].split() for line in lines]

    def sentence(i: int) -> str:
        turn = i // len(words)
        head, tail = words[i % len(words)], words[(i + 17 * turn) % len(words)]
        both = head[: len(head) // 2] + tail[len(tail) // 2 :]
        return " ".join(both if turn < len(words) else [*both, str(turn)])

    return [sentence(i) for i in range(n)]
