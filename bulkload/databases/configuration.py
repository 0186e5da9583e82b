"""``[source.sql]`` of a ``bulkload.toml``: three queries, a mapping, and nothing guessed.

Everything that a person has to decide is a key here, and a key that is missing is an error with
a sentence: a number without a unit, a current without a sign, a local time without a zone.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bulkload.core import terms
from bulkload.databases.engines.urls import DatabaseUrl, UrlError, parse_url
from bulkload.databases.profiles import merged_with_profile
from bulkload.databases.query import QueryError, checked_query, parameters, placeholders
from bulkload.databases.units import raw_conversion
from bulkload.errors import PlanError
from bulkload.readers.units import conversion

#: The entry of ``[source.sql.samples.columns]`` that is no column of the table: when it began.
START_TIME: Final = "start_time"

_BRACKETED: Final = re.compile(r".+\[(?P<unit>[^\[\]]+)\]\Z")

#: Time columns that a raw value may count, as ticks in one second.
TICKS_PER_SECOND: Final[Mapping[str, int]] = {
    "100ns": 10_000_000,
    "ns": 1_000_000_000,
    "us": 1_000_000,
    "ms": 1_000,
    "s": 1,
}


class SnapshotPolicy(StrEnum):
    """How much of the database must be seen at one and the same moment."""

    REQUIRED = "required"
    PER_MEASUREMENT = "per-measurement"
    NONE = "none"


class ReadPolicy(StrEnum):
    """Whether each measurement is a query of its own, or all are split from one pass."""

    AUTO = "auto"
    STREAM = "stream"
    ONE_PASS = "one-pass"  # noqa: S105 - no password


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnMap(_Strict):
    """Where an Ionworks column comes from, and what its raw values mean."""

    #: Column of the samples query.
    column: str | None = None
    #: Long shape: the value of the code column whose rows hold it.
    code: str | int | None = None
    unit: str | None = None
    #: Which direction of current the database counts as positive.
    positive: Literal["charge", "discharge"] | None = None
    #: Zone of date and time values that state none, such as ``Europe/Berlin``.
    zone: str | None = None
    #: A count of ticks since 1970 (as ``100ns``), computed with whole numbers.
    ticks: Literal["100ns", "ns", "us", "ms", "s"] | None = None
    #: Words for the codes of an enumeration.
    codes: Mapping[str, str] | None = None
    #: A running total that does not restart at each step, only at each cycle or test.
    runs_on_through: Literal["cycle", "test"] | None = None
    #: For ``start_time``: of which row.
    take: Literal["first"] | None = None
    #: Whether the column takes part in the proof.
    proof: bool = True

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(
                    f"{zone!r} is not a time zone; write it as Europe/Berlin"
                ) from error
        return zone

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnMap:
        if (self.column is None) == (self.code is None):
            raise ValueError("state either column (wide shape) or code (long shape)")
        return self


class RatedCapacity(_Strict):
    """The nominal capacity of a cell."""

    column: str
    unit: str
    #: The database keeps it rounded to whole numbers: too coarse for the checks.
    rounded: bool = False

    @field_validator("unit")
    @classmethod
    def _is_charge(cls, unit: str) -> str:
        if conversion(terms.CAPACITY, unit) is None:
            raise ValueError(f"{unit!r} is not a unit of charge; use A.h or mA.h")
        return unit


Filters = Mapping[str, tuple[str | int | bool, ...]]
Key = Annotated[tuple[str, ...], Field(min_length=1)]


class CellsQuery(_Strict):
    """One row a cell."""

    query: str
    key: str
    #: Pattern of the specification's name, with columns in braces.
    specification: str
    batch: str | None = None
    rated_capacity: RatedCapacity | None = None
    #: Column -> values that are migrated; the rest is left out, and listed.
    only: Filters = Field(default_factory=dict)


class StartTime(_Strict):
    """A column of the measurements query that says when a test began."""

    column: str
    zone: str | None = None
    ticks: Literal["100ns", "ns", "us", "ms", "s"] | None = None


class MeasurementsQuery(_Strict):
    """One row a measurement."""

    query: str
    #: Column that holds the cell's key.
    cell: str
    #: Pattern of the measurement's name.
    name: str
    key: Key
    #: Columns that name the table, or tables, of its samples.
    table: tuple[str, ...] = ()
    #: Column that names a file, relative to the TOML's folder, read as any cycler file is.
    file: str | None = None
    start_time: StartTime | None = None
    only: Filters = Field(default_factory=dict)

    @field_validator("key", "table", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class SamplesQuery(_Strict):
    """The samples of one measurement; ``:name`` is that measurement's value of a column."""

    query: str
    #: What puts the rows in their one order.
    order: Key
    shape: Literal["wide", "long"] = "wide"
    #: Long shape: the columns of the code and of its value.
    code: str | None = None
    value: str | None = None
    #: A query of the number of samples in all, where its tables have another number of rows.
    total: str | None = None
    #: Why rows of its tables belong to no measurement, where some do: printed with the proof.
    unclaimed: str | None = None
    columns: Mapping[str, ColumnMap]

    @field_validator("order", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete_shape(self) -> SamplesQuery:
        is_long = self.shape == "long"
        if is_long and (self.code is None or self.value is None):
            raise ValueError("the long shape needs code and value, the names of their columns")
        for name, one in self.columns.items():
            fault = _fault_of(name, one, is_long=is_long)
            if fault is not None:
                raise ValueError(f"columns.{name!r}: {fault}")
        for name in (terms.VOLTAGE, terms.CURRENT, terms.TIME):
            if name not in self.columns:
                raise ValueError(f"columns has no {name!r}; a time series needs it")
        return self

    @property
    def mapped(self) -> Mapping[str, ColumnMap]:
        """The columns of the table, without the start time."""
        return {name: one for name, one in self.columns.items() if name != START_TIME}


def _fault_of(name: str, one: ColumnMap, *, is_long: bool) -> str | None:
    """Return what is missing in, or wrong with, one entry of the mapping."""
    if one.code is not None and not is_long:
        return "code belongs to the long shape; set shape = 'long'"
    if name == START_TIME:
        return None if one.take == "first" else 'needs take = "first": it is that of the first row'
    if name == terms.CURRENT and one.positive is None:
        return (
            "a current needs its sign: positive = 'charge' or 'discharge'; look at a row that "
            "charges the cell"
        )
    if one.runs_on_through is not None and name not in terms.CUMULATIVE_COLUMNS:
        return "runs_on_through belongs to capacities and energies that are split by direction"
    # A column of dates or ticks has no unit; whether it is one, the database says.
    if one.codes is not None or (name == terms.TIME and one.unit is None):
        return None
    return _unit_fault(name, one)


def _unit_fault(name: str, one: ColumnMap) -> str | None:
    bracketed = _BRACKETED.match(name)
    if bracketed is None:
        return None if one.unit is None else "has no unit in its name, so the raw column has none"
    if one.unit is None:
        return f"a number needs the unit that the database holds it in, such as {bracketed['unit']}"
    if raw_conversion(name, one.unit) is None:
        return f"{one.unit!r} is not a unit that can be converted to {bracketed['unit']}"
    return None


class SqlSource(_Strict):
    """A whole ``[source.sql]``."""

    url: str = Field(repr=False)
    profile: str | None = None
    snapshot: SnapshotPolicy = SnapshotPolicy.REQUIRED
    read: ReadPolicy = ReadPolicy.AUTO
    #: A session that could write is refused without this.
    allow_writable: bool = False
    cells: CellsQuery
    measurements: MeasurementsQuery
    samples: SamplesQuery | None = None
    #: The folder that relative paths start at.
    base: Path = Path()

    @model_validator(mode="after")
    def _check_queries(self) -> SqlSource:
        for name, query in self.queries.items():
            try:
                checked_query(query)
            except QueryError as error:
                raise ValueError(f"{name} {error}") from error
        for name in ("cells", "measurements"):
            query = getattr(self, name).query
            if names := (*parameters(query), *placeholders(query)):
                raise ValueError(f"{name}.query has {names[0]!r}; only samples may have parameters")
        if (self.samples is None) == (self.measurements.file is None):
            raise ValueError("state either samples, or measurements.file: where the samples are")
        if self.samples is not None:
            allowed = {"table", *self.measurements.table} if self.measurements.table else set()
            for name in placeholders(self.samples.query):
                if name not in allowed:
                    raise ValueError(
                        f"samples.query has {{{name}}}; name the column that holds it as "
                        "measurements.table"
                    )
        return self

    @property
    def queries(self) -> Mapping[str, str]:
        """All queries, by the name of each in the file."""
        found = {"cells.query": self.cells.query, "measurements.query": self.measurements.query}
        if self.samples is not None:
            found["samples.query"] = self.samples.query
            if self.samples.total is not None:
                found["samples.total"] = self.samples.total
        return found

    @property
    def database(self) -> DatabaseUrl:
        """Return the URL in its parts."""
        return parse_url(self.url, self.base)

    def digest(self) -> str:
        """Return the SHA-256 of all that decides what is read; no password is part of it."""
        kept = self.model_dump(mode="json", exclude={"base", "url"}) | {"url": self.database.masked}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def is_sql_document(document: Mapping[str, Any]) -> bool:
    """Return whether a parsed TOML file describes a database."""
    source = document.get("source")
    return isinstance(source, Mapping) and isinstance(source.get("sql"), Mapping)


def load_configuration(path: Path) -> SqlSource:
    """Read ``[source.sql]`` of a TOML file; raises ``PlanError``."""
    if path.exists() and not path.is_file():
        raise PlanError(f"{path}: is not a file but a folder, a pipe or a device")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{path}: cannot be read as TOML: {error}") from error
    if not is_sql_document(document):
        raise PlanError(f"{path}: holds no [source.sql]")
    return parse_configuration(document["source"]["sql"], path.parent, where=str(path))


def parse_configuration(table: Mapping[str, Any], base: Path, *, where: str) -> SqlSource:
    """Return what the table ``[source.sql]`` says, its profile included; raises ``PlanError``.

    ``base`` is the folder that relative paths start at, ``where`` the file to name in messages.
    """
    try:
        merged = merged_with_profile(table)
        source = SqlSource.model_validate({**merged, "base": base.absolute()})
        parse_url(source.url, source.base)
    except ValidationError as error:
        raise PlanError(_all_faults(error, where)) from None
    except (UrlError, LookupError) as error:
        raise PlanError(f"{where}: [source.sql]: {error.args[0]}") from None
    return source


def _all_faults(error: ValidationError, where: str) -> str:
    """Return all faults, without the values: one of them may be a password."""
    lines = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in ("source", "sql", *one["loc"]))
        lines.append(f"{place}: {one['msg'].removeprefix('Value error, ')}")
    return f"{where}: " + "; ".join(lines)
