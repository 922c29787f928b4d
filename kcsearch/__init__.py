"""Local semantic search for Korean text.

from kcsearch import Collection

with Collection("notes") as notes:
    notes.add(["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다."])
    print(notes.search("비가 오나요")[0].text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcsearch.errors import (
    CollectionDamagedError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    DocumentNotFoundError,
    InputError,
    KcsearchError,
    MissingExtraError,
    ModelError,
    ModelMismatchError,
)
from kcsearch.types import Document, Encoder, Hit, IndexReport

if TYPE_CHECKING:
    from kcsearch.collection import Collection, find_collection
    from kcsearch.encoder import TextEncoder

__version__ = "0.1.0"

__all__ = [
    "Collection",
    "CollectionDamagedError",
    "CollectionNotFoundError",
    "CollectionUnavailableError",
    "Document",
    "DocumentNotFoundError",
    "Encoder",
    "Hit",
    "IndexReport",
    "InputError",
    "KcsearchError",
    "MissingExtraError",
    "ModelError",
    "ModelMismatchError",
    "TextEncoder",
    "__version__",
    "find_collection",
]

_LAZY = {
    "Collection": "kcsearch.collection",
    "TextEncoder": "kcsearch.encoder",
    "find_collection": "kcsearch.collection",
}


def __getattr__(name: str) -> Any:
    """Import on first use what needs numpy and FAISS: `kcsearch --help` answers without them."""
    if name not in _LAZY:
        raise AttributeError(f"module 'kcsearch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
