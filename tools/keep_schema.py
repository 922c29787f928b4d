"""Keep a small collection of the present schema for the tests: `python -m tools.keep_schema`.

To be run once when a schema is released, and never again for the same one: what it wrote stands for
the collections that users have. tests/test_schemas.py opens all of them.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

from kcsearch.collection import Collection
from kcsearch.store.text_store import SCHEMA_VERSION
from kcsearch.types import Document
from tests.doubles import HashEncoder

KEPT = Path(__file__).parents[1] / "tests" / "schemas"
DIM = 16
SENTENCES = (
    "환불은 사흘 안에 처리됩니다",
    "지하철 2호선이 지연 운행되고 있습니다",
    "내일은 오후부터 비가 옵니다",
    "강아지가 초콜릿을 먹었으면 바로 병원에 데려가세요",
)
LONG = "서울에서 부산까지 가는 길에 있었던 아주 긴 이야기입니다. " * 3


def make(path: Path) -> None:
    """Documents of every kind: with fields, of several windows, changed and removed ones."""
    with Collection(path, encoder=HashEncoder(DIM)) as collection:
        collection.add(
            Document(text, f"k{i}", "notes.txt", i + 1, {"n": i, "주제": ["가", "나"]})
            for i, text in enumerate(SENTENCES)
        )
        collection.add([Document(LONG, "long"), Document("곧 지워질 글", "gone")])
        collection.add([Document("환불은 나흘 안에 처리됩니다", "k0", "notes.txt", 1)])
        collection.delete(["gone"])


def main() -> None:
    kept = KEPT / f"schema-{SCHEMA_VERSION}.zip"
    if kept.exists():
        sys.exit(f"{kept} is there already: it must stay as it was released")
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "collection"
        make(path)
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path.iterdir()):
                if file.name != "write.lock":
                    archive.write(file, file.name)


if __name__ == "__main__":
    main()
