"""The table of readers holds: every file is read, or rejected for the reason it states."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.readers_table import REFUSED, rows

#: Largest difference between the charge that a maker counts and the integral of the current.
#: Rows are seconds apart and currents rounded to the maker's resolution.
MAX_CHARGE_DIFFERENCE = 0.01

#: The Landt file writes 0.2 mA with a resolution of 0.1 mA: its own columns disagree.
COARSE = {"SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv": 0.15}


def test_the_table_holds(shared_data: Path) -> None:
    if shutil.which("mdb-export") is None:
        pytest.skip("mdb-export of mdbtools is not installed")
    table = {row.file.split("/", 1)[1]: row for row in rows(shared_data)}
    assert len(table) == 46
    assert {name: row.refused for name, row in table.items() if row.refused} == REFUSED
    compared = {name: row.agreement for name, row in table.items() if row.agreement is not None}
    assert len(compared) >= 25
    for name, difference in compared.items():
        assert difference < COARSE.get(name, MAX_CHARGE_DIFFERENCE), name
