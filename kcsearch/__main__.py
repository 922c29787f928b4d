"""`kcsearch` and `python -m kcsearch`: run a command and end with its exit code.

0 found or done · 1 nothing found · 2 usage or input error · 3 damaged or mismatching collection ·
4 the collection cannot be written now · 130 interrupted · 141 the reader of our output has gone
"""

from __future__ import annotations

import os
import sys

from kcsearch.errors import KcsearchError


def main() -> None:
    """Errors of kcsearch become a line on stderr; any other exception is a bug and shows itself."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # Hangul, whatever the locale says
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        from kcsearch.cli import app
        from kcsearch.cli.options import join_params

        sys.argv[1:] = join_params(sys.argv[1:])
        app()
    except KcsearchError as error:
        from kcsearch.cli.messages import explain, say

        print(f"{say('Error')}: {explain(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains when it flushes
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
