"""Readers that are data: dialects of a text or a sheet, and what their preamble says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.dialect import Dialect
from bulkload.readers.file_kinds import TEXT, WORKBOOK
from bulkload.readers.header_fields import merged
from bulkload.readers.header_match import HeaderRow
from bulkload.readers.headers import find, grid_below
from bulkload.readers.multi_test import chosen_member, numbering, tests_in
from bulkload.readers.normalise import read_grid
from bulkload.readers.other_sheets import join_sheets
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.workbook import Book


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet that holds a table of a dialect."""

    name: str
    dialect: Dialect
    header: HeaderRow


@dataclass(frozen=True)
class TableFormat(Format):
    """A reader made of dialects."""

    name: str
    dialects: tuple[Dialect, ...]
    #: From the lines above the header to the header metadata.
    preamble: Callable[[Sequence[str], Probe], Mapping[str, Any]] | None = None
    #: From the other sheets of a workbook to the header metadata.
    book: Callable[[Book, str], Mapping[str, Any]] | None = None
    prepare: Callable[[Raw], None] | None = None

    def sniff(self, probe: Probe) -> Evidence:
        """Look for a header line, or a row of a sheet, that holds all of a dialect's signature."""
        if probe.kind == TEXT:
            for dialect in self.dialects:
                header = find(probe.headers, dialect)
                if header is not None:
                    line = f"line {header.number} holds the columns of {dialect.name}"
                    return Evidence(fits=(line,))
        if probe.kind == WORKBOOK:
            found = self._sheets(probe.book)
            if found:
                return Evidence(
                    fits=tuple(
                        f"sheet {sheet.name!r} has the columns of {sheet.dialect.name}"
                        for sheet in found
                    )
                )
        return Evidence()

    def members(self, probe: Probe) -> Sequence[str]:
        """Name the tests: sheets of data, and what a column of test numbers distinguishes."""
        if probe.kind == WORKBOOK:
            names = list(self._tests(probe.book, probe.name))
            return names if len(names) > 1 else ()
        for dialect in self.dialects:
            header = find(probe.headers, dialect)
            if header is None:
                continue
            if not numbering(header.names, dialect):
                return ()
            return tests_in(grid_below(probe.text, header, dialect), dialect, probe.name)
        return ()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the table that the signature found."""
        if probe.kind == WORKBOOK:
            return self._read_sheet(probe.book, probe, options)
        for dialect in self.dialects:
            header = find(probe.headers, dialect)
            if header is None:
                continue
            grid = grid_below(probe.text, header, dialect)
            reading = read_grid(grid, dialect, probe.name, options, self.prepare)
            if self.preamble is None:
                return reading
            above = probe.text.data[: header.begin].decode("utf-8").splitlines()
            return replace(reading, header=merged(reading.header, self.preamble(above, probe)))
        raise self._no_table(probe)

    def resembles(self, probe: Probe) -> Evidence:
        """Look for the header line that holds most of a dialect's signature."""
        nearest: Evidence = Evidence()
        for dialect in self.dialects if probe.kind == TEXT else ():
            for line in probe.headers:
                lacks = line.lacks(dialect)
                if len(lacks) < len(dialect.signature) and (
                    not nearest.fits or len(lacks) < len(nearest.lacks)
                ):
                    nearest = Evidence(
                        fits=(f"line {line.number} resembles {dialect.name}",), lacks=tuple(lacks)
                    )
        return nearest

    def _tests(self, book: Book, name: str) -> dict[str, tuple[_Sheet, str | None]]:
        """Name the tests of a workbook, each with its sheet and what it is called there."""
        sheets = self._sheets(book)
        found: dict[str, tuple[_Sheet, str | None]] = {}
        for sheet in sheets:
            tests: tuple[str, ...] = ()
            if numbering(sheet.header.names, sheet.dialect):
                tests = tests_in(
                    book.grid(name, sheet.name, sheet.header.index), sheet.dialect, name
                )
            if not tests:
                found[sheet.name] = sheet, None
            for test in tests:
                found[test if len(sheets) == 1 else f"{sheet.name} {test}"] = sheet, test
        return found

    def _sheets(self, book: Book) -> list[_Sheet]:
        """List the sheets that hold a signature."""
        found = []
        for sheet in book.names:
            rows = book.header_rows(sheet)
            fitting = ((d, header) for d in self.dialects if (header := _header_row(rows, d)))
            dialect, header = next(fitting, (None, None))
            if dialect is not None and header is not None:
                found.append(_Sheet(sheet, dialect, header))
        return found

    def _read_sheet(self, book: Book, probe: Probe, options: ReadOptions) -> Reading:
        found = self._tests(book, probe.name)
        if not found:
            raise self._no_table(probe)
        sheet, test = found[chosen_member(probe.name, list(found), options.member)]
        grid = book.grid(probe.name, sheet.name, sheet.header.index)
        if grid.is_empty:
            raise UnreadableError(
                f"{probe.name}: sheet {printable(sheet.name)!r} has a header and no rows",
                cause="no_rows",
            )
        options = replace(options, member=test)
        grid.decimal = sheet.dialect.decimal

        def prepare(raw: Raw) -> None:
            if self.prepare is not None:
                self.prepare(raw)
            join_sheets(raw, book, {one.name for one, _ in found.values()})

        reading = read_grid(grid, sheet.dialect, probe.name, options, prepare)
        if self.book is None:
            return reading
        return replace(reading, header=merged(reading.header, self.book(book, sheet.name)))

    def _no_table(self, probe: Probe) -> UnreadableError:
        wanted = "; ".join(
            f"{dialect.name}: " + ", ".join(" or ".join(group) for group in dialect.signature)
            for dialect in self.dialects
        )
        return UnreadableError(
            f"{probe.name}: read as {self.name}, but no header has its columns ({wanted})",
            cause="wrong_reader",
        )


def _header_row(rows: Sequence[HeaderRow], dialect: Dialect) -> HeaderRow | None:
    return next((row for row in rows if row.fits(dialect)), None)
