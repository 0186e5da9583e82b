"""The proof of a migration: the database against what was read, what was sent against Studio.

::

    database ══ sums in the same snapshot ══ read ── factor, sign ── sent ══ digest ══ Studio
        ╚════ sums of now: what has changed since ════╝

Nothing that was not compared is called proved. A measurement whose database cannot be asked
again, or whose copy in Studio was not read back, is ``not_proved``.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bulkload.core import terms
from bulkload.databases.columns import RawColumns, raw_columns
from bulkload.databases.configuration import ColumnMap, SqlSource, load_configuration
from bulkload.databases.engines.base import Database
from bulkload.databases.measurement import SUFFIX, MeasurementFile, read_measurement_file
from bulkload.databases.planned import SourceFacts
from bulkload.databases.session import AGAIN_NAME, open_again
from bulkload.databases.sums import ColumnSums, Sums, differences, sums_rows
from bulkload.databases.totals import what_differs
from bulkload.databases.units import raw_conversion
from bulkload.errors import BulkloadError

CSV_NAME: Final = "migration.csv"

#: Columns of ``migration.csv`` that describe one column of the measurement.
_OF_COLUMN: Final = (
    *("column", "unit", "factor", "nulls", "nan", "infinite", "min", "max"),
    *("isum_source", "isum_read"),
)
#: The columns of a measurement that the file describes, with the word before each.
DESCRIBED: Final[Mapping[str, str]] = {
    "time": terms.TIME,
    "voltage": terms.VOLTAGE,
    "current": terms.CURRENT,
    "charge_capacity": terms.CHARGE_CAPACITY,
    "discharge_capacity": terms.DISCHARGE_CAPACITY,
}
COLUMNS: Final = (
    *("source_url", "source_database_version", "snapshot_id", "snapshot_time", "profile_sha256"),
    *("specification", "cell", "measurement", "source_key", "source_query"),
    *("rows_source_before", "rows_read", "rows_source_after", "rows_left_out"),
    *("rows_left_out_reason", "rows_studio", "order_key_distinct"),
    *("time_min_source", "time_max_source", "time_min_studio", "time_max_studio"),
    *(f"{word}_{what}" for word in DESCRIBED for what in _OF_COLUMN),
    *("digest_sent", "digest_studio", "measurement_id", "status", "detail", "checked_at"),
)


class Status(StrEnum):
    """How far a measurement is proved."""

    PROVED = "proved"
    DIFFERENT = "different"
    CHANGED_DURING_READ = "changed_during_read"
    NOT_PROVED = "not_proved"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What the journal and Studio say of one measurement."""

    specification: str
    cell: str
    measurement: str
    path: Path
    #: Whether Studio finished with it, and why not where it did not.
    is_delivered: bool
    message: str
    rows: int
    digest: str
    measurement_id: str
    #: What its last reading left in its provenance, None where it was never read.
    reading: Mapping[str, Any] | None
    rows_left_out: int
    #: Whether Studio's copy was read back and is equal, None where it was not read back.
    is_equal: bool | None
    difference: str = ""
    #: Whether it is part of the last plan.
    is_planned: bool = True


@dataclass(slots=True, kw_only=True)
class SourceProof:
    """The proof of one database."""

    facts: SourceFacts
    rows: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[Status] = field(default_factory=Counter)
    exceptions: list[str] = field(default_factory=list)
    #: Queries that anybody can run by hand, for one measurement.
    by_hand: str = ""
    #: What keeps the source from being proved as a whole, beside its measurements.
    open_questions: list[str] = field(default_factory=list)

    @property
    def is_proved(self) -> bool:
        """Whether every measurement is proved or left out by a rule, and all rows accounted for."""
        settled = self.counts[Status.PROVED] + self.counts[Status.LEFT_OUT]
        return (
            self.counts[Status.PROVED] > 0
            and settled == self.counts.total()
            and not self.open_questions
        )


