"""Files to text, strictly: the encoding is settled for the whole file before its first line.

A byte order mark decides; else it is UTF-8 if all of it is, else CP949 if all of it is, else an
error that names the byte. Nothing is replaced or ignored. Lines end in \\n, \\r\\n or \\r only.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from kcsearch.errors import InputError, Phrase

MAX_RECORD = 16 * 2**20  # characters in one line or one record; bounds the memory that a file takes
MAX_FIELDS = 10_000  # columns of a table, names in one object
COMPRESSIONS = (".gz", ".xz", ".bz2")

_CHUNK = 2**20
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_USUAL = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949", "euc_kr")
_BINARY = {
    b"%PDF-": Phrase("a PDF file; give it a name that ends in .pdf"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Phrase(
        "HWP 5 or old Office; save it as HWPX or DOCX first"
    ),
    b"HWP Document File": Phrase("HWP 3; save it as HWPX first"),
    b"PK\x03\x04": Phrase("a ZIP file (XLSX, ODT, EPUB …); save it as text first"),
    b"\x1f\x8b": Phrase("gzip; give it a name that ends in .gz, or unpack it first"),
    b"\xfd7zXZ\x00": Phrase("xz; give it a name that ends in .xz, or unpack it first"),
    b"BZh": Phrase("bzip2; give it a name that ends in .bz2, or unpack it first"),
    b"\x28\xb5\x2f\xfd": Phrase("zstd; unpack it first"),
    b"7z\xbc\xaf\x27\x1c": Phrase("a 7z archive; unpack it first"),
    b"Rar!\x1a\x07": Phrase("a RAR archive; unpack it first"),
    b"SQLite format 3\x00": Phrase("an SQLite database; say with --sql what to read"),
    b"PAR1": Phrase("a Parquet file; give it a name that ends in .parquet"),
    b"ARROW1": Phrase("an Arrow file; save it as JSON lines or CSV first"),
    b"\x89PNG": Phrase("a PNG image"),
    b"\xff\xd8\xff": Phrase("a JPEG image"),
    b"GIF8": Phrase("a GIF image"),
    b"RIFF": Phrase("a sound, film or WebP file"),
    b"OggS": Phrase("a sound or film file"),
    b"ID3": Phrase("a sound file"),
    b"\x7fELF": Phrase("a program"),
    b"\x93NUMPY": Phrase("a NumPy array"),
}


class TextFile:
    """An input file as text; a context manager.

    label: how messages name it. encoding: the codec that reads all of it.
    """

    def __init__(self, file: Path | IO[bytes], label: str, encoding: str | None = None) -> None:
        """Open a file, or take a stream that stays open. InputError unless all of it is text."""
        self.label = label
        self._closing = ExitStack()
        with self._closing, self._explained():
            self._raw = self._closing.enter_context(_opened(file))
            self._bytes = self._closing.enter_context(_unpacked(self._raw, label))
            head = self._bytes.read(8192)
            self._refuse_binary(head)
            self.encoding = self._settle(head, encoding)
            self._bytes.seek(0)
            self._text = io.TextIOWrapper(self._bytes, encoding=self.encoding)
            self._closing.callback(self._text.detach)
            self._closing = self._closing.pop_all()

    def __enter__(self) -> TextFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def position(self) -> int:
        """Bytes of the file read so far, before unpacking."""
        return self._raw.tell()

    def rewind(self) -> None:
        with self._explained():
            self._text.seek(0)

    def read(self, size: int) -> str:
        with self._explained():
            return self._text.read(size)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Lines from where the file stands, numbered from 1, without their ends."""
        n = 0
        with self._explained():
            while line := self._text.readline(MAX_RECORD + 1):
                n += 1
                if len(line) > MAX_RECORD:
                    raise too_long(self.label, n)
                yield n, line.removesuffix("\n")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                "{path}: cannot be read ({reason})", path=self.label, reason=reason
            ) from None
        except UnicodeError:
            raise InputError("{path}: was changed while it was read", path=self.label) from None

    def _refuse_binary(self, head: bytes) -> None:
        for magic, name in _BINARY.items():
            if head.startswith(magic):
                raise InputError("{path}: not text but {kind}", path=self.label, kind=name)

    def _settle(self, head: bytes, forced: str | None) -> str:
        marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
        candidates = ["utf-8", "cp949"] if forced is None else [check_encoding(forced)]
        if marked and (forced is None or marked[:6] == (candidates[0] + "-")[:6]):
            candidates = [marked]  # utf-8 and utf-16-le would keep the mark as a character
        failures = []
        for encoding in candidates:
            at = self._first_bad_byte(encoding)
            if at is None:
                return encoding
            failures.append((at, encoding))
        at, encoding = max(failures)  # the one that came further is the likelier
        raise InputError(
            "{path}:{line}: byte {byte} at offset {offset} is not {encodings}. Save the file as "
            "UTF-8, or name its encoding with --encoding",
            path=self.label,
            line=self._line_of(at, encoding),
            byte=self._byte_at(at),
            offset=at,
            encodings=" or ".join(n.removesuffix("-sig").upper() for n in candidates),
        )

    def _first_bad_byte(self, encoding: str) -> int | None:
        self._bytes.seek(0)
        # utf-8-sig would count from behind the mark.
        name = encoding.removesuffix("-sig")
        decoder = codecs.getincrementaldecoder(name)("strict")
        may_give_surrogates = encoding not in _USUAL
        has_wide_units = encoding.startswith(("utf-16", "utf-32"))
        position = 0
        while True:
            chunk = self._bytes.read(_CHUNK)
            if not has_wide_units and b"\0" in chunk:
                raise InputError(
                    "{path}: not text: there is a NUL byte at offset {offset}. For UTF-16 without "
                    "a byte order mark give --encoding utf-16-le",
                    path=self.label,
                    offset=position + chunk.index(b"\0"),
                )
            n_pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
                if may_give_surrogates:  # utf-7 and the like
                    text.encode()
            except UnicodeDecodeError as error:
                return position - n_pending + error.start
            except UnicodeError:  # utf-16 without its mark
                return position
            if not chunk:
                return None
            position += len(chunk)

    def _line_of(self, offset: int, encoding: str) -> int:
        """The line of a byte, everything before which can be decoded."""
        self._bytes.seek(0)
        decode = codecs.getincrementaldecoder(encoding)("replace")
        newlines = io.IncrementalNewlineDecoder(decode, translate=True)
        line = 1
        while chunk := self._bytes.read(min(_CHUNK, offset)):
            line += newlines.decode(chunk).count("\n")
            offset -= len(chunk)
        return line

    def _byte_at(self, offset: int) -> str:
        self._bytes.seek(offset)
        found = self._bytes.read(1)
        return f"0x{found[0]:02X}" if found else "(the end)"


