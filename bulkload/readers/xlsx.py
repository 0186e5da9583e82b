"""Plain .xlsx sheets at the speed of text: their XML is cut like a delimited file.

A cycler's sheet is regular: every row has the same cells, each with one value. Such a row is
``<row ..><c r="A2" s="1"><v>7</v></c>...</row>``; with ``<`` as the delimiter and the end of a row
as the end of a line, the text parser takes it apart. Whatever is not that regular (empty cells,
formulas, inline text, phonetics) raises ``IrregularError``, and calamine reads the workbook.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Final
from xml.sax.saxutils import unescape

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bulkload.readers.content import MAX_CONTENT_BYTES
from bulkload.readers.dialect import HeaderRow, Kind, may_be_header

#: Rows of a sheet that are looked at to find its header.
HEAD_ROWS: Final = 40

_SHEET: Final = re.compile(rb'<sheet\b[^>]*?\bname="([^"]*)"[^>]*?\br:id="([^"]*)"')
_RELATION: Final = re.compile(rb"<Relationship\b[^>]*>")
_ATTRIBUTE: Final = re.compile(rb'\b(Id|Target)="([^"]*)"')
_ROW: Final = re.compile(rb"<row\b[^>]*?(?:/>|>(.*?)</row>)", re.DOTALL)
_CELL: Final = re.compile(rb'<c r="([A-Z]+)\d+"([^>]*?)(?:/>|>(.*?)</c>)', re.DOTALL)
_TYPED: Final = re.compile(rb' t="(?:s|str|inlineStr)"')
_SHARED: Final = re.compile(rb'<c r="[A-Z]+\d+"[^>]*? t="s"[^>]*><v>(\d+)</v>')
_INLINE: Final = re.compile(rb"<t[^>]*>(.*?)</t>", re.DOTALL)
_ITEM: Final = re.compile(rb"<si>(.*?)</si>|<si/>", re.DOTALL)

#: A shared string of one run, as nearly all are.
_PLAIN_ITEM: Final = re.compile(r"<si><t[^>]*>([^<]*)</t></si>")
_ENTITIES: Final = {"&quot;": '"', "&apos;": "'", "&#10;": "\n"}

#: Number formats by number, those of the cells, and what in a format shows a clock or calendar.
_FORMAT: Final = re.compile(rb'<numFmt\b[^>]*?numFmtId="(\d+)"[^>]*?formatCode="([^"]*)"')
_CELL_FORMATS: Final = re.compile(rb"<cellXfs\b[^>]*>(.*?)</cellXfs>", re.DOTALL)
_FORMAT_USED: Final = re.compile(rb'<xf\b[^>]*?numFmtId="(\d+)"')
_LITERAL: Final = re.compile(
    rb"&quot;.*?&quot;|\\.|\[(?:Red|Blue|Green|Black|\$[^\]]*)\]", re.IGNORECASE
)
_CLOCK: Final = re.compile(rb"[dhmsy]", re.IGNORECASE)
_STYLE: Final = re.compile(r' s="(\d+)"')

#: Built-in formats of dates and times.
_DATE_FORMATS: Final = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))

#: Fields that each cell is cut into: its opening, its value, and the ends of both.
_FIELDS: Final = 4


class IrregularError(Exception):
    """The workbook is not of the plain form that is read here."""


@dataclass(frozen=True)
class PlainBook:
    """An .xlsx file, its sheets unpacked when asked for."""

    data: bytes

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(io.BytesIO(self.data))
        except zipfile.BadZipFile as error:
            raise IrregularError from error

    def _part(self, name: str) -> bytes:
        try:
            if self._archive.getinfo(name).file_size > MAX_CONTENT_BYTES:
                raise IrregularError
            return self._archive.read(name)
        except (KeyError, zipfile.BadZipFile, OSError, NotImplementedError, EOFError) as error:
            raise IrregularError from error

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        targets = {}
        for tag in _RELATION.findall(self._part("xl/_rels/workbook.xml.rels")):
            found = dict(_ATTRIBUTE.findall(tag))
            targets[found.get(b"Id", b"")] = found.get(b"Target", b"").decode()
        names = _SHEET.findall(self._part("xl/workbook.xml"))
        if not names or any(key not in targets for _, key in names):
            raise IrregularError
        return {
            _text(name): "xl/" + targets[key].removeprefix("/xl/").removeprefix("xl/")
            for name, key in names
        }

    @property
    def names(self) -> Sequence[str]:
        """The sheets, in the order of the workbook."""
        return list(self._paths)

    @cached_property
    def _strings(self) -> Sequence[str]:
        if "xl/sharedStrings.xml" not in self._archive.namelist():
            return ()
        xml = self._part("xl/sharedStrings.xml")
        if b"<rPh" in xml:
            raise IrregularError
        plain = _PLAIN_ITEM.findall(xml.decode("utf-8"))
        if len(plain) == xml.count(b"<si>") + xml.count(b"<si/>"):
            return [unescape(item, _ENTITIES) for item in plain] if b"&" in xml else plain
        return [_text(b"".join(_INLINE.findall(item))) for item in _ITEM.findall(xml)]

    @cached_property
    def strings(self) -> pa.Array:
        """The shared strings as a column looks them up."""
        return pa.array(self._strings, pa.string())

    @cached_property
    def dated(self) -> frozenset[int]:
        """The styles that show a number as a date or a time of day."""
        xml = self._part("xl/styles.xml") if "xl/styles.xml" in self._archive.namelist() else b""
        codes = {int(number): code for number, code in _FORMAT.findall(xml)}
        own = {number for number, code in codes.items() if _CLOCK.search(_LITERAL.sub(b"", code))}
        formats = _CELL_FORMATS.search(xml)
        used = _FORMAT_USED.findall(formats.group(1)) if formats else []
        return frozenset(i for i, f in enumerate(used) if int(f) in own | _DATE_FORMATS)

    def _xml(self, sheet: str) -> bytes:
        if sheet not in self._unpacked:
            self._unpacked[sheet] = self._part(self._paths[sheet])
        return self._unpacked[sheet]

    @cached_property
    def _unpacked(self) -> dict[str, bytes]:
        return {}

    def head(self, sheet: str) -> Sequence[Sequence[Any]]:
        """Return the first rows: text and numbers in their places, empty text elsewhere."""
        if sheet not in self._heads:
            rows = islice(_ROW.finditer(self._xml(sheet)), HEAD_ROWS)
            self._heads[sheet] = [self._cells(row.group(1) or b"") for row in rows]
        return self._heads[sheet]

    @cached_property
    def _heads(self) -> dict[str, Sequence[Sequence[Any]]]:
        return {}

    def header_rows(self, sheet: str) -> Sequence[HeaderRow]:
        """Return those of the first rows that may be headers; only they are taken apart."""
        if sheet not in self._header_rows:
            self._header_rows[sheet] = list(self._find_header_rows(sheet))
        return self._header_rows[sheet]

    @cached_property
    def _header_rows(self) -> dict[str, Sequence[HeaderRow]]:
        return {}

    def _find_header_rows(self, sheet: str) -> Iterator[HeaderRow]:
        for index, match in enumerate(islice(_ROW.finditer(self._xml(sheet)), HEAD_ROWS)):
            row = match.group(1) or b""
            texts, filled = len(_TYPED.findall(row)), row.count(b"<v>") + row.count(b"<is>")
            if not may_be_header(texts, filled):
                continue
            shared = _SHARED.findall(row)
            if len(shared) == texts:
                cells: list[Any] = [self._strings[int(place)] for place in shared]
            else:
                cells = self._cells(row)
            yield HeaderRow(index, tuple(cell for cell in cells if isinstance(cell, str) and cell))

    def _cells(self, row: bytes) -> list[Any]:
        cells: list[Any] = []
        for letters, attributes, inner in _CELL.findall(row):
            if letters != _letters(len(cells)):
                cells.extend([""] * (_index(letters.decode()) - len(cells)))
            cells.append(self._cell(attributes, inner))
        return cells

    def _cell(self, attributes: bytes, inner: bytes) -> Any:
        if b'"inlineStr"' in attributes:
            return _text(b"".join(_INLINE.findall(inner)))
        begin, end = inner.find(b"<v>"), inner.find(b"</v>")
        if not 0 <= begin < end:
            return ""
        value = inner[begin + len(b"<v>") : end]
        if b't="s"' in attributes:
            return self._strings[int(value)]
        if b't="' in attributes and b't="n"' not in attributes:
            return _text(value)
        return float(value)

    def grid(self, name: str, sheet: str, header: int) -> PlainGrid:
        """Return the table below a header row (from 0)."""
        del name
        xml = self._xml(sheet)
        match = next(islice(_ROW.finditer(xml), header, None), None)
        end = xml.rfind(b"</sheetData>")
        if match is None or end < 0:
            raise IrregularError
        names = [str(cell) for cell in self._cells(match.group(1) or b"")]
        return PlainGrid(self, sheet, names, xml[match.end() : end])


@dataclass
class PlainGrid:
    """A table in a plain sheet."""

    book: PlainBook
    sheet: str
    names: Sequence[str]
    body: bytes

    @property
    def units(self) -> Sequence[str | None]:
        """A workbook has its units in the header."""
        return [None] * len(self.names)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The sheet that was read."""
        return {"sheet": self.sheet}

    @property
    def is_empty(self) -> bool:
        """Nothing stands below the header."""
        return not self.body

    def sample(self, index: int) -> str:
        """Return the first cell of a column, as text."""
        row = _ROW.search(self.body)
        cells = self.book._cells(row.group(1) or b"") if row else []  # noqa: SLF001
        return str(cells[index]) if index < len(cells) else ""

    def fetch(self, kinds: Mapping[int, Kind]) -> Mapping[int, pa.ChunkedArray]:
        """Cut the XML into cells and take the wanted columns."""
        table = self._cut(kinds)
        return {index: self._column(table, index, kind) for index, kind in kinds.items()}

    def _cut(self, kinds: Mapping[int, Kind]) -> pa.Table:
        end = self.body.find(b"</row>")
        cells = self.body.count(b"<c ", 0, end)
        if end < 0 or b"\n" in self.body.strip() or max(kinds) >= cells:
            raise IrregularError
        names = [str(field) for field in range(2 + _FIELDS * cells)]
        wanted = [str(2 + _FIELDS * index + part) for index in kinds for part in (0, 1)]
        try:
            return pa_csv.read_csv(
                pa.py_buffer(self.body.strip().replace(b"</row>", b"\n")),
                read_options=pa_csv.ReadOptions(use_threads=False, column_names=names),
                parse_options=pa_csv.ParseOptions(delimiter="<", quote_char=False),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted
                ),
            )
        except pa.ArrowInvalid as error:
            raise IrregularError from error

    def _column(self, table: pa.Table, index: int, kind: Kind) -> pa.ChunkedArray:
        opening = table.column(str(2 + _FIELDS * index))
        value = table.column(str(3 + _FIELDS * index))
        in_place = pc.starts_with(opening, f'c r="{_letters(index).decode()}')
        if not _all(in_place) or not _all(pc.starts_with(value, "v>")):
            raise IrregularError
        if kind is Kind.NUMBER and self._is_dated(opening):
            raise IrregularError
        typed = pc.match_substring(opening, ' t="')
        text = pc.utf8_slice_codeunits(value, 2)
        try:
            if not pc.any(typed).as_py():
                return text.cast(pa.float64()) if kind is Kind.NUMBER else text
            if kind is Kind.NUMBER or not _all(pc.match_substring(opening, ' t="s"')):
                raise IrregularError
            return strings_at(self.book.strings, text)
        except (pa.ArrowInvalid, pa.ArrowIndexError) as error:
            raise IrregularError from error

    def _is_dated(self, opening: pa.ChunkedArray) -> bool:
        """Tell from the first and the last cell whether the numbers are dates or times."""
        styles = [_STYLE.search(opening[row].as_py()) for row in (0, -1)]
        return any(style is not None and int(style.group(1)) in self.book.dated for style in styles)


def strings_at(strings: pa.Array, places: pa.ChunkedArray) -> pa.ChunkedArray:
    """Look shared strings up by their places; empty ones are null."""
    found = pa.chunked_array([strings]).take(places.cast(pa.int64()))
    return pc.if_else(pc.equal(found, ""), None, found)


def _all(flags: pa.ChunkedArray) -> bool:
    return bool(pc.all(flags.fill_null(False)).as_py())  # pyarrow's signature


def _text(raw: bytes) -> str:
    return unescape(raw.decode("utf-8"), _ENTITIES)


def _index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


@lru_cache(maxsize=1024)
def _letters(index: int) -> bytes:
    letters = b""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = bytes((ord("A") + rest,)) + letters
    return letters
