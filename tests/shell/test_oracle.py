"""Real cycler files through the whole job, held against what the vendor's reader gives.

One upload of all files into a local Studio, read back with the vendor's client. Each file is
``created`` and equal to what ``ionworksdata`` reads, or ``rejected``: with the same codes where
the vendor's always-on rules refuse it, with a reason that names it where nobody can read it.
"""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from anyio.from_thread import start_blocking_portal

from bulkload.core import terms
from bulkload.localstudio import LocalStudio, StudioSettings
from bulkload.readers import read
from tests.archives import write_json
from tests.conftest import SHARED_DATA
from tests.jobs import Ended, Row, running
from tests.official import Held, Judge, judge_of

#: Sums are of the same doubles in the same order; another order of adding is allowed to differ
#: by this, relative to the sum of magnitudes. One missing or changed sample differs by more.
SUM_TOLERANCE = 1e-10

#: Files that the vendor's reader misreads, or that are wrong themselves (data/README.md, "Known
#: oddities", and ``tests/readers``): the oracle is not the truth about them. They may be refused,
#: or read right.
ODD = {
    "maccor_two.txt": "decimal commas, dropped as thousand separators",
    "maccor_002.txt": "magnitudes of current, left unsigned beside a column that tells the sign",
    "sample_data_maccor.csv": "the first row taken for a row of units, and dropped",
    "MnMn-B02-S01-A-E1.res": "sorted by a rounded date: time goes back",
    "DLR__LiLNMOHydra0b__20221125__POCV__25degC__Basytec.bdf.csv": "time 3600 times too large",
    "SINTEF__SLPBA842124HV__2024-10-23__Rate_25degC__Neware__Time_Bug.bdf.csv": "time goes back",
}


def cases() -> list[Any]:
    if not (SHARED_DATA / "oracle.json").is_file():
        return []
    found = json.loads((SHARED_DATA / "oracle.json").read_text("utf-8"))
    return [pytest.param(case, id=Path(case["file"]).name[:60]) for case in found]


@dataclass(frozen=True)
class Uploaded:
    """One upload of all files, and the Studio that it went into."""

    ended: Ended
    rows: dict[str, Row]
    held: dict[str, Held]
    judge: Judge
    studio: LocalStudio


@pytest.fixture(scope="module")
def uploaded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploaded]:
    folder = tmp_path_factory.mktemp("oracle")
    specs = write_json(folder / "specs.json", {"name": "any cell", "form_factor": "18650"})
    with (folder / "plan.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["spec", "cell", "measurement", "path"])
        for number, case in enumerate(cases()):
            path = (shared_data.parent / case.values[0]["file"]).resolve()
            rows.writerow(["any cell", f"cell {number % 5}", path.name, path])
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        studio = LocalStudio(StudioSettings(data_dir=folder / "studio"))
        stack.enter_context(portal.wrap_async_context_manager(studio))
        words: list[str | Path] = [
            "upload",
            "plan.csv",
            "--specs",
            specs,
            "--no-strict",
            "--job",
            "job",
        ]
        ended = stack.enter_context(running(words, folder=folder, studio=studio)).wait(110)
        assert ended.code == 3, ended.out + ended.err
        judge = stack.enter_context(judge_of(studio))
        held = {one.key[2]: one for one in judge.by_key().values()}
        yield Uploaded(ended, ended.rows, held, judge, studio)


def test_the_account_adds_up(uploaded: Uploaded) -> None:
    summary = uploaded.ended.summary
    assert uploaded.ended.code == 3, uploaded.ended.err
    assert set(uploaded.ended.counts) == {"created", "rejected"}
    assert sum(summary["counts"].values()) == summary["planned"] == len(cases())
    assert len(uploaded.held) == summary["counts"]["created"]
    assert uploaded.studio.requests.leaked_headers == 0


@pytest.mark.parametrize("case", cases())
def test_a_real_file_arrives_equal_or_is_refused_with_its_reason(
    case: dict[str, Any], uploaded: Uploaded, shared_data: Path
) -> None:
    path = shared_data.parent / case["file"]
    row = uploaded.rows[path.name]
    if path.suffix == ".res" and shutil.which("mdb-export") is None:
        assert_refused(row, path, uploaded)
    elif path.name in ODD or case["status"] != "ok":
        if row.state == "rejected":
            assert_refused(row, path, uploaded)
        else:
            assert_read_right(path, read_back(uploaded, path.name))
    elif case["always_on_issue_codes"]:
        assert_refused(row, path, uploaded)
        assert [row.cause] == case["always_on_issue_codes"]
    else:
        assert row.state == "ready", row.message
        table = read_back(uploaded, path.name)
        assert (table.num_rows, set(table.column_names)) == (case["rows"], set(case["columns"]))
        assert_equal(table, vendor_reads(path))
        for quantity in ("time", "voltage", "current"):
            assert_sum(table, case[quantity])


def assert_refused(row: Row, path: Path, uploaded: Uploaded) -> None:
    assert row.state == "rejected", f"{row.state}: {row.message}"
    assert path.name in row.message
    assert row.cause
    assert row.cause != "reader_failed", row.message
    assert path.name not in uploaded.held


def assert_read_right(path: Path, table: pa.Table) -> None:
    """Hold what is known of a file that no other reader can be asked about.

    That the reader reads it right is shown where the readers are tested, against its text.
    """
    assert_equal(table, read(path).table)
    if terms.FREQUENCY not in table.column_names:
        assert np.nanmax(np.abs(numbers(table.column(terms.VOLTAGE)))) < 10.0
        assert np.all(np.diff(numbers(table.column(terms.TIME))) >= 0)


def assert_equal(found: pa.Table, meant: pa.Table) -> None:
    assert found.num_rows == meant.num_rows
    assert set(found.column_names) == set(meant.column_names)
    for name in meant.column_names:
        got, want = found.column(name), meant.column(name)
        if not is_number(want.type):
            assert got.to_pylist() == want.to_pylist(), name
            continue
        one, other = numbers(got), numbers(want)
        assert np.array_equal(np.isnan(one), np.isnan(other)), f"{name}: gaps elsewhere"
        scale = np.nansum(np.abs(other))
        assert abs(np.nansum(one) - np.nansum(other)) <= SUM_TOLERANCE * scale, name


def assert_sum(table: pa.Table, meant: dict[str, Any]) -> None:
    """Hold a column's sum against the oracle, which was made elsewhere and once."""
    values = numbers(table.column(meant["column"]))
    tolerance = SUM_TOLERANCE * np.nansum(np.abs(values))
    assert abs(np.nansum(values) - meant["sum"]) <= tolerance, meant["column"]


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def numbers(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a column as doubles, what is missing as NaN."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))


def read_back(uploaded: Uploaded, name: str) -> pa.Table:
    return uploaded.judge.time_series(uploaded.held[name].id)


def vendor_reads(path: Path) -> pa.Table:
    """Return what the vendor's reader makes of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ionworksdata

        frame = ionworksdata.read.time_series(str(path))
    table: pa.Table = frame.to_arrow(compat_level=None)
    return table
