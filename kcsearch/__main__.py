"""`kcsearch` and `python -m kcsearch`: run a command and end with its exit code.

0 found or done · 1 nothing found · 2 usage or input error · 3 damaged or mismatching collection ·
4 the collection cannot be written now · 129, 130, 143 ended by SIGHUP, Ctrl-C, SIGTERM ·
141 the reader of our output has gone
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence

from kcsearch.errors import KcsearchError


def run() -> None:
    """`main`, and out at once: taking numpy and FAISS down in order is 0.08 s of a cold query."""
    received = _end_as_after_control_c()
    try:
        main()
    except SystemExit as end:
        code = 128 + received[0] if received and end.code == 130 else end.code
        if "torch" in sys.modules or not isinstance(code, int):
            raise SystemExit(code) from None
        with contextlib.suppress(OSError, ValueError):  # stdout is flushed and was checked
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Errors of kcsearch become a line on stderr; any other exception is a bug and shows itself."""
    gc.set_threshold(100_000)  # importing alone would have collected a hundred times, for nothing
    # One thread is quickest for a single sentence: 12-16 ms against 105 for the bundled model.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # Hangul, whatever the locale says
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)


def _end_as_after_control_c() -> Sequence[int]:
    """Let SIGTERM and, unless nohup ignores it, SIGHUP (the terminal is gone) end a command tidily.

    What is returned holds the signal as soon as one has come.
    """
    received: list[int] = []
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]

    def end(number: int, _: object) -> None:
        for each in ours:  # a shell that dies sends its own SIGHUP after the terminal's
            signal.signal(each, signal.SIG_IGN)
        received.append(number)
        raise KeyboardInterrupt

    for number in ours:
        signal.signal(number, end)
    return received


def _run() -> int:
    """The exit code of the command in sys.argv."""
    from kcsearch.cli import make_app
    from kcsearch.cli.messages import explain, say
    from kcsearch.cli.options import join_params
    from kcsearch.cli.printing import flush, tell
    from kcsearch.cli.usage import UsageError, usage_error

    sys.argv[1:] = join_params(sys.argv[1:])
    try:
        _check_working_directory()
        try:
            app = make_app(sys.argv[1] if len(sys.argv) > 1 else "")
            return app(prog_name="kcsearch", standalone_mode=False) or 0
        finally:
            flush()
    except KcsearchError as error:
        message, code = explain(error), error.exit_code
    except UsageError as error:
        message, code = usage_error(error), 2
    tell(say("Error: {message}"), message=message)
    return code


def _check_working_directory() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise KcsearchError(
            "the working directory cannot be read ({reason}): cd into another",
            reason=error.strerror,
        ) from None


def _open_streams() -> None:
    """Give a closed standard stream's number to nothing of ours, and let using it be an error."""
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


if __name__ == "__main__":
    run()
