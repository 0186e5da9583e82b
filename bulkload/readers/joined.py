"""Read a test that lies in several files, named by a small file of their paths, as one table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.joints import COUNTERS, Joint, JointError, Part, Side, joint, parts_in
from bulkload.core.terms import TIME, VOLTAGE
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.reading import ReadOptions, TimeSeries


def read_joined(path: Path, options: ReadOptions) -> TimeSeries:
    """Read the parts and join them; raises ``UnreadableError`` for a joint that does not fit."""
    # Here, not above: `bulkload.readers` offers both.
    from bulkload.readers import read

    status = path.stat()
    whole: TimeSeries | None = None
    joints: list[Decision] = []
    hashes: list[str] = []
    for part in parts_in(path.read_text("utf-8")):
        series = read(Path(part.path), replace(options, reader=part.reader or options.reader))
        _check_same(part, series.provenance)
        series = _with_start(series, part)
        hashes.append(series.provenance["sha256"])
        if whole is None:
            whole = series
            continue
        try:
            found = joint(_side(whole, -1), _side(series, 0))
        except JointError as error:
            raise UnreadableError(printable(str(error)), cause="joint_does_not_fit") from error
        joints.append(_decision(found, series))
        whole = _joined(whole, series, found)
    assert whole is not None
    provenance = {
        **whole.provenance,
        "file": path.name,
        "size_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        "decisions": [
            *whole.provenance.get("decisions", ()),
            *(decision.as_json() for decision in joints),
        ],
    }
    return replace(whole, provenance=provenance, decisions=(*whole.decisions, *joints))


def _check_same(part: Part, provenance: Mapping[str, Any]) -> None:
    seen = provenance["size_bytes"], provenance["mtime_ns"]
    if seen != (part.size_bytes, part.mtime_ns):
        raise UnreadableError(
            f"{printable(part.path)} has changed since it was planned; run again",
            cause="source_changing",
        )


def _with_start(series: TimeSeries, part: Part) -> TimeSeries:
    if part.start_time is None:
        return series
    return replace(series, header={**series.header, "start_time": part.start_time})


def _side(series: TimeSeries, row: int) -> Side:
    """Return one end of a table: row 0, or -1 for its last."""
    table = series.table
    at = row % table.num_rows if table.num_rows else 0
    values = {
        name: float(value)
        for name in (TIME, VOLTAGE, *COUNTERS)
        if name in table.column_names and (value := table.column(name)[at].as_py()) is not None
    }
    name = f"'{series.provenance['file']}'"
    if TIME not in values:
        raise JointError(f"{name} has no time in its {'first' if row == 0 else 'last'} row")
    began = _moment(series.header.get("start_time"))
    return Side(name=name, columns=frozenset(table.column_names), values=values, began=began)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _decision(found: Joint, series: TimeSeries) -> Decision:
    return Decision(
        code=DecisionCode.PARTS_JOINED,
        detail=found.sentence,
        evidence=found.evidence,
        rows=series.table.num_rows,
    )


def _joined(whole: TimeSeries, series: TimeSeries, found: Joint) -> TimeSeries:
    table = series.table
    for name, shift in found.shifts.items():
        column = table.column(name)
        # A whole number stays one.
        added = pa.scalar(int(shift) if pa.types.is_integer(column.type) else shift, column.type)
        table = table.set_column(table.column_names.index(name), name, pc.add(column, added))
    table = pa.concat_tables(
        [whole.table, table.select(whole.table.column_names)], promote_options="permissive"
    )
    one, other = whole.provenance, series.provenance
    counts = {
        "rows_read": one.get("rows_read", whole.table.num_rows)
        + other.get("rows_read", series.table.num_rows),
        "rows_left_out": one.get("rows_left_out", 0) + other.get("rows_left_out", 0),
    }
    decisions = [*one.get("decisions", ()), *other.get("decisions", ())]
    return replace(
        whole,
        table=table.combine_chunks(),
        provenance={**one, **counts, "file": other["file"], "decisions": decisions},
        decisions=(*whole.decisions, *series.decisions),
    )
