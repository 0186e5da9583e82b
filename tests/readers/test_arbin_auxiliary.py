"""Sensors of an Arbin database, by an exporting program that prints a database of our own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bulkload.readers import read

TABLES = {
    "Global_Table": "Test_ID,Channel_Index\n7,0\n",
    "Channel_Normal_Table": "Test_ID,Data_Point,Test_Time,Step_Index,Cycle_Index,Current,Voltage\n"
    + "".join(f"7,{i + 1},{10 * i},1,1,-0.5,{3.7 - i / 100:.2f}\n" for i in range(6)),
    # The record 3 has no temperature; the second sensor is not connected; another test is none.
    "Auxiliary_Table": "Test_ID,Data_Point,Auxiliary_Index,Data_Type,X\n"
    + "".join(f"7,{i},0,1,{298.15 + i}\n" for i in (6, 5, 4, 2, 1))
    + "".join(f"7,{i},1,1,-1000\n7,{i},0,0,{3500 + i}\n8,{i},0,1,1\n" for i in range(1, 7)),
    "Aux_Global_Data_Table": "Channel_Index,Auxiliary_Index,Data_Type,Nickname,Unit\n"
    "0,0,1,Tab,K\n0,1,1,Spare,C\n0,0,0,Sense,mV\n",
}


@pytest.mark.skipif(sys.platform == "win32", reason="the program here is a shell script")
def test_auxiliary_channels_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text)
    program = folder / "mdb-export"
    program.write_text(f'#!/bin/sh\ncat "{folder}/$2.csv"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "cell.res"
    path.write_bytes(b"\x00\x01\x00\x00Standard Jet DB\x00 Channel_Normal_Table")
    series = read(path)
    table = series.table
    assert table["Temperature [degC]"].to_pylist() == pytest.approx(
        [26.0, 27.0, None, 29.0, 30.0, 31.0], nan_ok=True
    )
    assert table["Sense [V]"].to_pylist() == pytest.approx([3.501 + i / 1000 for i in range(6)])
    left_out = [n for d in series.decisions if d.code == "columns_left_out" for n in d.columns]
    assert "Spare" in left_out
