"""Lines of the keys of a TOML file: ``tomllib`` does not say where it found what."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Final

#: Where a key stands: names of tables, numbers of the entries of arrays of tables, the key.
Keys = tuple[str | int, ...]

_HEADER: Final = re.compile(r"\s*(?P<array>\[)?\[\s*(?P<name>[^\]]+?)\s*\]")
_KEY: Final = re.compile(
    r"""\s*(?P<key>(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
    r"""(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'))*)\s*="""
)

#: One of them ends a value that takes several lines; other lines of it need no look.
_CLOSING: Final = ("]", "}", '"""', "'''")


def key_lines(text: str) -> dict[Keys, int]:
    """Return the line of each table and key of a TOML document that ``tomllib`` accepts.

    A line is where a statement begins. Keys of inline tables have the line of what holds them.
    """
    found: dict[Keys, int] = {(): 1}
    counts: dict[Keys, int] = {}
    above: Keys = ()
    for number, statement in _statements(text):
        header = _HEADER.match(statement)
        key = _KEY.match(statement)
        if key is not None:
            found.setdefault((*above, *_split(key["key"])), number)
        elif header is not None:
            above = _place(_split(header["name"]), counts, is_array=bool(header["array"]))
            found.setdefault(above, number)
    return found


def line_of(lines: dict[Keys, int], keys: Keys) -> int:
    """Return the line of a key, or of the nearest table that holds it."""
    while keys not in lines:
        keys = keys[:-1]
    return lines[keys]


def _place(names: tuple[str, ...], counts: dict[Keys, int], *, is_array: bool) -> Keys:
    """Return the keys of a header: a name that is an array of tables means its last entry."""
    keys: Keys = ()
    for at, name in enumerate(names):
        keys = (*keys, name)
        if is_array and at == len(names) - 1:
            counts[keys] = counts.get(keys, -1) + 1
        if keys in counts:
            keys = (*keys, counts[keys])
    return keys


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement with the number of its first line: a value may take several."""
    waiting, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not waiting:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            start = number
        is_inside = bool(waiting)
        waiting = f"{waiting}\n{line}" if waiting else line
        if (not is_inside or any(mark in line for mark in _CLOSING)) and _is_whole(waiting):
            yield start, waiting
            waiting = ""


def _is_whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _split(name: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, quotes taken away."""
    table = tomllib.loads(f"{name} = 0")
    parts: list[str] = []
    inner: object = table
    while isinstance(inner, dict):
        key, inner = next(iter(inner.items()))
        parts.append(key)
    return tuple(parts)
