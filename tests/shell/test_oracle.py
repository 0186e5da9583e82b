"""Real cycler files through the whole job, held against what the vendor's reader gives.

One upload of all files into a local Studio, read back with the vendor's client. Each file is
``created`` and equal to what ``ionworksdata`` reads, or ``rejected``: with the same codes where
the vendor's always-on rules refuse it, with a reason that names it where nobody can read it.
"""

from __future__ import annotations

import csv
import json
import os
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

#: Files that the vendor's reader misreads or cannot read (data/README.md, "Known oddities", and
#: ``tests/readers``), and the number of their samples: the oracle is not the truth about them.
READ_RIGHT = {
    "MnMn-B02-S01-A-E1.res": 2201,  # sorted by a rounded date
    "maccor_002.txt": 7446,  # magnitudes of current, beside a column that has the sign
    "sample_data_maccor.csv": 15,  # the first row taken for a row of units, and dropped
    "DLR__LiLNMOHydra0b__20221125__POCV__25degC__Basytec.bdf.csv": 17860,  # hours for seconds
    "gcpl.issue_211.mpt": 2767,  # one electrode of three taken for the cell
    "geis.mpt": 2528,  # the same
    # Whole seconds, where another column has fractions of them.
    "GMJuly2022_CELL002_RPT_3_P0C_5P0PSI_20230110_R0_CH041_20230110143333_37_2_1_2818580185"
    ".xlsx": 2833,
    # Only with a reader that is named.
    "FastCharge_000025_CH8.csv": 248,
    "CS2_33_2_2_11.csv": 2717,
    "data.csv": 1917,
    "example_formation.062": 1774,
    "exampleDataGamry.DTA": 459,
    "20240401_B_GM0016_HL03_E01_EIS.DTA": 100,
    "cell-discharge-bitrode-1c.csv": 2287,
    "cell-low-current-hppc-25c-2.csv": 13248,
    "SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv": 25162,
    # Not at all.
    "gcpl.issue_211.mpr": 2767,
    "00_test_04_MB_C01.mpr": 1501,
    "ocv.mpt": 602,
    "Sample_data_biologic_timestamped.txt": 8,
    "nw4-120-1-6-53.ndax": 18700,
    "test.nda": 439,
    "nw_regular_export_ife_example.csv": 9295,
    "Cell785_0p5C_25degC.csv": 1415,
    "SINTEF__hina-nacr32140mp10-202410-3gvjz6__20250617__2C__25degC.bdf.parquet": 14243,
}
#: Files that are wrong themselves, and the cause of their rejection.
WRONG = {
    "maccor_two.txt": "truncated",
    "example_data.csv": "time_not_monotonic",
    "SINTEF__SLPBA842124HV__2024-10-23__Rate_25degC__Neware__Time_Bug.bdf.csv": (
        "time_not_monotonic"
    ),
}
#: Seconds that the upload of all files may take on a busy machine.
UPLOAD_S = 600.0

pytestmark = [
    pytest.mark.timeout(UPLOAD_S + 60),
    # All look at one upload: a process of its own would upload the files once more.
    pytest.mark.xdist_group("real files"),
]


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
        ended = stack.enter_context(running(words, folder=folder, studio=studio)).wait(UPLOAD_S)
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
def test_a_real_file_arrives_equal_or_is_rejected_with_its_cause(
    case: dict[str, Any], uploaded: Uploaded, shared_data: Path
) -> None:
    path = shared_data.parent / case["file"]
    row = uploaded.rows[path.name]
    if path.suffix == ".res" and shutil.which("mdb-export") is None and not os.environ.get("CI"):
        pytest.skip("mdb-export of mdbtools is not installed")
    if path.name in WRONG:
        assert_rejected(row, path, uploaded, [WRONG[path.name]])
    elif path.name in READ_RIGHT:
        assert row.state == "ready", row.message
        table = read_back(uploaded, path.name)
        assert row.rows == table.num_rows == READ_RIGHT[path.name]
        assert_read_right(path, table)
    elif case["always_on_issue_codes"]:
        assert_rejected(row, path, uploaded, case["always_on_issue_codes"])
    else:
        assert case["status"] == "ok"
        assert row.state == "ready", row.message
        table = read_back(uploaded, path.name)
        assert table.num_rows == case["rows"]
        # Every column of the vendor's, and further channels of the file, which it leaves out.
        assert set(case["columns"]) <= set(table.column_names)
        vendors = vendor_reads(path)
        assert_equal(table.select(vendors.column_names), vendors)
        for quantity in ("time", "voltage", "current"):
            assert_sum(table, case[quantity])


def assert_rejected(row: Row, path: Path, uploaded: Uploaded, causes: list[str]) -> None:
    assert row.state == "rejected", f"{row.state}: {row.message}"
    assert [row.cause] == causes
    assert path.name in row.message
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
