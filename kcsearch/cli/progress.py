"""How far a long run has come: documents, rate and time left, on stderr, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from kcsearch.cli.messages import say
from kcsearch.readers import ReadReport
from kcsearch.types import IndexReport


@contextmanager
def indexing_progress(reading: ReadReport) -> Iterator[Callable[[IndexReport], None] | None]:
    """Yield what `Collection.index` calls after each batch. A run under a second shows nothing.

    A terminal that goes away meanwhile takes the bar with it, and nothing else.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None)
    started = time.monotonic()

    def show(report: IndexReport) -> None:
        seconds = time.monotonic() - started
        if seconds < 1:
            return
        with suppress(OSError):
            bar.start()
        bar.update(task, total=reading.bytes_total, completed=reading.bytes_read)
        words = say("{n} documents, {rate}/s").format(
            n=f"{report.n_read:,}", rate=f"{report.n_read / seconds:,.0f}"
        )
        left = bar.tasks[0].time_remaining  # by the speed of the last half minute
        if left is not None:
            percent = f"{bar.tasks[0].percentage:.0f} %"
            words = f"{percent}  {words}, " + say("{time} left").format(time=_clock(left))
        bar.update(task, description=words)

    try:
        yield show
    finally:
        with suppress(OSError):
            bar.stop()


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> _clock(59), _clock(3723)
    ('0:59', '1:02:03')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
