"""How names come out of paths.

A layout is a path pattern such as ``{spec}/{cell}/{measurement}.*``. Its components are joined
by ``/``; ``**`` stands for any number of folders, none included; ``*`` for any text within one
component; a field in braces for at least one character of one component.

Where a path could be split in several ways (``{cell}_{measurement}`` on ``A_1_RPT``), the
rule is: **from left to right, each field, ``*`` and ``**`` takes as little as it can, and the
last one of a component takes the rest** (cell ``A``, measurement ``1_RPT``).

The rule also makes matching linear. Between two wildcards there is always a literal (adjacent
wildcards are refused), and taking the first place where that literal occurs never spoils a
match that a later place would allow. So nothing is ever tried twice, whatever the names are.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, Self

DEFAULT_LAYOUT: Final = "{spec}/{cell}/{measurement}.*"
FIELDS: Final = (
    *("spec", "cell", "measurement", "batch", "date"),
    *("temperature", "rate", "channel", "part", "operator"),
)

#: Endings of files that hold measurements. Others count as an ending by their form alone.
DATA_SUFFIXES: Final = frozenset(
    {
        *(".csv", ".tsv", ".txt", ".dat", ".asc", ".parquet", ".feather", ".arrow", ".bdf"),
        *(".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".json", ".jsonl", ".yaml", ".yml", ".toml"),
        *(".res", ".nda", ".ndax", ".mpt", ".mpr", ".mps", ".dta", ".mat", ".h5"),
        *(".hdf", ".hdf5"),
        *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".pdf"),
    }
)
COMPRESSED_SUFFIXES: Final = frozenset({".gz", ".bz2", ".xz", ".zst"})
#: What may stand before a data ending and belongs to it: ``x.bdf.csv``, ``x.properties.json``.
QUALIFYING_SUFFIXES: Final = frozenset({".bdf", ".properties", ".meta"})

#: Names whose endings are kept split: each is asked for several times in a row.
REMEMBERED_NAMES: Final = 256

# Maccor numbers its files (.001 to .999). A letter must open any other unknown ending, so that
# the "5C" of a file called "RPT 0.5C" is never taken for one.
_UNKNOWN_SUFFIX = re.compile(r"\.(?:[0-9]{3}|[A-Za-z][A-Za-z0-9_]{0,9})\Z")
# ``{*}`` is ``*``, written like the fields around it.
_TOKEN = re.compile(r"\{([^{}]*)\}|(\*+)|([^{}*]+)|([{}])")
_DATE = re.compile(r"([0-9]{4})([-_.]?)([0-9]{2})\2([0-9]{2})\Z")
#: Earlier than any cycler: eight digits below it are a serial number, not a date.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199


@lru_cache(REMEMBERED_NAMES)
def split_suffix(name: str) -> tuple[str, str]:
    """Split off the whole known ending: ``('x', '.bdf.csv.gz')``; ``(name, '')`` without one."""
    stem, ending = _split_last(name, COMPRESSED_SUFFIXES)
    rest, data = _split_last(stem, DATA_SUFFIXES)
    if not data and ending and _UNKNOWN_SUFFIX.search(stem):
        rest, data = stem[: stem.rindex(".")], stem[stem.rindex(".") :]
    stem, ending = rest, data + ending
    rest, qualifier = _split_last(stem, QUALIFYING_SUFFIXES) if data else (stem, "")
    return rest, qualifier + ending


def parse_date(text: str) -> str | None:
    """Read ``2024-01-31``, ``20240131``, ``2024_01_31`` or ``2024.01.31`` as an ISO date."""
    found = _DATE.match(text)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        return None
    try:
        return dt.date(int(found[1]), int(found[3]), int(found[4])).isoformat()
    except ValueError:
        return None


def normalised(name: str) -> str:
    """Give the composed form (NFC) of a name: the same name in other bytes is the same name."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class LayoutError(ValueError):
    """A layout that cannot be used; says what is wrong with it and what would do."""


@dataclass(frozen=True, slots=True)
class _Component:
    """Literals and wildcards in turn: ``literals[0] wildcards[0] literals[1] ...``."""

    literals: tuple[str, ...]
    #: The field's name, or None for ``*``.
    wildcards: tuple[str | None, ...]

    def match(self, text: str) -> dict[str, str] | None:
        if not text.startswith(self.literals[0]):
            return None
        found: dict[str, str] = {}
        start, last = len(self.literals[0]), len(self.wildcards) - 1
        for index, field in enumerate(self.wildcards):
            literal = self.literals[index + 1]
            earliest = start if field is None else start + 1
            end = _end_at(text, literal) if index == last else text.find(literal, earliest)
            if end < earliest:
                return None
            if field is not None:
                found[field] = text[start:end]
            start = end + len(literal)
        return found if start == len(text) else None


@dataclass(frozen=True, slots=True)
class _FileName:
    """The last component: a pattern for the name without its ending, and a rule for the ending."""

    stem: _Component
    #: ``None``: the pattern covers the whole name. ``.*``: any ending, but one there must be.
    #: ``''``: a known ending is dropped where there is one. Else: this very ending, any case.
    suffix: str | None

    def match(self, name: str) -> dict[str, str] | None:
        if self.suffix is None:
            return self.stem.match(name)
        stem, ending = split_suffix(name)
        if self.suffix == ".*":
            if not ending:
                stem = _UNKNOWN_SUFFIX.sub("", name)
            return self.stem.match(stem) if stem and stem != name else None
        if not name.lower().endswith(self.suffix):
            return None
        longest = max(len(ending), len(self.suffix))
        return self.stem.match(name[: len(name) - longest])


