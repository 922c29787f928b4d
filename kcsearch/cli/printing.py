"""Hits and documents to stdout, in the format asked for; everything else to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kcsearch.cli import highlight, output
from kcsearch.cli.messages import say
from kcsearch.display import visible
from kcsearch.errors import KcsearchError
from kcsearch.hangul import agree

if TYPE_CHECKING:
    from kcsearch.collection import Collection
    from kcsearch.types import Document, Hit


class HitPrinter:
    """Prints the answers of one run; several queries get a heading or a field each."""

    def __init__(
        self,
        opened: Collection,
        format: output.Format,
        context: int,
        *,
        many: bool,
        explain: bool,
    ) -> None:
        self._opened, self._format, self._context = opened, format, context
        self._many, self._explain = many, explain
        self._answers: list[dict[str, Any]] = []
        self._has_begun = False

    def print(self, query: str, hits: Sequence[Hit]) -> None:
        if self._format == "table":
            self._print_table(query, hits)
        elif self._format == "plain":
            self._print_plain(hits)
        elif self._format == "json":
            self._answers.append({"query": query, "hits": [self._record(hit) for hit in hits]})
        elif self._format == "jsonl":
            records = [{"query": query, **self._record(hit)} for hit in hits]
            print_lines([output.as_json_lines(records)] if records else [])
        else:
            records = [{"query": query, **self._record(hit)} for hit in hits]
            delimiter = "," if self._format == "csv" else "\t"
            text = output.as_csv(records, delimiter=delimiter, header=not self._has_begun)
            self._has_begun |= bool(records)
            print_lines([text] if records else [])
        flush()

    def finish(self) -> None:
        if self._format == "json":
            print_lines([output.as_json(self._answers)])

    def _record(self, hit: Hit) -> dict[str, Any]:
        record = hit.as_dict()
        if self._explain and hit.explanation is not None:
            record["explanation"] = asdict(hit.explanation)
        if self._context:
            record["context"] = [{"line": d.line, "text": d.text} for d in self._around(hit)]
        return record

    def _print_plain(self, hits: Sequence[Hit]) -> None:
        for hit in hits:
            if self._context and self._has_begun:
                print_lines(["--"])  # as grep parts what lies apart
            self._has_begun = True
            print_lines(visible(document.text) for document in self._around(hit))

    def _print_table(self, query: str, hits: Sequence[Hit]) -> None:
        if self._many:
            print_lines([""] * self._has_begun + [visible(f"# {query}")])
            self._has_begun = True
        header = ["#", say("cosine"), say("percentile"), say("key"), say("text")]
        rows: list[list[str]] = []
        tokens: dict[int, tuple[str, ...]] = {}  # to make bold, by row
        whole: dict[int, str] = {}  # rows that are not cut
        for hit in hits:
            for document in self._around(hit):
                if document.key == hit.key and hit.explanation is not None and self._explain:
                    tokens[len(rows)] = hit.explanation.matched
                first = _numbers(hit) if document.key == hit.key else [""] * 4
                rows.append([*first, document.text])
            if self._explain:
                whole[len(rows)] = _explained(hit)
                rows.append([*[""] * 4, whole[len(rows)]])
        if not any(hit.percentile for hit in hits):  # a small collection has none
            header, *rows = ([*row[:2], *row[3:]] for row in [header, *rows])
        is_bold = highlight.is_wanted()

        def mark(row: int, text: str) -> str:
            if row in tokens and is_bold:
                return highlight.highlight(text, tokens[row])
            return visible(whole.get(row, text))

        if hits:
            print_lines([output.as_table(rows, header, _width(), mark)])

    def _around(self, hit: Hit) -> Sequence[Document]:
        return self._opened.around(hit.document, self._context) if self._context else [hit.document]


def _numbers(hit: Hit) -> list[str]:
    """Rank, cosine, percentile and key of a line of the table."""
    percentile = hit.percentile or 0.0
    shown = ">99.9" if percentile > 99.9 else f"{percentile:.1f}"
    return [str(hit.rank), f"{hit.cosine:.3f}", shown, hit.key]


def _explained(hit: Hit) -> str:
    """Score and ranks of both sides, in one line."""
    told = hit.explanation
    if told is None:
        return say("score {score}").format(score=f"{hit.score:.3f}")
    return say(
        "score {score} = {dense} by meaning (rank {dense_rank}) + {lexical} by words "
        "(rank {lexical_rank}): {matched}"
    ).format(
        score=f"{hit.score:.2f}",
        dense=f"{told.dense:.2f}",
        dense_rank=told.dense_rank or "-",
        lexical=f"{told.lexical:.2f}",
        lexical_rank=told.lexical_rank or "-",
        matched=", ".join(highlight.matched_words(hit.text, told.matched)) or "-",
    )


def print_documents(documents: Iterable[Document], format: output.Format) -> int:
    """Print documents; how many there were."""
    if format in ("plain", "jsonl"):
        n_printed = 0
        for document in documents:
            print_lines([_one_record(document, format)])
            n_printed += 1
        return n_printed
    found = list(documents)
    if format == "json":
        print_lines([output.as_json([document.as_dict() for document in found])])
    elif found and format == "table":
        rows = [[document.key or "", document.text] for document in found]
        print_lines([output.as_table(rows, [say("key"), say("text")], _width())])
    elif found:
        delimiter = "," if format == "csv" else "\t"
        print_lines(
            [output.as_csv([document.as_dict() for document in found], delimiter=delimiter)]
        )
    return len(found)


def _one_record(document: Document, format: output.Format) -> str:
    if format == "plain":
        return "\n".join(map(visible, document.text.split("\n")))
    return output.as_json_lines([document.as_dict()])


class JsonOutput:
    """Standard output for JSON that comes in pieces."""

    def write(self, text: str) -> None:
        _output(lambda: sys.stdout.write(output.without_controls(text)))


def print_lines(lines: Iterable[str]) -> None:
    _output(lambda: sys.stdout.writelines(line + "\n" for line in list(lines)))


def flush() -> None:
    """Send what has been printed on its way. Ends the program when nobody reads it any more."""
    _output(sys.stdout.flush)


def _output(write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains when it flushes
        if isinstance(error, BrokenPipeError):
            raise SystemExit(141) from None
        raise KcsearchError(
            "standard output cannot be written ({reason})", reason=error.strerror
        ) from None


def _width() -> int | None:
    """The terminal's width; None where the output goes elsewhere and is not cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def tell(template: str, **values: object) -> None:
    """A line on stderr, with nothing hidden in the values. That nobody reads it is no error."""
    line = agree(visible(template.format(**values) if values else template))
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # a closed pipe, a terminal that is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
