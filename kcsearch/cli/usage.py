"""How help pages and usage errors look, in English and in Korean.

Typer's own pages count letters, so that Hangul runs over the edge; here columns count. Typer's
words are known by their text: one that another version words differently stays English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from kcsearch.cli.messages import say
from kcsearch.cli.printing import flush, print_lines
from kcsearch.display import display_width, visible

# The base of everything that Typer raises about arguments; it has no public name in all versions.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

TYPER_HELP = (
    "Show this message and exit.",
    "Install completion for the current shell.",
    "Show completion for the current shell, to copy it or customize the installation.",
)
TYPER_ERRORS = (  # the longer of two that begin alike comes first
    "Invalid value for {name}: {reason}",
    "{value} is not in the range {range}",
    "{value} is not a valid int range",
    "{value} is not a valid float range",
    "{value} is not a valid float",
    "{value} is not a valid integer",
    "Input should be a valid integer, unable to parse string as an integer",
    "Input should be a valid number, unable to parse string as a number",
    "Input should be greater than or equal to {least}",
    "Input should be less than or equal to {most}",
    "path {name} is not readable",
    "{word} is not one of {choices}",
    "No such command {name}. Did you mean {others}?",
    "No such command {name}",
    "No such option: {name} (Possible options: {others})",
    "No such option: {name}",
    "Missing argument {name}",
    "Missing command",
    "Got unexpected extra argument(s) ({words})",
    "Option {name} requires an argument",
    "Option {name} does not take a value",
)
_NAME_COLUMNS = 26  # a longer name has a line of its own


class Command(TyperCommand):
    """A command with our help page."""

    def get_help_option(self, ctx: Any) -> Any:
        return _printing(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_help_page(self, ctx, formatter.width))


class Group(TyperGroup):
    """Commands under one name, with our help page."""

    def get_help_option(self, ctx: Any) -> Any:
        return _printing(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_help_page(self, ctx, formatter.width))


def _printing(help_option: Any) -> Any:
    """The option --help; what it prints goes the way of all output, so that a full disk is told."""
    if help_option is not None:
        help_option.callback = _print_help
    return help_option


def _print_help(context: Any, _: Any, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        print_lines([context.get_help()])
        flush()
        context.exit()


def usage_error(error: Any) -> str:
    """One line: what Typer does not like about the arguments, and where to look."""
    message = re.sub(r"\s+", " ", error.format_message()).replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    next_step = say("See `{command} --help`").format(
        command="kcsearch" if context is None else context.command_path
    )
    return visible(f"{_translated(message.rstrip('.'))}. {next_step}").replace("?. ", "? ")


def _translated(message: str) -> str:
    for english in TYPER_ERRORS:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english))
        if found := re.fullmatch(pattern, message):
            values = found.groupdict()
            if "reason" in values:
                values["reason"] = _translated(values["reason"].rstrip("."))
            return say(english).format(**values)
    return message


def _help_page(command: Command | Group, context: Any, width: int) -> str:
    r"""Usage, description, examples (a paragraph that begins with `\b`), and what can be given."""
    params: list[Any] = [
        param for param in command.get_params(context) if not getattr(param, "hidden", False)
    ]
    arguments = [param for param in params if param.param_type_name == "argument"]
    options = [param for param in params if param.param_type_name == "option"]
    usage = [context.command_path, *map(_argument_name, arguments), say("[OPTIONS]")]
    if isinstance(command, Group):
        usage.append(say("COMMAND [ARGUMENTS]"))
    blocks = [say("Usage: {words}").format(words=" ".join(usage))]
    for paragraph in (command.help or "").split("\n\n"):
        mark, _, examples = paragraph.partition("\n")
        if mark == "\b":
            blocks.append(_section(say("Examples:"), examples.split("\n")))
        elif paragraph:
            blocks.append(_section("", _wrap(paragraph, width - 2)))
    rows = [(_argument_name(param), param.help) for param in arguments if param.help]
    blocks.append(_section(say("Arguments:"), _table(rows, width - 2)))
    rows = [(param.get_help_record(context)[0], _option_help(param)) for param in options]
    blocks.append(_section(say("Options:"), _table(rows, width - 2)))
    if isinstance(command, Group):
        members = {name: command.get_command(context, name) for name in command.commands}
        rows = [(name, _first_line(member)) for name, member in members.items()]
        blocks.append(_section(say("Commands:"), _table(rows, width - 2)))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _argument_name(param: Any) -> str:
    name = (param.metavar or param.name.upper()) + ("" if param.nargs == 1 else " …")
    return name if param.required else f"[{name}]"


def _option_help(param: Any) -> str:
    words = [say(param.help)]
    if param.show_default and param.default not in (None, False):
        default = f"{param.default:g}" if isinstance(param.default, float) else param.default
        words.append(say("[default: {value}]").format(value=default))
    if param.envvar and param.show_envvar:
        words.append(say("[variable: {name}]").format(name=param.envvar))
    return " ".join(words)


def _first_line(command: Any) -> str:
    return (command.help or "").partition("\n")[0].rstrip(".")


def _section(heading: str, lines: Sequence[str]) -> str:
    indented = [f"  {line}" for line in lines]
    return "\n".join([heading, *indented] if heading and lines else indented)


def _table(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Names on the left, words on the right."""
    widths = [display_width(name) for name, _ in rows]
    column = max([w for w in widths if w <= _NAME_COLUMNS], default=_NAME_COLUMNS) + 2
    lines = []
    for (name, words), name_width in zip(rows, widths, strict=True):
        wrapped = _wrap(words, width - column) or [""]
        if name_width + 2 > column:
            lines.append(name)
        else:
            lines.append(name + " " * (column - name_width) + wrapped.pop(0))
        lines += [" " * column + line for line in wrapped]
    return lines


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces; a longer word stays whole.

    >>> _wrap("서울에서 부산까지", 10)
    ['서울에서', '부산까지']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and display_width(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
