"""Every exception that kcsearch raises on purpose, with the exit code of its command.

    KcsearchError
    ├── DocumentNotFoundError        1   no document has this key
    ├── InputError                   2   a file, a line, a text or an argument that cannot be used
    ├── ModelError                   2   a model that is not there, incomplete or of the wrong kind
    ├── MissingExtraError            2   an optional package is not installed
    ├── CollectionNotFoundError      2   there is no collection here
    ├── CollectionDamagedError       3   the store cannot be read, or is newer than this program
    ├── ModelMismatchError           3   the collection was made with another model
    └── CollectionUnavailableError   4   another writer, a full disk, a read-only folder

A message is a template with its values beside it, so that the command line can say it in Korean.
Whatever else comes out of kcsearch is a bug and keeps its traceback.
"""

from __future__ import annotations


class Phrase(str):
    """A value of a message that is itself words of ours, to be said in the user's language."""


class KcsearchError(Exception):
    """Base of all errors of kcsearch: `str(error)` says what happened and what to do next.

    template: the English sentence, with `{name}` for each of `values`.
    """

    exit_code = 2

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template, values)
        self.template = template
        self.values = values

    def __str__(self) -> str:
        return self.template.format(**self.values) if self.values else self.template

    def recast(self, kind: type[KcsearchError]) -> KcsearchError:
        """The same words as an error of another kind."""
        return kind(self.template, **self.values)


class DocumentNotFoundError(KcsearchError):
    """No document has this key."""

    exit_code = 1


class InputError(KcsearchError):
    """A file, a line of it, a text or an argument cannot be used."""


class ModelError(KcsearchError):
    """A model is not there, is incomplete, or is of a kind that kcsearch refuses."""


class MissingExtraError(KcsearchError):
    """An optional package is missing; the message holds the exact install line."""


class CollectionNotFoundError(KcsearchError):
    """There is no collection at this place."""


class CollectionDamagedError(KcsearchError):
    """The store of a collection cannot be read, or was written by a newer kcsearch."""

    exit_code = 3


class ModelMismatchError(KcsearchError):
    """The collection holds vectors of another model than the one at hand."""

    exit_code = 3


class CollectionUnavailableError(KcsearchError):
    """The collection cannot be written now: another writer, a full disk, a read-only folder."""

    exit_code = 4
