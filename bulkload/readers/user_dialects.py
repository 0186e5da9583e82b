"""Dialects that a lab writes for its own tables.

They stand in a TOML file::

    [[dialect]]
    name = "rig 3"
    cycler = "Home-made rig"          # optional, for test_setup
    signature = ["U_cell", "I_load"]  # optional; without it all the columns below
    delimiter = ";"                   # optional; without it the header tells
    decimal = ","                     # optional; without it the values prove it
    encoding = "cp1252"               # optional; without it the bytes tell
    sign = "positive is charge"       # or "positive is discharge", "unsigned", "not stated"
    day_first = true                  # optional, for dates such as 06/05/2021

    [dialect.columns]
    "Time [s]" = { header = "t", unit = "min" }
    "Voltage [V]" = { header = "U_cell", unit = "mV" }
    "Current [A]" = { header = "I_load", unit = "mA" }
    mode = { header = "state" }

The columns are Ionworks' names, or the roles ``mode``, ``record`` and ``timestamp``; a value may
be the header alone, as in ``"Step from cycler" = "Step"``, where the header states the unit or
the quantity has none.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bulkload.core import terms
from bulkload.core.text import printable
from bulkload.errors import SettingsError
from bulkload.readers.dialect import MODE, RECORD, TIMESTAMP, ColumnRule, Dialect, Kind, Sign
from bulkload.readers.file_kinds import TEXT
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_format import TableFormat
from bulkload.readers.units import UNITS, conversion, split_heading

#: Largest dialect file that is read, in bytes: it is written by hand.
MAX_FILE_BYTES: Final = 1024 * 1024

_ROLES: Final = {
    "mode": (MODE, Kind.TEXT),
    "record": (RECORD, Kind.NUMBER),
    "timestamp": (TIMESTAMP, Kind.TIMESTAMP),
}
_KEYS: Final = frozenset(
    {
        "name",
        "cycler",
        "signature",
        "delimiter",
        "decimal",
        "encoding",
        "sign",
        "day_first",
        "columns",
    }
)


@dataclass(frozen=True)
class UserFormat(TableFormat):
    """A reader made of one dialect of the user's."""

    encoding: str | None = None

    def sniff(self, probe: Probe) -> Evidence:
        """Hold the dialect's signature against the text in its encoding."""
        return super().sniff(self._decoded(probe))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the table in the dialect's encoding."""
        return super().read(self._decoded(probe), options)

    def _decoded(self, probe: Probe) -> Probe:
        if self.encoding is None or probe.kind != TEXT:
            return probe
        try:
            text = probe.content.data.decode(self.encoding)
        except UnicodeDecodeError:
            return probe
        return Probe(replace(probe.content, data=text.encode("utf-8")))


def load_dialects(path: Path) -> tuple[Format, ...]:
    """Read a dialect file; ``SettingsError`` names the line of what is wrong with it."""
    shown = printable(path.name)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{shown}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise SettingsError(f"{shown}: too large for a file of dialects")
    try:
        text = raw.decode("utf-8")
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{shown}: {error}") from error
    source = _Source(shown, text)
    entries = document.get("dialect")
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"{shown}, line 1: no [[dialect]] in it")
    formats = tuple(_format(source, index, entry) for index, entry in enumerate(entries))
    names = [reader.name.lower() for reader in formats]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise source.wrong(index, "name", f"two dialects are called {name!r}")
    return formats


