"""Arbin .res: an Access database, read with the mdb-export program of mdbtools."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.file_kinds import ACCESS
from bulkload.readers.formats.arbin import TABLE
from bulkload.readers.formats.arbin_auxiliary import CHANNELS, RECORDS, add_auxiliary
from bulkload.readers.header_fields import grouped, merged
from bulkload.readers.headers import HeaderLine, cut, grid_below
from bulkload.readers.multi_test import chosen_member
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.text import Text
from bulkload.readers.timestamps import sheet_days

PROGRAM: Final = "mdb-export"

#: Longest that the program may take over one table, in seconds: it can hang on a damaged file.
EXPORT_TIMEOUT_S: Final = 300

_ROWS: Final = "Channel_Normal_Table"
_TESTS: Final = "Global_Table"
_TEST_ID: Final = "Test_ID"
_LABELS: Final = {
    "Channel_Number": "channel_number",
    "Schedule_File_Name": "procedure",
    "Creator": "operator",
    "Comments": "notes",
    "Software_Version": "software_version",
    "Serial_Number": "cycler_serial_number",
    "Test_Name": "test_name",
}


class ArbinDatabase(Format):
    """A .res file of MITS Pro."""

    name = "arbin res"
    is_decisive = True

    def sniff(self, probe: Probe) -> Evidence:
        """Look for an Access database that names the table of the channel."""
        if probe.kind != ACCESS:
            return Evidence()
        named = (
            _ROWS.encode("utf-16-le") in probe.content.data or _ROWS.encode() in probe.content.data
        )
        found = ("is an Access database",)
        # Access compresses names, so the table's name need not be in the bytes.
        return Evidence(fits=(*found, f"names {_ROWS}") if named else found)

    def members(self, probe: Probe) -> Sequence[str]:
        """Name the tests of the database where there are several."""
        with _Exported(probe) as database:
            tests = [row[_TEST_ID] for row in database.rows(_TESTS)]
        return [f"Test_ID {test}" for test in tests] if len(tests) > 1 else ()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Export the rows of one test and read them."""
        with _Exported(probe) as database:
            tests = {f"Test_ID {row[_TEST_ID]}": row for row in database.rows(_TESTS)}
            text = database.text(_ROWS)
            auxiliary = database.text(RECORDS, is_needed=False).data
            channels = database.rows(CHANNELS) if auxiliary.count(b"\n") > 1 else []
        first = text.data.find(b"\n") + 1
        names = tuple(cut(text.data[:first].decode("utf-8").strip("\r\n"), ","))
        if _TEST_ID not in names:
            raise UnreadableError(
                f"{probe.name}: the table {_ROWS} has no {_TEST_ID}; it is not an Arbin test",
                cause="missing_column",
            )
        grid = grid_below(text, HeaderLine(1, 0, first, ",", names), TABLE)
        chosen = chosen_member(probe.name, list(tests), options.member)
        # The database holds SI units whatever the specification says of the cell.
        member = options.member if len(tests) > 1 else None
        options = replace(options, member=member, rated_capacity=None)

        def prepare(raw: Raw) -> None:
            if channels:
                add_auxiliary(raw, auxiliary, channels, tests[chosen][_TEST_ID])

        return _described(read_grid(grid, TABLE, probe.name, options, prepare), tests[chosen])


def _described(reading: Reading, row: dict[str, str]) -> Reading:
    found: dict[str, Any] = {key: row.get(label) for label, key in _LABELS.items()}
    try:
        found["start_time"] = sheet_days(float(row.get("Start_DateTime") or "nan"))
    except ValueError:
        found["start_time"] = None
    return replace(reading, header=merged(reading.header, grouped(found)))


class _Exported:
    """A database on disk, and its tables as text."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        program = shutil.which(PROGRAM)
        if program is None:
            raise UnreadableError(
                f"{probe.name}: an Arbin .res file is an Access database and needs the program "
                f"{PROGRAM}, which is not on the path; install mdbtools (apt-get install mdbtools, "
                "brew install mdbtools), or export the test from MITS Pro",
                cause="missing_program",
            )
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="bulkload-", ignore_cleanup_errors=True)

    def __enter__(self) -> Self:
        # A copy: the bytes that were hashed are the bytes that are read.
        self._path = Path(self._folder.name, "database.res")
        self._path.write_bytes(self._probe.content.data)
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def text(self, table: str, *, is_needed: bool = True) -> Text:
        """Export a table as comma-separated text; empty where one is not there nor needed."""
        try:
            done = subprocess.run(  # noqa: S603  # the program's path and our own file
                [self._program, str(self._path), table],
                capture_output=True,
                check=False,
                timeout=EXPORT_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise self._failed(table, f"did not finish within {EXPORT_TIMEOUT_S} s") from error
        if not is_needed and b"does not exist" in done.stderr:
            return Text(data=b"", encoding="utf-8", name=self._probe.name)
        if done.returncode != 0 or not done.stdout.strip():
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise self._failed(table, printable(lines[-1] if lines else "gave nothing")[:120])
        return Text(data=done.stdout, encoding="utf-8", name=self._probe.name)

    def rows(self, table: str) -> list[dict[str, str]]:
        """Export a small table as rows."""
        text = self.text(table).data.decode("utf-8", "replace")
        return list(csv.DictReader(io.StringIO(text)))

    def _failed(self, table: str, error_text: str) -> UnreadableError:
        return UnreadableError(
            f"{self._probe.name}: {PROGRAM} cannot read the table {table}: {error_text}; "
            "the database is damaged or is not an Arbin test",
            cause="damaged",
        )
