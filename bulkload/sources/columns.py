"""The columns of a manifest: a row as an upload job, and an upload job as a row.

A plan that is written and read again states the same jobs. Hence some cells may hold JSON where
plain text is not enough: ``protocol`` and ``cycler`` an object (the whole protocol, the whole
test set-up), ``tags``, ``skip_checks`` and ``transforms`` a list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bulkload.core.address import is_url
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.survey.dates import DateOrder
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.core.text import is_encodable, shown
from bulkload.errors import PlanError
from bulkload.sources import field_parsers as cells

COLUMNS: Final = (
    *("spec", "cell", "batch", "measurement", "type", "path", "member", "reader", "data_type"),
    *("day_first", "voltage"),
    *("start_time", "end_time", "protocol", "ambient_temperature_degc", "cycler", "channel"),
    *("operator", "tags", "notes", "rated_capacity", "voltage_min", "voltage_max"),
    *("strict", "skip_checks", "transforms", "continues"),
)
#: Whether a row is uploaded (yes, no), and the rule by which it is not.
DECISION_COLUMNS: Final = ("upload", "rule")
#: What a survey or a plan writes for people to read: evidence, not statements. Of these only
#: ``size_bytes``, ``modified`` and ``in_studio`` are read back: what they say must still hold.
NOTE_COLUMNS: Final = (
    *("sureness", "warnings", "evidence", "kind", "vendor", "size_bytes", "modified", "rate"),
    *("part", "layout", "copy_of", "other_form_of", "goes_on_from", "in_studio", "studio_id"),
)
REQUIRED_COLUMNS: Final = ("spec", "cell", "measurement", "path")
NUMBER_COLUMNS: Final = frozenset(
    {
        *("ambient_temperature_degc", "rated_capacity", "voltage_min", "voltage_max"),
        *("size_bytes", "part"),
    }
)
TIME_COLUMNS: Final = frozenset({"start_time", "end_time"})
FLAG_COLUMNS: Final = frozenset({"strict", "day_first"})

#: Longest text of a cell, in characters: below what Python's reader of .csv takes (131 072).
MAX_CELL_CHARACTERS: Final = 100_000

Cell = str | float | bool | None


@dataclass(slots=True)
class ParsedRow:
    """The values that a row states, and its faulty cells."""

    stated: dict[str, Any] = field(default_factory=dict)
    #: (column, what is wrong), completing the sentence "column <column> ...".
    faults: list[tuple[str, str]] = field(default_factory=list)


def parse_row(row_cells: Mapping[str, Any], order: DateOrder | None = None) -> ParsedRow:
    """Read the cells of known columns, each by itself; ``order`` is that of day and month."""
    row = ParsedRow()
    for column, parse in _PARSERS.items():
        fault = cells.fault_of(row_cells.get(column))
        if fault is not None:
            row.faults.append((column, fault))
            continue
        cell = cells.plain(row_cells.get(column))
        if cell is None:
            if column in REQUIRED_COLUMNS:
                row.faults.append((column, "is empty; each row needs it"))
            continue
        try:
            is_time = column in TIME_COLUMNS
            row.stated[column] = cells.time(cell, order) if is_time else parse(cell)
        except ValueError as error:
            row.faults.append((column, str(error)))
    _check_window(row)
    return row


def job_of(stated: Mapping[str, Any], base: Path) -> UploadJob:
    """Return the job that a row without faults states; relative paths start at ``base``."""
    path = stated["path"]
    window = (stated["voltage_min"], stated["voltage_max"]) if "voltage_min" in stated else None
    return UploadJob(
        key=JobKey(stated["spec"], stated["cell"], stated["measurement"]),
        type=stated.get("type", MeasurementType.TIME_SERIES),
        path=path if is_url(path) or Path(path).is_absolute() else os.path.normpath(base / path),
        member=stated.get("member"),
        reader=stated.get("reader"),
        data_type=stated.get("data_type"),
        day_first=stated.get("day_first"),
        voltage=stated.get("voltage"),
        transforms=tuple(stated.get("transforms", ())),
        batch=stated.get("batch"),
        metadata=_metadata(stated),
        checks=Checks(
            strict=stated.get("strict"),
            skip_checks=frozenset(stated.get("skip_checks", ())),
            rated_capacity=stated.get("rated_capacity"),
            voltage_window=window,
        ),
    )


def row_of(job: UploadJob) -> dict[str, Cell]:
    """Return the cells that state a job; raise PlanError if the columns cannot express it."""
    unknown = set(job.metadata) - set(_METADATA_COLUMNS)
    if unknown:
        raise _unwritable(job, f"metadata {shown(min(unknown))} has no column")
    low, high = job.checks.voltage_window or (None, None)
    row: dict[str, Cell] = {
        "spec": job.key.spec,
        "cell": job.key.cell,
        "batch": job.batch,
        "measurement": job.key.measurement,
        "type": job.type.value,
        "path": job.path,
        "member": job.member,
        "reader": job.reader,
        "data_type": job.data_type,
        "day_first": job.day_first,
        "voltage": job.voltage,
        **{key: job.metadata.get(key) for key in ("start_time", "end_time", "notes")},
        **_protocol_cells(job.metadata.get("protocol")),
        **_setup_cells(job.metadata.get("test_setup")),
        "tags": _list_cell(job.metadata.get("tags", ())),
        "rated_capacity": job.checks.rated_capacity,
        "voltage_min": low,
        "voltage_max": high,
        "strict": job.checks.strict,
        "skip_checks": _list_cell(sorted(job.checks.skip_checks)),
        "transforms": _list_cell(job.transforms),
        "continues": None,
    }
    for column, cell in row.items():
        if isinstance(cell, str) and (fault := _text_fault(cell)) is not None:
            raise _unwritable(job, f"column {column!r} {fault}")
    # What is written is read back first: a row that would return as another job is not written.
    back = parse_row(row)
    if back.faults:
        raise _unwritable(job, "column {!r} {}".format(*back.faults[0]))
    if job_of(back.stated, Path(job.path).parent) != job:
        raise _unwritable(job, "its metadata do not fit into the columns of a manifest")
    return {column: row[column] for column in COLUMNS}


def _text_fault(text: str) -> str | None:
    if not is_encodable(text):
        return "contains half a surrogate pair, which is not valid text"
    if len(text) > MAX_CELL_CHARACTERS:
        return f"has {len(text)} characters; a plan takes {MAX_CELL_CHARACTERS}"
    return None


def _unwritable(job: UploadJob, what: str) -> PlanError:
    return PlanError(f"{job.key}: cannot be written as a row of a plan: {what}")


_METADATA_COLUMNS: Final = ("protocol", "test_setup", "start_time", "end_time", "notes", "tags")


def _metadata(stated: Mapping[str, Any]) -> dict[str, Any]:
    protocol = dict(stated.get("protocol", {}))
    if "ambient_temperature_degc" in stated:
        protocol["ambient_temperature_degc"] = stated["ambient_temperature_degc"]
    setup = dict(stated.get("cycler", {}))
    if "channel" in stated:
        setup["channel_number"] = stated["channel"]
    if "operator" in stated:
        setup["operator"] = stated["operator"]
    plain = {
        key: stated[key] for key in ("start_time", "end_time", "notes", "tags") if key in stated
    }
    return {
        **({"protocol": protocol} if protocol else {}),
        **({"test_setup": setup} if setup else {}),
        **plain,
    }


def _protocol_cells(protocol: Mapping[str, Any] | None) -> dict[str, Cell]:
    rest = dict(protocol or {})
    temperature = rest.pop("ambient_temperature_degc", None)
    if set(rest) <= {"name"} and _is_plain(rest.get("name", "-")):
        return {"protocol": rest.get("name"), "ambient_temperature_degc": temperature}
    return {"protocol": _json(rest), "ambient_temperature_degc": temperature}


def _setup_cells(setup: Mapping[str, Any] | None) -> dict[str, Cell]:
    rest = dict(setup or {})
    found: dict[str, Cell] = dict.fromkeys(("cycler", "channel", "operator"))
    if _is_plain(rest.get("operator")):
        found["operator"] = rest.pop("operator")
    channel = rest.get("channel_number")
    if isinstance(channel, int | str) and channel == cells.channel(str(channel) or "-"):
        found["channel"] = str(rest.pop("channel_number"))
    if set(rest) <= {"cycler"} and _is_plain(rest.get("cycler", "-")):
        return found | {"cycler": rest.get("cycler")}
    return found | {"cycler": _json(rest)}


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not value.lstrip().startswith("{")


def _list_cell(items: Iterable[str]) -> str | None:
    found = list(items)
    is_plain = all(item == item.strip() and item and ";" not in item for item in found)
    joined = "; ".join(found)
    return (joined or None) if is_plain and not joined.startswith("[") else _json(found)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _check_window(row: ParsedRow) -> None:
    low, high = row.stated.get("voltage_min"), row.stated.get("voltage_max")
    if (low is None) != (high is None):
        missing = "voltage_min" if low is None else "voltage_max"
        row.faults.append(
            (missing, "is empty although the other limit is stated; state both or neither")
        )
    elif low is not None and high is not None and low >= high:
        row.faults.append(("voltage_min", "must be below voltage_max"))


_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("spec", "cell", "batch", "measurement"), cells.name),
    "type": cells.kind,
    "path": cells.path,
    **dict.fromkeys(("member", "reader", "data_type", "operator", "notes"), cells.name),
    **dict.fromkeys(("start_time", "end_time"), cells.time),
    "protocol": cells.protocol,
    "ambient_temperature_degc": cells.temperature,
    "cycler": cells.cycler,
    "channel": cells.channel,
    "tags": cells.tags,
    "rated_capacity": cells.capacity,
    **dict.fromkeys(("voltage_min", "voltage_max"), cells.voltage),
    **dict.fromkeys(("strict", "day_first"), cells.flag),
    "voltage": cells.electrodes,
    "skip_checks": cells.checks,
    "transforms": cells.transforms,
}
