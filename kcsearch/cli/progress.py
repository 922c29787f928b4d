"""How far a long run has come: documents, rate and time left, on stderr, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kcsearch.cli.messages import say
from kcsearch.readers import ReadReport
from kcsearch.types import IndexReport


@contextmanager
def indexing_progress(reading: ReadReport) -> Iterator[Callable[[IndexReport], None] | None]:
    """Yield what `Collection.index` calls after each batch. A run under a second shows nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None)
    started = time.monotonic()

    def show(report: IndexReport) -> None:
        seconds = time.monotonic() - started
        if seconds < 1:
            return
        bar.start()
        words = say("{n} documents, {rate}/s").format(
            n=f"{report.n_read:,}", rate=f"{report.n_read / seconds:,.0f}"
        )
        bar.update(task, description=words, total=reading.bytes_total, completed=reading.bytes_read)

    try:
        yield show
    finally:
        bar.stop()
