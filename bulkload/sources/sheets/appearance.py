"""How an .xlsx looks to the person who made it, where that is not what its cells hold.

Rows and columns may be hidden, by hand or by a filter; a sheet may be hidden, or lie behind the
one that is read; a cell may show an error, or a formula that no program has computed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkload.core.sheets.rows import UncomputedFormula

#: Largest sheet, in bytes of its XML, that is looked at: about a million rows of ten cells.
MAX_LOOKED_AT_BYTES: Final = 512 << 20
#: Rows and sheets that a remark names; of more it gives the number.
NAMED: Final = 8

_ROW: Final = re.compile(rb'<row\b[^>]*?\br="(\d+)"[^>]*>')
_COLUMN: Final = re.compile(rb'<col\b[^>]*?\bmin="(\d+)" max="(\d+)"[^>]*>')
_HIDDEN: Final = re.compile(rb'\b(?:hidden|zeroHeight)="(?:1|true)"')
_CELL: Final = re.compile(rb'<c\b[^>]*?\br="([A-Z]{1,3})(\d+)"([^>]*)>(.*?)</c>', re.DOTALL)
_ERROR: Final = re.compile(rb'\bt="e"')
_VALUE: Final = re.compile(rb"<v>([^<]+)</v>")
_SHEET: Final = re.compile(rb"<sheet\b[^>]*>")
_ATTRIBUTE: Final = re.compile(rb'([\w:]+)="([^"]*)"')
_RELATION: Final = re.compile(rb"<Relationship\b[^>]*>")


@dataclass(frozen=True, slots=True)
class SheetError:
    """A cell that shows an error of the spreadsheet."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What is not as it looks in one sheet."""

    hidden_rows: Sequence[int] = ()
    #: Numbers of columns, from 0.
    hidden_columns: Sequence[int] = ()
    is_filtered: bool = False
    #: Row as the spreadsheet shows it, and column from 0 -> what stands there.
    faults: Mapping[tuple[int, int], SheetError | UncomputedFormula] = field(default_factory=dict)


def appearance_of(path: Path, sheet: str) -> Appearance:
    """Look at a sheet of an .xlsx; one that cannot be looked at is as it looks."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = _part_of(archive, sheet)
            if name is None or archive.getinfo(name).file_size > MAX_LOOKED_AT_BYTES:
                return Appearance()
            xml = archive.read(name)
    except (zipfile.BadZipFile, OSError, KeyError, NotImplementedError):
        return Appearance()
    hidden_rows = []
    if b"hidden" in xml or b"zeroHeight" in xml:
        hidden_rows = [int(row[1]) for row in _ROW.finditer(xml) if _HIDDEN.search(row[0])]
    return Appearance(
        hidden_rows=hidden_rows,
        hidden_columns=[*_hidden_columns(xml)],
        is_filtered=b"<filterColumn" in xml,
        faults=dict(_faults(xml)) if b'"e"' in xml or b"<f" in xml else {},
    )


def _hidden_columns(xml: bytes) -> Iterator[int]:
    for column in _COLUMN.finditer(xml[: xml.find(b"<sheetData")]):
        if _HIDDEN.search(column[0]):
            # Everything to the right of a sheet may be hidden at once.
            yield from range(int(column[1]) - 1, min(int(column[2]), int(column[1]) + 255))


def _faults(xml: bytes) -> Iterator[tuple[tuple[int, int], SheetError | UncomputedFormula]]:
    for cell in _CELL.finditer(xml):
        letters, row, attributes, content = cell.groups()
        value = _VALUE.search(content)
        at = int(row), column_number(letters)
        if _ERROR.search(attributes):
            yield at, SheetError("#N/A" if value is None else value[1].decode("utf-8", "replace"))
        # A text that a formula gave may be empty.
        elif b"<f" in content and value is None and b't="str"' not in attributes:
            yield at, UncomputedFormula()


def column_number(letters: bytes) -> int:
    """Return the number of a column from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the file in a workbook that holds a sheet."""
    wanted = None
    for found in _SHEET.finditer(archive.read("xl/workbook.xml")):
        attributes = dict(_ATTRIBUTE.findall(found[0]))
        if _text(attributes.get(b"name", b"")) == sheet:
            wanted = attributes.get(b"r:id")
    for found in _RELATION.finditer(archive.read("xl/_rels/workbook.xml.rels")):
        attributes = dict(_ATTRIBUTE.findall(found[0]))
        if wanted is not None and attributes.get(b"Id") == wanted:
            target = attributes[b"Target"].decode().lstrip("/")
            return target if target.startswith("xl/") else f"xl/{target}"
    return None


def _text(escaped: bytes) -> str:
    text = escaped.decode("utf-8", "replace")
    for code, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'")):
        text = text.replace(code, char)
    return text.replace("&amp;", "&")


def named(items: Sequence[object]) -> str:
    """Return items as a list for a message; of many, the first."""
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return ", ".join(str(item) for item in items[:NAMED]) + more
