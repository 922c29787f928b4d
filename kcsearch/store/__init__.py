"""The truth of a collection: documents, vectors and full-text rows in one SQLite file."""
