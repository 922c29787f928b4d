"""What the command line says, in the language of the user's locale: English, or Korean.

The keys of KOREAN are the English words themselves, as they stand in the code; a test compares the
two. Libraries that import kcsearch get English errors.
"""

from __future__ import annotations

import os
import re

from kcsearch.display import visible
from kcsearch.errors import KcsearchError, Phrase
from kcsearch.hangul import agree

_LONGEST = 1_000  # letters of a value in a message


def is_korean() -> bool:
    """Whether the locale asks for Korean, by the variables that gettext looks at, in its order."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return re.match(r"ko(?![a-z])", value.lower()) is not None
    return False


def say(english: str) -> str:
    """`english` in the user's language; placeholders stay."""
    if not is_korean():
        return english
    from kcsearch.cli.messages_ko import KOREAN

    return KOREAN.get(english, english)


def examples(*lines: str) -> str:
    r"""What stands after a command's description in its help; `\b` keeps the lines as they are."""
    return "\n\n\b\n" + "\n".join(lines)


def explain(error: KcsearchError) -> str:
    """The message of an error in the user's language, in one line and with nothing hidden in it.

    A file's name for a column may be as long as the file: of long values the beginning is shown.
    """
    template = say(error.template)
    if not error.values:
        return visible(template)
    values = {name: _beginning(value) for name, value in error.values.items()}
    return agree(visible(template.format(**values)))


def _beginning(value: object) -> object:
    if isinstance(value, Phrase):
        return say(value)
    is_long = isinstance(value, str) and len(value) > _LONGEST
    return f"{str(value)[:_LONGEST]}…" if is_long else value