@dataclass(frozen=True)
class _Source:
    """The file, to name the line of an error."""

    name: str
    text: str

    def wrong(self, index: int, key: str, message: str) -> SettingsError:
        """Return the error, with the line of that key in that dialect."""
        return SettingsError(f"{self.name}, line {self._line(index, key)}: {message}")

    def _line(self, index: int, key: str) -> int:
        seen, begin = -1, 1
        wanted = re.compile(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=|^\s*\[.*\b{re.escape(key)}\b")
        for number, line in enumerate(self.text.splitlines(), start=1):
            if re.match(r"^\s*\[\[\s*dialect\s*\]\]", line):
                seen += 1
                begin = number if seen == index else begin
            elif seen == index and wanted.match(line):
                return number
        return begin


def _format(source: _Source, index: int, entry: Any) -> Format:
    if not isinstance(entry, dict):
        raise source.wrong(index, "dialect", "a dialect is a table")
    for key in entry.keys() - _KEYS:
        known = ", ".join(sorted(_KEYS))
        raise source.wrong(
            index, key, f"{printable(key)!r} is not known; the known ones are {known}"
        )
    name = _text(source, index, entry, "name")
    if name is None:
        raise source.wrong(index, "name", "a dialect needs a name")
    columns = _columns(source, index, entry)
    signature = _signature(source, index, entry, columns)
    encoding = _text(source, index, entry, "encoding")
    if encoding is not None:
        _check_encoding(source, index, encoding)
    dialect = Dialect(
        name=name,
        cycler=_text(source, index, entry, "cycler") or "",
        signature=signature,
        columns=columns,
        sign=_sign(source, index, entry),
        delimiter=_one_of(source, index, entry, "delimiter", (",", ";", "\t")),
        decimal=_one_of(source, index, entry, "decimal", (".", ",")),
        day_first=_truth(source, index, entry, "day_first"),
    )
    return UserFormat(name=name, dialects=(dialect,), encoding=encoding)


def _text(source: _Source, index: int, entry: Mapping[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise source.wrong(index, key, f"{key!r} is a text")


def _truth(source: _Source, index: int, entry: Mapping[str, Any], key: str) -> bool | None:
    value = entry.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise source.wrong(index, key, f"{key!r} is true or false")


def _one_of(
    source: _Source, index: int, entry: Mapping[str, Any], key: str, allowed: Sequence[str]
) -> str | None:
    value = entry.get(key)
    if value is None or value in allowed:
        return value
    listed = ", ".join(map(repr, allowed))
    raise source.wrong(index, key, f"{key!r} is one of {listed}, not {value!r}")


def _check_encoding(source: _Source, index: int, encoding: str) -> None:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise source.wrong(index, "encoding", f"no encoding is called {encoding!r}") from error


def _sign(source: _Source, index: int, entry: Mapping[str, Any]) -> Sign:
    value = entry.get("sign", Sign.UNSTATED.value)
    try:
        return Sign(value)
    except ValueError as error:
        listed = ", ".join(repr(sign.value) for sign in Sign)
        raise source.wrong(index, "sign", f"'sign' is one of {listed}, not {value!r}") from error


def _columns(source: _Source, index: int, entry: Mapping[str, Any]) -> tuple[ColumnRule, ...]:
    stated = entry.get("columns")
    if not isinstance(stated, dict):
        raise source.wrong(index, "columns", "a dialect needs a table [dialect.columns]")
    for needed in (terms.VOLTAGE, terms.CURRENT):
        if needed not in stated:
            raise source.wrong(index, "columns", f"no column for {needed!r}")
    if terms.TIME not in stated and "timestamp" not in stated:
        raise source.wrong(index, "columns", f"no column for {terms.TIME!r} or 'timestamp'")
    return tuple(_column(source, index, target, value) for target, value in stated.items())


def _column(source: _Source, index: int, target: str, value: Any) -> ColumnRule:
    described = {"header": value} if isinstance(value, str) else value
    if not isinstance(described, dict) or not isinstance(described.get("header"), str):
        raise source.wrong(index, target, f"{target!r} needs the header of its column")
    for key in described.keys() - {"header", "unit"}:
        raise source.wrong(index, target, f"{key!r} is not known; there are 'header' and 'unit'")
    heading = split_heading(described["header"])
    role = _ROLES.get(target)
    if role is not None:
        return ColumnRule(role[0], (heading.base,), kind=role[1])
    unit = described.get("unit", heading.unit)
    if target in UNITS:
        if not isinstance(unit, str):
            raise source.wrong(index, target, f"{target!r} needs a unit")
        if conversion(target, unit) is None:
            raise source.wrong(index, target, f"the unit {unit!r} is not known for {target!r}")
    kind = Kind.DURATION if target == terms.TIME else Kind.NUMBER
    return ColumnRule(
        target, (heading.base,), unit=unit, kind=kind, ignores_unit="unit" in described
    )


def _signature(
    source: _Source, index: int, entry: Mapping[str, Any], columns: Sequence[ColumnRule]
) -> tuple[tuple[str, ...], ...]:
    stated = entry.get("signature")
    if stated is None:
        return tuple(column.names for column in columns)
    if not isinstance(stated, list) or not all(isinstance(name, str) for name in stated):
        raise source.wrong(index, "signature", "'signature' is a list of headers")
    return tuple((split_heading(name).base,) for name in stated)
