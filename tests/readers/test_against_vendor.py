"""Every real file that the vendor's reader reads unaided comes out the same, column by column.

Where it does not, the vendor's reading is wrong, and EXCEPTIONS says why; ``test_golden.py``
holds those files against the raw text.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bulkload.readers import read

#: File -> why it does not equal the vendor's reading.
EXCEPTIONS = {
    "GMJuly2022_CELL002_RPT_3_P0C_5P0PSI_20230110_R0_CH041_20230110143333_37_2_1_2818580185"
    ".xlsx": "the vendor takes dates in whole seconds; the total time beside them has tenths",
    "MnMn-B02-S01-A-E1.res": "the vendor sorts by a rounded date and leaves time going back",
    "maccor_two.txt": "cut in its last line: refused; the vendor also drops its decimal commas",
    "maccor_002.txt": "the vendor overlooks the mode column Md and leaves magnitudes unsigned",
    "sample_data_maccor.csv": "the vendor takes the first row for a row of units and drops it",
    "gcpl.issue_211.mpt": "the vendor takes Ewe for the voltage of a cell with three electrodes",
}


def entries() -> list[dict[str, Any]]:
    from tests.conftest import SHARED_DATA

    oracle = SHARED_DATA / "oracle.json"
    if not oracle.is_file():
        return []
    return [
        entry
        for entry in json.loads(oracle.read_text())
        if entry["status"] == "ok" and Path(entry["file"]).name not in EXCEPTIONS
    ]


def needs_mdbtools(path: Path) -> None:
    if path.suffix == ".res" and shutil.which("mdb-export") is None:
        pytest.skip("mdb-export of mdbtools is not installed")


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: Path(entry["file"]).name[:40])
def test_equals_the_vendors_reading(entry: dict[str, Any], shared_data: Path) -> None:
    path = shared_data.parent / entry["file"]
    needs_mdbtools(path)
    ours = read(path).table
    assert ours.num_rows == entry["rows"]
    # What the vendor leaves out, such as a second sensor, is kept.
    assert set(ours.column_names) >= set(entry["columns"])
    for quantity in ("time", "voltage", "current"):
        expected = entry[quantity]
        values = ours.column(expected["column"]).to_numpy()
        assert np.sum(values) == pytest.approx(expected["sum"], rel=1e-12, abs=1e-12)
        assert values[0] == pytest.approx(expected["first"], rel=1e-12)
        assert values[-1] == pytest.approx(expected["last"], rel=1e-12)
    assert len(set(ours.column("Step count").to_pylist())) == entry["n_steps"]
    assert len(set(ours.column("Cycle count").to_pylist())) == entry["n_cycles"]
    vendor = vendor_table(path)
    for name in vendor.column_names:
        assert_same_column(ours.column(name), vendor.column(name), name)


def vendor_table(path: Path) -> pa.Table:
    ionworksdata = pytest.importorskip("ionworksdata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ionworksdata.read.time_series(str(path)).to_arrow()


def assert_same_column(ours: pa.ChunkedArray, vendor: pa.ChunkedArray, name: str) -> None:
    if not (pa.types.is_floating(vendor.type) or pa.types.is_integer(vendor.type)):
        assert ours.cast(pa.string()).to_pylist() == vendor.cast(pa.string()).to_pylist(), name
        return
    mine = np.asarray(ours.to_numpy(zero_copy_only=False), dtype=float)
    theirs = np.asarray(vendor.to_numpy(zero_copy_only=False), dtype=float)
    np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg=name)
