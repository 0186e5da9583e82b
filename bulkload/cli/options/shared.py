"""Options that several commands share, and how their values are parsed.

What reads sources is imported where that is done: every `--help` loads this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from bulkload.cli.output.help_format import READING, RUN, SOURCES
from bulkload.core.deadline import parse_until
from bulkload.core.path_layout import DEFAULT_LAYOUT, Layout, LayoutError
from bulkload.core.plan_items import Checks, PlanItem
from bulkload.core.prepare_result import ExtraChecks, PrepareOptions
from bulkload.core.rule_names import STRICT_CHECK_NAMES, TransformError, known_transforms
from bulkload.core.survey.dates import DateOrder
from bulkload.errors import SettingsError
from bulkload.settings import (
    CONNECTIONS,
    GRACE_S,
    MIN_WORKER_MEMORY_BYTES,
    PARENT_BYTES,
    RunLimits,
    allow_open_files,
)

if TYPE_CHECKING:
    from bulkload.databases.run_databases import Databases
    from bulkload.readers import ReadOptions
    from bulkload.sources.listings import Listings
    from bulkload.sources.sheets.stated import SheetOptions

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def size_bytes(text: str) -> int:
    """Return a size such as ``2GiB``, ``512M`` or ``1000`` in bytes; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"{text!r} is not a size; write it as 512M or 2GiB")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].upper()])


def duration_s(text: str) -> float:
    """Return a duration such as ``90s``, ``30m`` or ``1h`` in seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise SettingsError(f"{text!r} is not a duration; write it as 90s, 30m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def moment(text: str) -> datetime:
    """Parse ``--until``; a time without a zone is local."""
    try:
        return parse_until(text, datetime.now().astimezone())
    except ValueError as error:
        raise SettingsError(
            f"--until {text!r}: {error}; write it as 06:00 or 2026-12-01T06:00"
        ) from None


def window(text: str) -> tuple[float, float]:
    """Return a voltage window such as ``2.5,4.2`` in V."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"{text!r} is not a voltage window; write it as 2.5,4.2") from None
    if not low < high:
        raise SettingsError(
            f"the voltage window {text!r} must have its lower voltage first; write it as 2.5,4.2"
        )
    return low, high


def _listed(text: str) -> tuple[str, ...]:
    """Return the names of a list such as ``set_sign,reset_time``."""
    return tuple(filter(None, text.replace(" ", "").split(",")))


def _read_options(prepare_options: PrepareOptions) -> ReadOptions:
    # Only where a file may hold several tests: the readers take long to load.
    from bulkload.readers import ReadOptions, load_dialects

    dialects = (
        () if prepare_options.dialects is None else load_dialects(Path(prepare_options.dialects))
    )
    return ReadOptions(reader=prepare_options.reader, dialects=dialects)


def check_dialects(prepare_options: PrepareOptions) -> None:
    """Raise ``SettingsError`` for dialects that cannot be read or have an error."""
    if prepare_options.dialects is not None:
        from bulkload.readers import load_dialects

        load_dialects(Path(prepare_options.dialects))


@Parameter(name="*", group=SOURCES)
@dataclass(frozen=True, kw_only=True)
class SheetArguments:
    """Sheets that people keep, and how they are to be read.

    Parameters
    ----------
    cells
        Sheet of cells, as the lab keeps it. A file .xlsx, .ods or .csv.
    tests
        Sheet of tests. One row for each file, or for each cell and measurement.
    columns
        Columns of the sheets, as "Column=field, ...". For names that are not understood, such
        as "Zellname=cell, Kap=capacity"; "Column=-" leaves one out.
    day_first
        Dates such as 03.04.2023 have the day first.
    month_first
        They have the month first.
    """

    cells: Path | None = None
    tests: Path | None = None
    columns: Annotated[str, Parameter(name="--map")] = ""
    day_first: Annotated[bool, Parameter(negative=())] = False
    month_first: Annotated[bool, Parameter(negative=())] = False

    def order(self) -> DateOrder | None:
        """Return the order of day and month that is declared, None for none."""
        if self.day_first and self.month_first:
            raise SettingsError("give one of --day-first and --month-first")
        if self.day_first:
            return DateOrder.DMY
        return DateOrder.MDY if self.month_first else None

    def sheet_options(self) -> SheetOptions:
        """Return what the words mean; raises ``SettingsError`` for a mapping with a mistake."""
        from bulkload.sources.sheets.stated import SheetOptions, parse_map

        return SheetOptions(
            cells=self.cells,
            tests=self.tests,
            columns=parse_map(self.columns),
            order=self.order(),
        )


