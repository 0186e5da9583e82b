"""``bulkload.toml``: a whole job as a file that people read and keep.

Every key is checked, and everything that is wrong is said at once, with file, line and key.
Relative paths start at the file's folder. No secret stands in it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from bulkload.core.layouts import Layouts, NamedPattern
from bulkload.core.path_layout import Layout, LayoutError, normalised
from bulkload.core.plan_items import Specification
from bulkload.core.sheets.cell_table import CellRecord
from bulkload.core.sheets.headers import OPEN_FIELDS
from bulkload.core.text import printable, shown
from bulkload.errors import JobFileError, SettingsError, UnreadableError
from bulkload.sources import value_checks as values
from bulkload.sources.jobfile.lines import Keys, key_lines, line_of
from bulkload.sources.json_yaml_toml import Document, load
from bulkload.sources.schema import CELL_KEYS, MEASUREMENT_KEYS, check_specification, unknown
from bulkload.sources.selection import Patterns
from bulkload.sources.sheets.stated import known_map_fields
from bulkload.sources.value_checks import WrongValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternDefaults:
    """What holds for every measurement whose path below its source matches."""

    match: Patterns
    #: Keys and values as a ``.meta`` file has them.
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """One ``[[source]]``: where files lie, and how names come out of their paths."""

    #: An absolute path, or a URL as it was written.
    path: str
    #: None: the layout of the command line.
    layouts: Layouts | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """A job as its file states it."""

    path: Path
    sources: tuple[JobSource, ...]
    defaults: tuple[PatternDefaults, ...] = ()
    specifications: tuple[Specification, ...] = ()
    cells: tuple[CellRecord, ...] = ()
    #: Options of the command line that the file states, by their names there, with their lines.
    options: Mapping[str, tuple[Any, int]] = field(default_factory=dict)


#: Keys of ``[limits]``; every other option stands in ``[options]``.
LIMIT_KEYS: Final = (
    *("workers", "connections", "memory", "grace", "outage_limit", "lanes", "parts"),
)
#: Keys at the top and in ``[target]`` that are options of the command line, as they are.
_PATH_KEYS: Final = ("specs", "cells", "tests", "dialects")
_PATTERN_KEYS: Final = ("include", "exclude")
_TARGET_KEYS: Final = ("url", "project", "local")
_TABLES: Final = ("source", "defaults", "specification", "cell", "map", "target", "options")
TOP_KEYS: Final = ("job", *_PATH_KEYS, *_PATTERN_KEYS, *_TABLES, "limits")
_SOURCE_KEYS: Final = ("path", "layout", "pattern", *_PATTERN_KEYS)
#: What is said of one measurement only: a pattern cannot state it.
_NOT_BY_PATTERN: Final = frozenset({"member", "start_time", "end_time"})
_DEFAULT_KEYS: Final = {
    key: parse for key, parse in MEASUREMENT_KEYS.items() if key not in _NOT_BY_PATTERN
}
_CELL_KEYS: Final = {**CELL_KEYS, "spec": values.name}
#: Words in a key that holds a secret.
_SECRETS: Final = ("key", "token", "password", "secret")


def is_job_file(path: Path) -> bool:
    """Return whether a file is a ``bulkload.toml`` of a job; one of a database is not."""
    if path.suffix.lower() != ".toml" or not path.is_file():
        return False
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # Reading it as a job says what is wrong with it, and in which line.
        return True
    source = document.get("source")
    return not isinstance(source, dict) or "sql" not in source


#: Says what is wrong with the options of a file: lines and sentences.
CheckOptions = Callable[[Mapping[str, tuple[Any, int]]], Iterable[tuple[int, str]]]


def read_job_file(path: Path, check_options: CheckOptions = lambda _: ()) -> JobFile:
    """Read a job; raises ``JobFileError`` with all that is wrong with it.

    ``check_options`` checks what only the command line knows: its options and their values.
    """
    try:
        document = load(path)
    except UnreadableError as error:
        raise _wrong(path, [str(error)]) from error
    return _Reader(path, document).read(check_options)


class _Reader:
    """Reads one file; what is wrong is collected, and raised at the end."""

    def __init__(self, path: Path, document: Document) -> None:
        self._path = path
        self._base = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links stay as they are
        self._data: Mapping[str, Any] = document.data
        self._lines = key_lines(document.text)
        self._faults: list[tuple[int, str]] = []
        self._options: dict[str, tuple[Any, int]] = {}

    def read(self, check_options: CheckOptions) -> JobFile:
        self._known(self._data, TOP_KEYS, ())
        for key in ("job", *_PATH_KEYS):
            self._option(key, (), partial(self._path_of, is_there=key != "job"))
        for key in _PATTERN_KEYS:
            self._option(key, (), _patterns)
        self._option("map", (), _column_map)
        self._target()
        self._tables_of_options()
        job = JobFile(
            path=self._path,
            sources=tuple(filter(None, map(self._source, self._entries("source", needed=True)))),
            defaults=tuple(filter(None, map(self._defaults, self._entries("defaults")))),
            specifications=tuple(
                filter(None, map(self._specification, self._entries("specification")))
            ),
            cells=tuple(filter(None, map(self._cell, self._entries("cell")))),
            options=self._options,
        )
        self._faults += check_options(self._options)
        if self._faults:
            raise _wrong(
                self._path, [f"line {line}: {what}" for line, what in sorted(self._faults)]
            )
        return job

    def _fault(self, keys: Keys, what: str) -> None:
        name = ".".join(str(key) for key in keys if isinstance(key, str))
        subject = f"key {shown(name)} " if name else ""
        self._faults.append((line_of(self._lines, keys), f"{subject}{what}"))

    def _known(self, table: Mapping[str, Any], known: Iterable[str], above: Keys) -> None:
        names = dict.fromkeys(known)
        for key in table:
            if key not in names:
                self._fault((*above, key), _unknown(key, names))

    def _parsed(self, table: Mapping[str, Any], key: str, above: Keys, parse: Parse) -> Any:
        """Return a value as it is meant, None where it is not there or faulty."""
        if key not in table:
            return None
        try:
            return parse(table[key])
        except (ValueError, SettingsError) as error:
            self._fault((*above, key), str(error))
            return None

    def _option(self, key: str, above: Keys, parse: Parse, name: str | None = None) -> None:
        table = self._data
        for one in above:
            table = table.get(str(one), {})
        value = self._parsed(table, key, above, parse)
        if value is not None:
            self._options[name or key] = (value, line_of(self._lines, (*above, key)))

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self._data.get(name, {})
        if isinstance(table, dict):
            return table
        self._fault((name,), f"must be a table: write it as [{name}]")
        return {}

    def _entries(self, name: str, *, needed: bool = False) -> list[tuple[Keys, dict[str, Any]]]:
        entries = self._data.get(name)
        if entries is None and needed:
            self._fault((), f"holds no [[{name}]]: name a folder, or a manifest, as its path")
        if entries is None:
            return []
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            self._fault((name,), f"must be written with two brackets: [[{name}]]")
            return []
        return [((name, at), entry) for at, entry in enumerate(entries)]

    def _target(self) -> None:
        target = self._table("target")
        self._known(target, _TARGET_KEYS, ("target",))
        if target:
            self._option("url", ("target",), _url)
            self._option("project", ("target",), values.name)
            self._option("local", ("target",), self._path_of)

    def _tables_of_options(self) -> None:
        """Take the options as they are: the command that is run knows them."""
        for table in ("options", "limits"):
            for key in self._table(table):
                if table == "limits" and key.replace("-", "_") not in LIMIT_KEYS:
                    self._fault((table, key), _unknown(key, dict.fromkeys(LIMIT_KEYS)))
                elif table == "options" and (place := _place_of(key)):
                    self._fault((table, key), f"stands {place}, not in [options]")
                else:
                    self._option(key, (table,), _plain, f"{table}.{key}")

    def _source(self, entry: tuple[Keys, dict[str, Any]]) -> JobSource | None:
        keys, table = entry
        self._known(table, _SOURCE_KEYS, keys)
        if "path" not in table:
            self._fault(keys, "has no path: the folder or the manifest that it is about")
        path = self._parsed(table, "path", keys, partial(self._path_of, is_there=True))
        layouts = self._parsed(table, "layout", keys, _ways(Layout.parse)) or ()
        patterns = self._parsed(table, "pattern", keys, _ways(NamedPattern.parse)) or ()
        include, exclude = (self._parsed(table, key, keys, _patterns) for key in _PATTERN_KEYS)
        ways = (*layouts, *patterns)
        return path and JobSource(
            path=path,
            layouts=Layouts(ways) if ways else None,
            include=include or (),
            exclude=exclude or (),
        )

    def _defaults(self, entry: tuple[Keys, dict[str, Any]]) -> PatternDefaults | None:
        keys, table = entry
        self._known(table, ("match", *_DEFAULT_KEYS), keys)
        if "match" not in table:
            self._fault(keys, 'has no match: a pattern of paths, such as match = "**/RPT*"')
        match = self._parsed(table, "match", keys, _patterns)
        fields = {
            key: self._parsed(table, key, keys, parse)
            for key, parse in _DEFAULT_KEYS.items()
            if key in table
        }
        return match and PatternDefaults(match=Patterns.of("match", match), fields=fields)

    def _specification(self, entry: tuple[Keys, dict[str, Any]]) -> Specification | None:
        keys, table = entry
        checked = check_specification(table)
        for fault in checked.faults:
            self._fault((*keys, *fault.keys), fault.message)
        if "name" not in table:
            self._fault(keys, "has no name")
        if checked.faults or "name" not in table:
            return None
        name = normalised(checked.fields["name"])
        origin = f"{self._path}, line {line_of(self._lines, keys)}"
        return Specification(name=name, payload={**checked.fields, "name": name}, origin=origin)

    def _cell(self, entry: tuple[Keys, dict[str, Any]]) -> CellRecord | None:
        keys, table = entry
        self._known(table, _CELL_KEYS, keys)
        stated = {
            key: self._parsed(table, key, keys, parse)
            for key, parse in _CELL_KEYS.items()
            if key in table
        }
        if "name" not in table:
            self._fault(keys, "has no name")
        if not stated.get("name"):
            return None
        return CellRecord(
            name=stated.pop("name"),
            row=line_of(self._lines, keys),
            spec=stated.pop("spec", None) or "",
            batch=stated.pop("batch", None) or "",
            payload=stated,
        )

    def _path_of(self, value: object, *, is_there: bool = False) -> str:
        """Return a path from the file's folder as an absolute one; a URL stays as it is."""
        text = values.text(value)
        if "://" in text:
            return _url(text)
        path = os.path.normpath(self._base / text)
        if is_there and not os.path.lexists(path):
            raise WrongValueError(
                f"names {shown(text)}, which does not exist; relative paths start at the folder "
                "of this file"
            )
        return path


