"""Files that hold Ionworks columns already: read as they are, nothing added or repaired."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.content import FileContent
from bulkload.readers.decimal_marks import whole_to_int
from bulkload.readers.delimited import (
    DELIMITERS,
    TextLayout,
    number_others,
    parse,
    refuse_duplicates,
)
from bulkload.readers.file_kinds import PARQUET, TEXT
from bulkload.readers.multi_test import PLAIN, keep_member_of, numbering, tests_of
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.text import HEAD_BYTES, Text

COUNTS: Final = (
    terms.STEP_COUNT,
    terms.CYCLE_COUNT,
    terms.STEP_FROM_CYCLER,
    terms.CYCLE_FROM_CYCLER,
)
MEASURED: Final = (
    terms.TIME,
    terms.VOLTAGE,
    terms.CURRENT,
    terms.TEMPERATURE,
    terms.POWER,
    *terms.CUMULATIVE_COLUMNS,
    terms.FREQUENCY,
    terms.Z_RE,
    terms.Z_IM,
    terms.CAPACITY,
    terms.STOICHIOMETRY,
    terms.SOC,
)
NUMBERS: Final = frozenset(COUNTS + MEASURED)

#: What makes a header native: a cycling table, a spectrum, or open-circuit potentials, each in
#: Ionworks' own spelling. Several tables of other origin share two names with it.
_MEASURED: Final = frozenset({terms.VOLTAGE, terms.CURRENT})
_SPECTRUM: Final = frozenset({terms.FREQUENCY, terms.Z_RE, terms.Z_IM})
_AXES: Final = frozenset({terms.CAPACITY, terms.STOICHIOMETRY, terms.SOC})

#: Ionworks columns in a header that is read as native because the user says so.
MIN_NATIVE_COLUMNS: Final = 2

#: Columns that tell a PyProBE file: its time, voltage and current have Ionworks' names, but its
#: current has the other sign.
_PYPROBE: Final = frozenset({"Step", "Event"})

_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

#: Name given to the unnamed index column that a data frame's CSV begins with.
INDEX: Final = ""


def is_native(names: Sequence[str]) -> bool:
    """Return whether a header is in the Ionworks column format.

    It is with time, steps and what was measured, with a frequency and both parts of the impedance,
    or with a voltage over capacity, stoichiometry or state of charge and no time. A table without
    steps is no native one: two of the other names are what any table calls its columns.
    """
    own = {name.strip() for name in names}
    return (
        own >= _SPECTRUM
        or (terms.TIME in own and not own.isdisjoint(COUNTS) and not own.isdisjoint(_MEASURED))
        or (terms.VOLTAGE in own and terms.TIME not in own and not own.isdisjoint(_AXES))
    )


def is_native_parquet(schema: pa.Schema) -> bool:
    """Return whether a Parquet file is in the Ionworks column format."""
    return _is_ours(schema.names)


def _is_ours(names: Sequence[str]) -> bool:
    return is_native(names) and not set(names) >= _PYPROBE


def _may_be_native(names: Sequence[str]) -> bool:
    return sum(name.strip() in NUMBERS for name in names) >= MIN_NATIVE_COLUMNS


def native_layout(text: Text) -> TextLayout | None:
    """Find Ionworks' columns on the first line that is not blank, None where there are none."""
    offset, line_number, line = _first_line(text)
    for delimiter in DELIMITERS:
        names = cut_line(line, delimiter)
        if _may_be_native(names):
            return TextLayout(
                names=tuple(name.strip() for name in names),
                delimiter=delimiter,
                body=offset,
                header_line=line_number,
            )
    return None


def cut_line(line: str, delimiter: str) -> list[str]:
    """Cut one line of a delimited text into its fields."""
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter, strict=True), [])
    except csv.Error:
        return line.split(delimiter)