@Parameter(name="*", group=SOURCES)
@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where measurements come from.

    Parameters
    ----------
    layout
        Names in paths. A pattern with the fields {spec}, {cell}, {measurement}, {batch}, {date}, *
        and **.
    specs
        File or folder of specifications. Files are .json, .yaml, .toml, .csv or .xlsx.
    allow_writable
        Read a database in a session that could write. Only where no other is to be had.
    include
        Take only files of these patterns. They have the form of a .gitignore: '2025/**/*.csv'.
    exclude
        Leave out files and folders of these patterns. Also in files named .bulkloadignore.
    go_on
        Send what can be sent, whatever else is in the way.
    accept_drift
        Take sources and names as they are now. By default what changed since a plan was written
        is rejected.
    """

    layout: str = DEFAULT_LAYOUT
    specs: Path | None = None
    allow_writable: Annotated[bool, Parameter(negative=())] = False
    include: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    exclude: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    go_on: Annotated[bool, Parameter(negative=())] = False
    accept_drift: Annotated[bool, Parameter(negative=())] = False
    sheet_arguments: SheetArguments = SheetArguments()

    def order(self) -> DateOrder | None:
        """Return the order of day and month that is declared, None for none."""
        return self.sheet_arguments.order()

    def databases(self, job_dir: Path) -> Databases:
        """Return what holds the databases of a job's sources open while it is used."""
        from bulkload.databases.run_databases import Databases

        return Databases(job_dir, allow_writable=self.allow_writable)

    def read(
        self,
        sources: Sequence[str],
        prepare_options: PrepareOptions,
        databases: Databases | None = None,
        listings: Listings | None = None,
    ) -> Iterable[PlanItem]:
        """Yield the plan of all sources; raise ``SettingsError`` for a layout with an error."""
        # Only where sources are read: `--help` is to be quick.
        from bulkload.sources.joining import FOLDER
        from bulkload.sources.members import Members
        from bulkload.sources.read_source import read_source
        from bulkload.sources.selection import Selection

        if not sources:
            raise SettingsError("no source: name a folder or a manifest")
        try:
            layout = Layout.parse(self.layout)
        except LayoutError as error:
            raise SettingsError(str(error)) from error
        return read_source(
            *sources,
            layout=layout,
            specs=self.specs,
            members=Members(partial(_read_options, prepare_options)),
            databases=databases,
            sheets=self.sheet_arguments.sheet_options(),
            selection=Selection.of(self.include, self.exclude),
            accepts_drift=self.accept_drift,
            joins=None if databases is None else databases.job_dir / FOLDER,
            listings=listings,
        )


@Parameter(name="*", group=READING)
@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """How measurements are validated.

    Parameters
    ----------
    strict
        Run the strict checks too, or not.
    skip_check
        Strict checks to leave out.
    rated_capacity
        Nominal capacity in A.h. Takes precedence over the specification.
    voltage_window
        Voltage limits in V, as MIN,MAX. Take precedence over the specification.
    """

    strict: bool = True
    skip_check: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = ()
    rated_capacity: float | None = None
    voltage_window: str | None = None

    def checks(self) -> Checks:
        """Parse the options; raise ``SettingsError`` for an unknown check."""
        if unknown := sorted(set(self.skip_check) - STRICT_CHECK_NAMES):
            raise SettingsError(
                f"unknown check: {', '.join(unknown)}; the strict checks are "
                f"{', '.join(sorted(STRICT_CHECK_NAMES))}"
            )
        return Checks(
            strict=self.strict,
            skip_checks=frozenset(self.skip_check),
            rated_capacity=self.rated_capacity,
            voltage_window=None if self.voltage_window is None else window(self.voltage_window),
        )


