"""BioLogic: EC-Lab and BT-Lab binaries (.mpr), read from their modules.

A file is a magic of 52 bytes and modules, each ``MODULE``, a header, and as many bytes as the
header states. The data module counts its records, lists the numbers of their columns, and holds
the records themselves, packed. Three layouts of it are known:

=====================  ==================  ================  ========
version                count of columns    numbers           records
=====================  ==================  ================  ========
0, before EC-Lab 11.50  one byte at 4      bytes from 5      from 100
0, from EC-Lab 11.50    two bytes at 4     16 bit from 6     from 1007
2 and 3                 one byte at 4      16 bit from 5     from 405, 406
=====================  ==================  ================  ========

A copy of a test that was still running has no log module: it is read, without a start time.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import Decision, DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers.content import FileContent
from bulkload.readers.dialect import RECORD_CHARGE, ColumnRule
from bulkload.readers.file_kinds import BIOLOGIC_BINARY
from bulkload.readers.formats.biologic import EXPORT, flows, make_series
from bulkload.readers.formats.mpr_columns import AMBIGUOUS, COLUMNS, FLAGS, TECHNIQUES
from bulkload.readers.header_fields import grouped, merged
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid
from bulkload.readers.timestamps import sheet_days

_MODULE: Final = b"MODULE"
#: Bytes before the first module.
_MAGIC_BYTES: Final = 52
#: Header of a module, and the one of EC-Lab 11.50, which begins with an impossible length.
_HEADER: Final = struct.Struct("<10s25s2I8s")
_LONG_HEADER: Final = struct.Struct("<10s25s4I8s")
_IS_LONG: Final = 0xFFFFFFFF

#: Where the day on which the test began may stand in the log module, in bytes.
_START_PLACES: Final = (465, 469, 473, 585)
#: Days that an acquisition may have begun on: 2009 to 2063.
_START_DAYS: Final = (40_000.0, 60_000.0)

#: Types that an unknown column may have.
_KINDS: Final = ("<f8", "<f4", "<u2", "|u1")
_UNKNOWN: Final = "column "

_REST: Final = frozenset({"OCV", "WAIT"})

#: A text export always has the current; a binary may have the charge only.
BINARY: Final = replace(
    EXPORT,
    name="EC-Lab binary",
    columns=(*EXPORT.columns, ColumnRule(RECORD_CHARGE, ("dq",), unless=terms.CURRENT)),
)

Records = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Module:
    """One module of a file."""

    name: str
    version: int
    data: bytes


class BioLogicBinary(Format):
    """An EC-Lab .mpr file."""

    name = "biologic mpr"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look at the first bytes for the manufacturer's words."""
        if probe.kind != BIOLOGIC_BINARY:
            return Evidence()
        return Evidence(fits=("begins with 'BIO-LOGIC MODULAR FILE'",))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the records; their columns are those of the text export."""
        modules = list(_modules(probe.content.data, probe.name))
        records, decisions = _records(modules, probe.name)
        settings = next((m.data for m in modules if m.name == "VMP Set"), b"")
        technique = TECHNIQUES.get(settings[0]) if settings else None

        def prepare(raw: Raw) -> None:
            make_series(raw, is_rest=_is_rest(records, technique))

        columns = {name: _column(records[name]) for name in records.dtype.names or ()}
        reading = read_grid(ArrayGrid(columns, probe.name), BINARY, probe.name, options, prepare)
        log = next((module.data for module in modules if module.name == "VMP LOG"), b"")
        header = grouped({"technique": technique, "start_time": _start(log)})
        left_out = sum(decision.rows for decision in decisions)
        rows = {name: reading.facts[name] + left_out for name in ("rows_read", "rows_left_out")}
        return replace(
            reading,
            header=merged(header, reading.header),
            decisions=(*reading.decisions, *decisions),
            facts={**reading.facts, **rows},
        )


def _modules(data: bytes, name: str) -> Iterator[_Module]:
    """Yield the modules; refuse a file that ends within one."""
    place = _MAGIC_BYTES
    while place < len(data):
        if data[place : place + len(_MODULE)] != _MODULE:
            raise UnreadableError(
                f"{name}: no module begins at byte {place}, where one should; copy the file again",
                cause="damaged",
            )
        place += len(_MODULE)
        try:
            short, _, length, version, _ = _HEADER.unpack_from(data, place)
            begin = place + _HEADER.size
            if length == _IS_LONG:
                short, _, _, length, version, *_ = _LONG_HEADER.unpack_from(data, place)
                begin = place + _LONG_HEADER.size
        except struct.error as error:
            raise _cut_short(name) from error
        if begin + length > len(data):
            raise _cut_short(name)
        yield _Module(short.decode("latin-1").strip(), version, data[begin : begin + length])
        place = begin + length


def mpr_records(content: FileContent) -> Records:
    """Return the records of a file as a structured array, named as in the text export."""
    return _records(list(_modules(content.data, content.name)), content.name)[0]


def _records(modules: Sequence[_Module], name: str) -> tuple[Records, list[Decision]]:
    """Return the records as a structured array, and what was decided on the way."""
    stored = [module for module in modules if module.name == "VMP data"]
    if len(stored) != 1:
        raise UnreadableError(
            f"{name}: it has {len(stored)} data modules where one belongs; copy the file again, "
            "or export the test as text",
            cause="damaged",
        )
    module, data = stored[0], stored[0].data
    try:
        (count,) = struct.unpack_from("<I", data, 0)
        numbers, begin = _column_numbers(data, module.version, name)
    except struct.error as error:
        raise _cut_short(name) from error
    if not count or len(data) <= begin:
        raise UnreadableError(
            f"{name}: the data module holds no records; the test recorded nothing", cause="no_rows"
        )
    held = len(data) - begin
    record = _record_type(numbers, held / count, name)
    if held < count * record.itemsize:
        raise _cut_short(name)
    decisions = [
        Decision(
            code=DecisionCode.COLUMNS_LEFT_OUT,
            detail=f"{field} of the binary is not known: left out",
            evidence="length of the records",
            columns=(field,),
        )
        for field in record.names or ()
        if field.startswith(_UNKNOWN)
    ]
    left = held // record.itemsize - count
    if left:
        decisions.append(
            Decision(
                code=DecisionCode.ROWS_LEFT_OUT,
                detail=f"left out {left} records behind the {count} that the file counts",
                evidence="count of records",
                rows=left,
            )
        )
    return np.frombuffer(data, record, count, begin), decisions


def _column_numbers(data: bytes, version: int, name: str) -> tuple[Sequence[int], int]:
    """Return the numbers of the columns, and where the records begin."""
    if version == 0 and data[5:6] != b"\0":
        return struct.unpack_from(f"<{data[4]}B", data, 5), 100
    if version == 0:
        (columns,) = struct.unpack_from("<H", data, 4)
        return struct.unpack_from(f"<{columns}H", data, 6), 1007
    if version in (2, 3):
        return struct.unpack_from(f"<{data[4]}H", data, 5), 403 + version
    raise UnreadableError(
        f"{name}: version {version} of the data module is not known; export the test as text",
        cause="unreadable",
    )


def _record_type(numbers: Sequence[int], record_bytes: float, name: str) -> np.dtype[Any]:
    """Return the layout of a record; its length decides where the numbers leave it open."""
    unknown = [n for n in numbers if n not in FLAGS and n not in COLUMNS and n not in AMBIGUOUS]
    if len(unknown) > 1:
        raise _undecided(unknown, record_bytes, name)
    if not unknown and AMBIGUOUS.keys().isdisjoint(numbers):
        return _laid_out(numbers, 0, "<f4")
    layouts = {_laid_out(numbers, meaning, kind) for meaning in (0, 1) for kind in _KINDS}
    fitting = [layout for layout in layouts if layout.itemsize == record_bytes]
    if len(fitting) != 1:
        raise _undecided(unknown or AMBIGUOUS.keys() & set(numbers), record_bytes, name)
    return fitting[0]


def _laid_out(numbers: Sequence[int], meaning: int, unknown_kind: str) -> np.dtype[Any]:
    """Lay a record out with one meaning of the ambiguous numbers and one type of the unknown."""
    fields: dict[str, str] = {}
    for number in numbers:
        if number in FLAGS:
            fields.setdefault("flags", "|u1")
            continue
        if number in AMBIGUOUS:
            field, kind = AMBIGUOUS[number][meaning]
        else:
            field, kind = COLUMNS.get(number, (f"{_UNKNOWN}{number}", unknown_kind))
        # A quantity that is recorded twice keeps its number beside its name.
        fields[f"{field} (column {number})" if field in fields else field] = kind
    return np.dtype(list(fields.items()))


def _is_rest(records: Records, technique: str | None) -> bool:
    """Return whether the cell was left at open circuit: no current can have flowed."""
    if flows(records.dtype.names or ()):
        return False
    return technique in _REST or technique is None


def _column(values: np.ndarray[Any, Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(np.ascontiguousarray(values))])


def _start(log: bytes) -> str | None:
    """Return when the acquisition began, as the log module has it in days."""
    for place in _START_PLACES:
        if len(log) >= place + 8:
            (days,) = struct.unpack_from("<d", log, place)
            if _START_DAYS[0] < days < _START_DAYS[1]:
                return sheet_days(days)
    return None


def _cut_short(name: str) -> UnreadableError:
    return UnreadableError(
        f"{name}: the file ends within a module; it was cut short: copy it again",
        cause="truncated",
    )


def _undecided(numbers: Collection[int], record_bytes: float, name: str) -> UnreadableError:
    listed = ", ".join(map(str, sorted(numbers)))
    return UnreadableError(
        f"{name}: column number {listed} of this binary is not known, and the records of "
        f"{record_bytes:g} bytes do not settle its width; export the test as text",
        cause="unreadable",
    )


FORMAT: Final = BioLogicBinary()
