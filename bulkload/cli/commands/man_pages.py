"""Man pages, written from the commands themselves: what ``--help`` says, at full length."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final

from cyclopts import App

from bulkload.cli import app
from bulkload.core.tally import ExitCode
from bulkload.core.version import VERSION

#: Commands that hold others.
_GROUPS: Final = ("journal",)


def write_man_pages(folder: Path) -> list[Path]:
    """Write ``bulkload.1`` and a page for each command; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in man_pages().items():
        path = folder / f"{name}.1"
        path.write_text(text, "utf-8")
        written.append(path)
    return written


def man_pages() -> dict[str, str]:
    """Return the pages as roff, by their name."""
    commands = dict(_commands())
    pages = {"bulkload": _main_page(commands)}
    for words, command in commands.items():
        pages[f"bulkload-{words.replace(' ', '-')}"] = _page(words, command)
    return pages


def _commands() -> Iterator[tuple[str, App]]:
    for name in app:
        if name in _GROUPS:
            yield from ((f"{name} {one}", app[name][one]) for one in app[name] if one[0] != "-")
        elif not name.startswith("-"):
            yield name, app[name]


def _main_page(commands: dict[str, App]) -> str:
    lines = [
        *_head("bulkload", str(app.help)),
        *(".SH SYNOPSIS", ".B bulkload", r"\fICOMMAND\fR [\fIOPTIONS\fR]", ".SH COMMANDS"),
    ]
    for words, command in commands.items():
        lines += [".TP", f"\\fBbulkload {_escaped(words)}\\fR", _escaped(str(command.help))]
    lines += [*_exit_status(), ".SH SEE ALSO"]
    lines.append(", ".join(f"\\fBbulkload\\-{_escaped(one.replace(' ', '-'))}\\fR(1)"
                           for one in commands))  # fmt: skip
    return "\n".join(lines) + "\n"


def _page(words: str, command: App) -> str:
    name = f"bulkload-{words.replace(' ', '-')}"
    arguments = [
        one
        for one in command.assemble_argument_collection(parse_docstring=True)
        if one.show and one.names != ("*",)
    ]
    options = [one for one in arguments if _is_option(one)]
    places = [one for one in arguments if not _is_option(one)]
    synopsis = " ".join(_place(one) for one in places)
    lines = [
        *_head(name, str(command.help)),
        *(
            ".SH SYNOPSIS",
            f".B bulkload {_escaped(words)}",
            f"[\\fIOPTIONS\\fR] {synopsis}".strip(),
        ),
        *(".SH DESCRIPTION", *_paragraphs(_description(command))),
    ]
    if places:
        lines.append(".SH ARGUMENTS")
    for one in places:
        lines += [".TP", _place(one), _escaped(one.parameter.help or "")]
    lines += [*_options(options), *_exit_status()]
    example = str(command.help_epilogue or "").removeprefix("Example: ")
    lines += [".SH EXAMPLE", ".nf", _escaped(example), ".fi"]
    lines += [".SH SEE ALSO", "\\fBbulkload\\fR(1); the manual: \\fBbulkload help\\fR"]
    return "\n".join(lines) + "\n"


def _head(name: str, title: str) -> list[str]:
    upper = _escaped(name.upper())
    return [
        f'.TH {upper} 1 "" "bulkload {VERSION}" "Manual of bulkload"',
        *(".SH NAME", f"{_escaped(name)} \\- {_escaped(title.rstrip('.'))}"),
    ]


def _is_option(argument: Any) -> bool:
    return bool(argument.field_info.kind is argument.field_info.KEYWORD_ONLY)


def _place(argument: Any) -> str:
    name = _escaped(argument.names[0].lstrip("-").upper().replace("_", "-"))
    kind = argument.field_info.kind
    return f"\\fI{name}\\fR" + ("..." if kind is argument.field_info.VAR_POSITIONAL else "")


def _options(options: list[Any]) -> Iterator[str]:
    """Yield the options in their groups, those of one group together."""
    groups: dict[str, list[Any]] = {}
    order: dict[str, Any] = {}
    for one in options:
        group = one.parameter.group[0]
        title = getattr(group, "name", str(group))
        groups.setdefault(title, []).append(one)
        order.setdefault(title, getattr(group, "sort_key", None))
    if groups:
        yield ".SH OPTIONS"
    for title in sorted(groups, key=lambda one: (not isinstance(order[one], int), str(order[one]))):
        yield f".SS {_escaped(title)}"
        for one in groups[title]:
            names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in one.names)
            value = "" if one.hint is bool else f" \\fI{_escaped(_value(one.hint))}\\fR"
            yield from (".TP", names + value)
            yield _escaped((one.parameter.help or "") + _default(one.field_info.default))


def _value(hint: Any) -> str:
    text = getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint)
    words = {"Path": "PATH", "int": "NUMBER", "float": "NUMBER", "str": "TEXT"}
    found = re.search(r"\b(Path|int|float|str)\b", text)
    return words[found[1]] if found else "CHOICE"


def _default(default: Any) -> str:
    value = default.value if isinstance(default, Enum) else default
    if value in (None, True, False, (), "", inspect.Parameter.empty):
        return ""
    return f" Default: {value}."


def _description(command: App) -> str:
    function = command.default_command
    text = inspect.getdoc(function) or str(command.help)
    return text.partition("\nParameters\n")[0].strip()


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _exit_status() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for code in ExitCode:
        yield from (".TP", f"\\fB{code:d}\\fR", _escaped(code.text))


def _escaped(text: str) -> str:
    """Return text as roff shows it unchanged: no request, no escape, hyphens that can be copied."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`")
    plain = plain.replace("'", "\\(aq").replace('"', "\\(dq")
    return re.sub(r"^\.", r"\\&.", plain, flags=re.MULTILINE)