@Parameter(name="*", group=READING)
@dataclass(frozen=True, kw_only=True)
class PrepareArguments:
    """How files are read.

    Parameters
    ----------
    reader
        Reader for files that name none. By default each file is identified by its content.
    dialects
        TOML file that describes formats of your own.
    transform
        Transforms to apply, such as set_sign,reset_time. Applied in this order to every
        measurement that states none of its own.
    extra_checks
        Checks beyond the vendor's: off, warn or error.
    header_fields
        Private header fields to send, such as operator,notes. Personal or local fields are
        not sent otherwise.
    voltage
        Of three electrodes: ewe-ece or ewe. By default the voltage of the cell, ewe-ece, where
        the file has it.
    """

    reader: str | None = None
    dialects: Path | None = None
    transform: str = ""
    extra_checks: ExtraChecks = ExtraChecks.WARN
    header_fields: str = ""
    voltage: Literal["ewe", "ewe-ece"] | None = None

    def prepare_options(
        self, source_options: SourceOptions, *, stores_steps: bool = False
    ) -> PrepareOptions:
        """Parse the options; raise ``SettingsError`` for dialects with an error."""
        order = source_options.order()
        prepare_options = PrepareOptions(
            reader=self.reader,
            dialects=None if self.dialects is None else str(self.dialects.resolve()),
            transforms=self.transforms(),
            extra_checks=self.extra_checks,
            header_fields=self._header_fields(),
            stores_steps=stores_steps,
            day_first=None if order is None else order is DateOrder.DMY,
            voltage=self.voltage,
        )
        check_dialects(prepare_options)
        return prepare_options

    def _header_fields(self) -> tuple[str, ...]:
        names = _listed(self.header_fields)
        if names:
            # Only where fields are named: the readers take long to load.
            from bulkload.readers.header_fields import PERSONAL_FIELDS

            if unknown := sorted(set(names) - PERSONAL_FIELDS):
                raise SettingsError(
                    f"--header-fields: {', '.join(unknown)}: not a field that is held back; those "
                    f"are {', '.join(sorted(PERSONAL_FIELDS))}"
                )
        return names

    def transforms(self) -> tuple[str, ...]:
        """Parse the transforms; raise ``SettingsError`` for an unknown one."""
        try:
            return known_transforms(_listed(self.transform))
        except TransformError as error:
            raise SettingsError(str(error)) from None


@Parameter(name="*", group=RUN)
@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What a command may take of this machine and of the network.

    Parameters
    ----------
    workers
        Processes that read files. One for each core that the job may use by default.
    connections
        Largest number of requests under way.
    memory
        Memory of the run and all its processes, such as 8GiB. By default half of what the job may
        use. Larger tables are read in chunks, or rejected.
    grace
        Longest wait of a stopping run, such as 20s. Open uploads may end within it.
    """

    workers: int | None = None
    connections: int = CONNECTIONS
    memory: str | None = None
    grace: str = f"{GRACE_S:g}s"

    def limits(self) -> RunLimits:
        """Parse the limits; raise ``SettingsError`` for one that cannot be kept.

        Side effects: the process may have as many files open as they need.
        """
        for name, value in (("workers", self.workers), ("connections", self.connections)):
            if value is not None and value < 1:
                raise SettingsError(f"--{name} must be at least 1")
        limits = RunLimits() if self.workers is None else RunLimits(workers=self.workers)
        memory_bytes = limits.memory_bytes if self.memory is None else size_bytes(self.memory)
        least = PARENT_BYTES + MIN_WORKER_MEMORY_BYTES
        if self.memory is not None and memory_bytes < least:
            raise SettingsError(
                f"--memory must be at least {least // 2**20} MiB: {PARENT_BYTES // 2**20} MiB for "
                f"the run, and {MIN_WORKER_MEMORY_BYTES // 2**20} MiB for a process that reads"
            )
        limits = RunLimits(
            workers=limits.workers,
            connections=self.connections,
            memory_bytes=memory_bytes,
            grace_s=duration_s(self.grace),
        )
        if (allowed := allow_open_files(limits.least_open_files)) is not None:
            raise SettingsError(
                f"--connections {self.connections} and --workers {limits.workers} need "
                f"{limits.least_open_files:,} open files, and this process may have {allowed:,}: "
                "raise that limit (ulimit -Hn), or lower --connections or --workers"
            )
        return limits