def check_encoding(name: str) -> str:
    """Python's own name of an encoding of text; InputError if it knows none of this name."""
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise InputError(
            "no encoding is called {name!r}. Some that are: utf-8, cp949, euc-kr, utf-16, johab",
            name=name,
        ) from None


def too_long(label: str, line: int) -> InputError:
    return InputError(
        "{path}:{line}: longer than {limit} characters without an end. If the file is of another "
        "format, name it with --format",
        path=label,
        line=line,
        limit=MAX_RECORD,
    )


def too_many_fields(label: str, line: int) -> InputError:
    return InputError(
        "{path}:{line}: more than {limit} columns", path=label, line=line, limit=MAX_FIELDS
    )


def _opened(file: Path | IO[bytes]) -> IO[bytes]:
    """The file, or a copy of what cannot be read twice: standard input, a named pipe."""
    if isinstance(file, Path):
        if file.is_file():
            return file.open("rb")
        if file.is_char_device() or file.is_block_device():
            raise InputError("{path} is a device, not a file", path=file)
        with file.open("rb") as pipe:
            return _opened(pipe)
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(file, copy, _CHUNK)
    copy.seek(0)
    return copy


def _unpacked(raw: IO[bytes], label: str) -> IO[bytes]:
    name = label.lower()
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb"))
    if name.endswith(".xz"):
        return lzma.LZMAFile(raw)
    if name.endswith(".bz2"):
        return bz2.BZ2File(raw)
    return raw
