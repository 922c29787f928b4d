"""Read the corpus folder: <kind>/<name>.jsonl(.xz), kind one of mono, pairs, parallel.

Texts come out in NFC, rows in file order. Which rows are used, and how often, is decided elsewhere.
"""

import json
import lzma
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

Kind = Literal["mono", "pairs", "parallel"]

TEXT_FIELDS = {"mono": ("text",), "pairs": ("a", "b"), "parallel": ("ko", "en")}


def names(corpus: Path, kind: Kind) -> list[str]:
    """List the sets of one kind, sorted by name."""
    return sorted(path.name.split(".")[0] for path in (corpus / kind).glob("*.jsonl*"))


def has(corpus: Path, kind: Kind, name: str) -> bool:
    """Whether a set is there."""
    return any((corpus / kind / f"{name}{ending}").exists() for ending in (".jsonl", ".jsonl.xz"))


def rows(corpus: Path, kind: Kind, name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one set, texts in NFC; FileNotFoundError if it is missing."""
    packed = corpus / kind / f"{name}.jsonl.xz"
    open_text = lzma.open if packed.exists() else open
    path = packed if packed.exists() else packed.with_suffix("")
    with open_text(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            for field in TEXT_FIELDS[kind]:
                row[field] = unicodedata.normalize("NFC", row[field])
            yield row