def _wrong(path: Path, sentences: Sequence[str]) -> JobFileError:
    more = "" if len(sentences) == 1 else f" has {len(sentences)} errors"
    lines = [f"{path}, {one}" if not more else f"  {one}" for one in sentences]
    return JobFileError("\n".join(map(printable, [f"{path}{more}:", *lines] if more else lines)))


Parse = Callable[[object], Any]
T = TypeVar("T")


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    if any(word in key.lower() for word in _SECRETS) and "header" not in key:
        return "is not known; a secret does not belong in this file: set IONWORKS_API_KEY"
    return unknown(key, known)


def _place_of(key: str) -> str:
    """Return where an option stands that has a place of its own, empty for any other."""
    name = key.replace("-", "_")
    if name in LIMIT_KEYS:
        return "in [limits]"
    if name in _TARGET_KEYS:
        return "in [target]"
    if name == "layout":
        return "in its [[source]]"
    return "at the top" if name in TOP_KEYS else ""


def _plain(value: object) -> Any:
    """Return a value of an option: true, false, a number, a text, or a list of these."""
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return value
    if isinstance(value, bool | int | float | str):
        return value
    raise WrongValueError("must be a text, a number, true or false, or a list of these")


def _patterns(value: object) -> tuple[str, ...]:
    """Return one pattern or several, in the form of a ``.gitignore``."""
    found = tuple(values.texts([value] if isinstance(value, str) else value))
    Patterns.of("pattern", found)
    return found