def prove_source(
    folder: Path, facts: SourceFacts, delivered: Sequence[Delivered], checked_at: datetime
) -> SourceProof:
    """Prove every measurement of a source; never raises for what the database does."""
    proof = SourceProof(facts=facts, exceptions=list(facts.exceptions))
    kept = {path: read_measurement_file(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}
    after = _After(folder, facts, kept.values())
    with closing(after):
        for one in delivered:
            known = kept.get(one.path)
            if known is None or not one.is_planned:
                proof.exceptions.append(
                    f"{one.cell} / {one.measurement} was migrated before, and is no longer in the "
                    "database's queries"
                )
                continue
            proof.rows.append(_row(facts, one, known, after, checked_at))
        for row in facts.left_out:
            proof.rows.append(_left_out_row(facts, row, checked_at))
        proof.exceptions += after.troubles
        proof.by_hand = after.query_by_hand()
    proof.counts.update(Status(row["status"]) for row in proof.rows)
    _check_totals(proof)
    return proof


class _After:
    """The database as it is now, asked once a measurement."""

    def __init__(self, folder: Path, facts: SourceFacts, kept: Iterable[MeasurementFile]) -> None:
        self._folder = folder
        self.troubles: list[str] = []
        #: The moment that the database is asked about.
        self.taken_at = ""
        self.source: SqlSource | None = None
        self._database: Database | None = None
        self._columns: RawColumns | None = None
        self._query = ""
        first = next(iter(kept), None)
        if first is None:
            return
        try:
            self.source = load_configuration(Path(first.configuration))
            if self.source.digest() != facts.configuration_sha256:
                raise _ChangedError("the configuration changed since the plan was made")
            self._database = open_again(self.source, folder)
            self.taken_at = self._database.snapshot.taken_at
        except BulkloadError as error:
            self.troubles.append(f"the database cannot be asked again: {error}")

    def sums(self, one: MeasurementFile) -> Sums | str:
        """Return a measurement's sums of now, or why there are none."""
        if self._database is None or self.source is None or self.source.samples is None:
            return self.troubles[-1] if self.troubles else "the database cannot be asked again"
        try:
            columns = raw_columns(self.source.samples, self._database.kinds(one.sql))
            self._columns = columns
            self._query = self._database.hand_sql(one.sql, columns.all, columns.order_names)
            row = sums_rows(self._database, one.sql, columns)[0]
        except BulkloadError as error:
            return f"the database cannot be asked again: {error}"
        return Sums.of_row(row, columns.all)

    def query_by_hand(self) -> str:
        """Return a query that a person can run for the last measurement that was asked for."""
        return self._query

    @property
    def columns(self) -> RawColumns | None:
        """The raw columns of the last measurement that was asked for."""
        return self._columns

    def close(self) -> None:
        """End the session."""
        if self._database is not None:
            self._database.close()
        (self._folder / AGAIN_NAME).unlink(missing_ok=True)


class _ChangedError(BulkloadError):
    """What was planned is not what is there now."""


def _row(
    facts: SourceFacts,
    one: Delivered,
    known: MeasurementFile,
    after: _After,
    checked_at: datetime,
) -> dict[str, Any]:
    now = after.sums(known)
    read = None if one.reading is None else Sums.of_json(one.reading["sums"])
    status, detail = _status(one, known, read, now)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= _source_fields(facts, one.reading)
    row |= {
        "specification": one.specification,
        "cell": one.cell,
        "measurement": one.measurement,
        "source_key": _key_text(known.key),
        "source_query": " ".join(known.sql.split()),
        "rows_source_before": known.sums.rows,
        "rows_read": "" if read is None else read.rows,
        "rows_source_after": now.rows if isinstance(now, Sums) else "",
        "rows_left_out": one.rows_left_out,
        "rows_left_out_reason": "no voltage or no current" if one.rows_left_out else "",
        "rows_studio": one.rows if one.is_equal else "",
        "order_key_distinct": known.sums.distinct_keys,
        "digest_sent": one.digest,
        "digest_studio": one.digest if one.is_equal else "",
        "measurement_id": one.measurement_id,
        "status": status.value,
        "detail": detail,
        "checked_at": checked_at.isoformat(timespec="seconds"),
    }
    if after.source is not None and after.columns is not None:
        row |= _column_fields(after.source, after.columns, known.sums, read, one)
    return row


def _status(
    one: Delivered, known: MeasurementFile, read: Sums | None, now: Sums | str
) -> tuple[Status, str]:
    """Decide; the first thing that is not so is the reason."""
    if not one.is_delivered:
        return Status.NOT_PROVED, one.message or "it did not arrive in Studio"
    if read is None:
        return Status.NOT_PROVED, "Studio had it before; it was not read from the database"
    if wrong := differences(known.sums, read):
        return Status.DIFFERENT, "; ".join(wrong[:3])
    if one.is_equal is None:
        return Status.NOT_PROVED, "Studio's copy was not read back; run bulkload verify --all"
    if not one.is_equal:
        return Status.DIFFERENT, one.difference
    if isinstance(now, str):
        return Status.NOT_PROVED, now
    if wrong := differences(now, read):
        return Status.CHANGED_DURING_READ, (
            f"the database changed since it was read: {'; '.join(wrong[:3])}; run bulkload upload "
            "again"
        )
    return Status.PROVED, ""


def _source_fields(facts: SourceFacts, reading: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "source_url": facts.url,
        "source_database_version": facts.version,
        "snapshot_id": facts.snapshot_id if reading is None else reading["snapshot_id"],
        "snapshot_time": facts.snapshot_time if reading is None else reading["snapshot_time"],
        "profile_sha256": facts.configuration_sha256,
    }


def _column_fields(
    source: SqlSource, columns: RawColumns, database: Sums, read: Sums | None, one: Delivered
) -> dict[str, Any]:
    assert source.samples is not None
    summed = [i for i, column in enumerate(columns.all) if column.scale is not None]
    fields: dict[str, Any] = {}
    for word, name in DESCRIBED.items():
        stated = source.samples.columns.get(name)
        index = columns.of_mapping.get(name)
        if stated is None or index is None or index not in summed:
            continue
        at = summed.index(index)
        there = database.columns[at]
        here = None if read is None else read.columns[at]
        fields |= {f"{word}_{k}": v for k, v in _of_column(name, stated, database, there, here)}
        if word == "time":
            fields |= _times(one, there)
    return fields


def _of_column(
    name: str, stated: ColumnMap, database: Sums, there: ColumnSums, here: ColumnSums | None
) -> Iterator[tuple[str, Any]]:
    yield "column", there.name
    yield "unit", stated.unit or stated.ticks or ""
    yield "factor", factor_text(name, stated)
    yield "nulls", database.rows - there.values
    yield "nan", "" if here is None else here.nan
    yield "infinite", "" if here is None else here.infinite
    yield "min", _exact(there.minimum)
    yield "max", _exact(there.maximum)
    yield "isum_source", there.total
    yield "isum_read", "" if here is None else here.total


def factor_text(name: str, stated: ColumnMap) -> str:
    """Return what turns a raw value into Studio's, as a person multiplies it."""
    if stated.unit is None:
        return ""
    found = raw_conversion(name, stated.unit)
    assert found is not None
    sign = -1.0 if stated.positive == "charge" else 1.0
    shift = f" + {found.shift:.10g}" if found.shift else ""
    return f"{sign * found.scale:.10g}{shift}"


def _times(one: Delivered, there: ColumnSums) -> dict[str, Any]:
    times = {} if one.reading is None or not one.is_equal else one.reading
    return {
        "time_min_source": _exact(there.minimum),
        "time_max_source": _exact(there.maximum),
        "time_min_studio": _exact(times.get("time_min_s")),
        "time_max_studio": _exact(times.get("time_max_s")),
    }


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def _left_out_row(
    facts: SourceFacts, entry: Mapping[str, Any], checked_at: datetime
) -> dict[str, Any]:
    return {
        **dict.fromkeys(COLUMNS, ""),
        **_source_fields(facts, None),
        "cell": entry["cell"],
        "source_key": _key_text(entry["key"]),
        "rows_source_before": entry["rows"],
        "rows_left_out": entry["rows"],
        "rows_left_out_reason": entry["reason"],
        "status": Status.LEFT_OUT.value,
        "detail": entry["reason"],
        "checked_at": checked_at.isoformat(timespec="seconds"),
    }


def _key_text(key: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items())


def _check_totals(proof: SourceProof) -> None:
    """Hold the rows of all measurements against the old database's own counts."""
    snapshots = {row["snapshot_id"] for row in proof.rows if row["status"] != Status.LEFT_OUT}
    if len(snapshots) > 1:
        proof.exceptions.append(
            f"the measurements were read in {len(snapshots)} snapshots; each agrees with the sums "
            "of the last plan's"
        )
    if proof.facts.unaccounted and not proof.facts.unclaimed:
        proof.open_questions.append(f"of the samples, {what_differs(proof.facts)}")


def write_csv(path: Path, proofs: Iterable[SourceProof]) -> None:
    """Write ``migration.csv``: one row a measurement, those left out among them."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for proof in proofs:
            writer.writerows({k: _cell(v) for k, v in row.items()} for row in proof.rows)
    unfinished.replace(path)


def _cell(value: Any) -> Any:
    """Keep a text from being taken for a formula by a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "@", "\t"} else value