@dataclass(frozen=True, slots=True)
class Layout:
    """A compiled layout; ``Layout.parse`` makes one."""

    text: str
    fields: frozenset[str]
    #: Folder patterns in runs; between two runs stands a ``**``.
    _folders: tuple[tuple[_Component, ...], ...]
    _file: _FileName
    #: Folders asked about last -> their fields: the files of a folder mostly come together.
    _last: dict[tuple[str, ...], dict[str, str] | None] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def parse(cls, text: str = DEFAULT_LAYOUT) -> Self:
        """Compile a layout; LayoutError says what is wrong with it and what would do."""
        parts = normalised(text).split("/")
        if "\\" in text or not all(parts) or {".", ".."} & set(parts):
            raise _wrong(text, "folders are joined by single slashes ('/'), from the source down")
        *folders, name = parts
        runs: list[list[_Component]] = [[]]
        for part in folders:
            if part != "**":
                runs[-1].append(_component(part, text))
            elif runs[-1] or len(runs) == 1:
                runs.append([])
        file = _file_name(name, text)
        fields = [field for run in runs for item in run for field in item.wildcards]
        known = _check_fields([*fields, *file.stem.wildcards], text)
        return cls(text, known, tuple(tuple(run) for run in runs), file)

    def match(self, parts: Sequence[str]) -> Mapping[str, str] | None:
        """Give the fields of a path's components (folders, then the file), None where it fails."""
        if not parts:
            return None
        found = self._file.match(normalised(parts[-1]))
        folders = self._fields_of(tuple(parts[:-1])) if found is not None else None
        return None if found is None or folders is None else folders | found

    def _fields_of(self, folders: tuple[str, ...]) -> dict[str, str] | None:
        if folders not in self._last:
            self._last.clear()
            self._last[folders] = self._match_folders([normalised(one) for one in folders])
        return self._last[folders]

    def _match_folders(self, names: Sequence[str]) -> dict[str, str] | None:
        first, *middle = self._folders
        found = _match_run(first, names, 0)
        if found is None or not middle:
            return found if len(names) == len(first) else None
        start, (*between, last) = len(first), middle
        for run in between:
            matched, start = _first_match(run, names, start)
            if matched is None:
                return None
            found |= matched
        ending = len(names) - len(last)
        matched = _match_run(last, names, ending) if ending >= start else None
        return None if matched is None else found | matched


def _match_run(run: Sequence[_Component], names: Sequence[str], at: int) -> dict[str, str] | None:
    if at + len(run) > len(names):
        return None
    found: dict[str, str] = {}
    for component, name in zip(run, names[at:], strict=False):
        matched = component.match(name)
        if matched is None:
            return None
        found |= matched
    return found


def _first_match(
    run: Sequence[_Component], names: Sequence[str], start: int
) -> tuple[dict[str, str] | None, int]:
    for at in range(start, len(names) - len(run) + 1):
        matched = _match_run(run, names, at)
        if matched is not None:
            return matched, at + len(run)
    return None, start


def _component(part: str, layout: str) -> _Component:
    literals, wildcards = [""], list[str | None]()
    for field, stars, literal, brace in _TOKEN.findall(part):
        if brace:
            raise _wrong(layout, f"a brace without its partner in {part!r}")
        if literal:
            literals[-1] += literal
            continue
        if len(stars) > 1:
            raise _wrong(layout, f"'**' must stand alone between slashes, not as in {part!r}")
        if wildcards and not literals[-1]:
            raise _wrong(layout, f"nothing tells where one field of {part!r} ends: add a separator")
        wildcards.append(None if stars or field == "*" else field)
        literals.append("")
    return _Component(tuple(literals), tuple(wildcards))


def _file_name(part: str, layout: str) -> _FileName:
    if part == "**":
        raise _wrong(layout, "it must end in a file name, as in '**/{measurement}.*'")
    pattern = _component(part, layout)
    if not pattern.wildcards:
        return _FileName(pattern, None)
    *_, before, tail = pattern.literals
    if pattern.wildcards[-1] is None:
        if tail or not before.endswith("."):
            return _FileName(pattern, None)
        shorter = _Component((*pattern.literals[:-2], before[:-1]), pattern.wildcards[:-1])
        return _FileName(shorter, ".*")
    stem, dot, ending = tail.partition(".")
    literals = (*pattern.literals[:-1], stem)
    return _FileName(replace(pattern, literals=literals), (dot + ending).lower())


def _check_fields(fields: Sequence[str | None], layout: str) -> frozenset[str]:
    named = [field for field in fields if field is not None]
    for field in named:
        if field not in FIELDS:
            near = get_close_matches(field, FIELDS, 1)
            hint = f"did you mean {{{near[0]}}}?" if near else "known: {" + "} {".join(FIELDS) + "}"
            raise _wrong(layout, f"unknown field {{{field}}}; {hint}")
        if named.count(field) > 1:
            raise _wrong(layout, f"{{{field}}} is in it twice")
    if "measurement" not in named:
        raise _wrong(layout, "it has no {measurement}")
    return frozenset(named)


def _wrong(layout: str, what: str) -> LayoutError:
    return LayoutError(f"layout {layout!r}: {what}")


def _end_at(text: str, literal: str) -> int:
    return len(text) - len(literal) if text.endswith(literal) else -1


def _split_last(name: str, suffixes: frozenset[str]) -> tuple[str, str]:
    dot = name.rfind(".")
    if dot > 0 and name[dot:].lower() in suffixes:
        return name[:dot], name[dot:]
    return name, ""