def _ways(parse: Callable[[str], T]) -> Callable[[object], tuple[T, ...]]:
    """Return what parses one way of naming, or a list of them."""

    def parse_all(value: object) -> tuple[T, ...]:
        found: list[T] = []
        for text in values.texts([value] if isinstance(value, str) else value):
            try:
                found.append(parse(text))
            except LayoutError as error:
                raise WrongValueError(str(error)) from error
        return tuple(found)

    return parse_all


def _column_map(value: object) -> str:
    """Return ``[map]`` as ``--map`` has it."""
    if not isinstance(value, dict):
        raise WrongValueError('must be a table: [map], then "Zellname" = "cell"')
    known = known_map_fields()
    words = []
    for column, name in value.items():
        wanted = values.text(name)
        plain = wanted.partition("[")[0].strip()
        if plain not in known and not plain.startswith(OPEN_FIELDS):
            raise WrongValueError(f"maps {shown(column)} to a field that {unknown(plain, known)}")
        if "=" in column:
            raise WrongValueError(f"has a column {shown(column)} with '=' in its name: rename it")
        words.append(f"{column}={wanted}")
    return ", ".join(words)


def _url(value: object) -> str:
    text = values.text(value)
    parts = urlsplit(text)
    if parts.username or parts.password or "@" in parts.netloc:
        raise WrongValueError("holds credentials; a secret does not belong in this file")
    return text
