"""The text of PDF files, page by page, by pypdf: `kcsearch[docs]`. Scanned pages hold no text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import IO

from kcsearch.errors import InputError, KcsearchError, MissingExtraError
from kcsearch.readers.passages import Numbered


def pages(file: IO[bytes], label: str) -> Iterator[Numbered]:
    """The text of each page with its number from 1. Raises InputError, MissingExtraError."""
    try:
        import pypdf
    except ImportError as error:
        raise MissingExtraError(
            "{path}: PDF needs pypdf: pip install 'kcsearch[docs]'", path=label
        ) from error
    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # its warnings are not ours
    try:
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError("{path}: is encrypted; save it without a password", path=label)
        for number, page in enumerate(reader.pages, 1):
            yield number, page.extract_text()
    except KcsearchError:
        raise
    except Exception as error:  # pypdf meets broken files with whatever Python raises there
        raise InputError(
            "{path}: no PDF file, or a damaged one ({reason})",
            path=label,
            reason=" ".join(str(error).split()) or type(error).__name__,
        ) from error
