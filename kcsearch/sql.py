"""Nearness as an SQL function: kcsearch_cosine(row_id, text), for connections that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from kcsearch.collection import Collection

if TYPE_CHECKING:
    import sqlite3

NAME = "kcsearch_cosine"


def register(connection: sqlite3.Connection, collection: Collection) -> None:
    """Let `connection` call kcsearch_cosine(row_id, text).

    It is the cosine of the text and of the document in that row of the collection, as `query`
    prints it; NULL for a row that is not there and for an empty text. The connection may be to
    store.db itself or to any other database that knows row ids. Every row is asked for by itself:
    choose by other columns first, or let `Collection.search` find the nearest ones.

        connection = sqlite3.connect("notes/store.db")
        register(connection, Collection("notes"))
        connection.execute(
            "SELECT text FROM documents WHERE source = ? ORDER BY kcsearch_cosine(row_id, ?) DESC",
            ["docs.txt", "전철이 늦네요"],
        )
    """
    connection.create_function(NAME, 2, cosine_function(collection), deterministic=True)


def cosine_function(collection: Collection) -> Callable[[int | None, str | None], float | None]:
    """The function itself, for tools that register functions in their own way."""
    vectors = lru_cache(maxsize=32)(lambda text: collection.embed_queries([text])[0])

    def kcsearch_cosine(row_id: int | None, text: str | None) -> float | None:
        if not isinstance(row_id, int) or not isinstance(text, str) or not text.strip():
            return None
        return collection.cosine(row_id, vectors(text))

    return kcsearch_cosine