class Native(Format):
    """Files in the Ionworks column format, as CSV or Parquet."""

    name = "ionworks"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for Ionworks' column names in the header or the schema."""
        if probe.kind == PARQUET:
            where, names = "schema", probe.schema.names
        elif probe.kind == TEXT:
            layout = native_layout(probe.text)
            where, names = "header", [] if layout is None else list(layout.names)
        else:
            return Evidence()
        if _is_ours(names):
            return Evidence(fits=(f"the {where} has Ionworks' column names",))
        return Evidence()

    def members(self, probe: Probe) -> Sequence[str]:
        """Name the tests or cells that a column of the table distinguishes."""
        layout = None if probe.kind == PARQUET else native_layout(probe.text)
        names = probe.schema.names if layout is None else layout.names
        columns = numbering(names, PLAIN)
        return tests_of(self._whole(probe).table, probe.name).names if columns else ()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the columns as they are, of one test where a column distinguishes several."""
        reading = self._whole(probe)
        table, tests, others = keep_member_of(reading.table, probe.name, options.member)
        if not tests.names:
            return reading
        taken = Decision(
            code=DecisionCode.TEST_TAKEN,
            detail=f"{len(tests.names)} tests in the table: the rows of {options.member}",
            evidence="stated",
            rows=table.num_rows,
        )
        facts = {**reading.facts, "rows_of_others": others}
        return replace(reading, table=table, decisions=(*reading.decisions, taken), facts=facts)

    def _whole(self, probe: Probe) -> Reading:
        return _read_parquet(probe.content) if probe.kind == PARQUET else _read_text(probe.text)


def _read_text(text: Text) -> Reading:
    """Read a native CSV; every Ionworks column has its type declared."""
    layout = native_layout(text)
    if layout is None:
        raise UnreadableError(
            f"{text.name}: its header has no Ionworks columns such as 'Time [s]'",
            cause="wrong_reader",
        )
    refuse_duplicates(layout.names, text.name)
    numbers = [name for name in layout.names if name in NUMBERS]
    table, decimal = parse(text, layout, numbers)
    table, decisions = _without_index(number_others(table, numbers), text.name)
    if decimal != ".":
        commas = Decision(
            code=DecisionCode.DECIMAL_COMMA,
            detail="decimal commas, proved by the values",
            evidence="values",
        )
        decisions = (*decisions, commas)
    return Reading(
        table=with_counts(table),
        decisions=decisions,
        facts={"encoding": text.encoding, "delimiter": layout.delimiter, "decimal": decimal},
    )


def _read_parquet(content: FileContent) -> Reading:
    """Read a Parquet file whose columns are Ionworks'."""
    table = parquet_table(content)
    refuse_duplicates(table.column_names, content.name)
    for index, name in enumerate(table.column_names):
        if name in NUMBERS:
            table = table.set_column(index, name, number_column(table, index, content.name))
    return Reading(table=with_counts(table))


def parquet_table(content: FileContent) -> pa.Table:
    """Read a Parquet file whole; a damaged or empty one is refused."""
    try:
        table = pq.read_table(pa.BufferReader(content.data), use_threads=False)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(
            f"{content.name}: not a readable Parquet file "
            f"({printable(str(error)).splitlines()[0][:120]}); copy or export it again",
            cause="damaged",
        ) from error
    if table.num_rows == 0:
        raise UnreadableError(f"{content.name}: the Parquet file has no rows", cause="no_rows")
    return table


def with_counts(table: pa.Table) -> pa.Table:
    """Make the counting columns int64 where all their values are whole."""
    for index, name in enumerate(table.column_names):
        if name in COUNTS and pa.types.is_floating(table.schema.field(index).type):
            table = table.set_column(index, name, whole_to_int(table.column(index)))
    return table


def number_column(table: pa.Table, index: int, name: str) -> pa.ChunkedArray:
    """Return a column of a Parquet file as numbers; ``name`` is the file's."""
    field = table.schema.field(index)
    if pa.types.is_integer(field.type) or pa.types.is_float64(field.type):
        return table.column(index)
    try:
        return table.column(index).cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnreadableError(
            f"{name}: column {field.name!r} is of type {field.type}, not a number; convert it",
            cause="not_a_number",
        ) from error


def _first_line(text: Text) -> tuple[int, int, str]:
    """Return where the second line begins, the first line's number, and its text."""
    offset = line_number = 0
    for found in _LINE.finditer(text.data, 0, HEAD_BYTES):
        offset, line_number, line = found.end(), line_number + 1, found.group()
        if line.strip():
            return offset, line_number, line.decode("utf-8", "replace").strip("\r\n")
    return offset, line_number, ""


def index_left_out(*, is_empty: bool) -> Decision:
    """Return the decision to leave out an unnamed column that counts the rows, or is empty."""
    what = (
        "an empty column without a name" if is_empty else "an unnamed column that counts the rows"
    )
    return Decision(
        code=DecisionCode.COLUMNS_LEFT_OUT,
        detail=f"left out {what}",
        evidence="values",
        columns=(INDEX,),
    )


def _without_index(table: pa.Table, name: str) -> tuple[pa.Table, tuple[Decision, ...]]:
    """Leave out an unnamed column that only counts the rows; refuse any other unnamed one."""
    if INDEX not in table.column_names:
        return table, ()
    values = table.column(INDEX)
    index = table.column_names.index(INDEX)
    if values.null_count == len(values):
        return table.remove_column(index), (index_left_out(is_empty=True),)
    if pa.types.is_integer(values.type) and values.null_count == 0:
        numbers = values.to_numpy()
        if np.array_equal(numbers - numbers[0], np.arange(len(numbers))):
            kept = table.remove_column(index)
            return kept, (index_left_out(is_empty=False),)
    raise UnreadableError(
        f"{name}: column {index + 1} has values and no name; name it in the header",
        cause="unnamed_column",
    )


NATIVE: Final = Native()
