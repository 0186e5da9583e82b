"""Files that the fuzzer mutates: real ones cut short, and made ones where there is none."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from bulkload.readers.content import load
from bulkload.readers.formats.mpr import mpr_records

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BULKLOAD_SHARED_DATA", ROOT.parent / "shared" / "data"))

#: Rows that a base file is cut down to, so that thousands of mutations are quick.
BASE_ROWS = 60

#: A native file, made here.
NATIVE = "ionworks"

#: Format -> file, and the first words of its header.
REAL = {
    "arbin": ("cycler/arbin/CS2_33_2_2_11.csv", "Data_Point"),
    "maccor": ("cycler/maccor/PreDiag_000229_000229_truncated.034", "Rec#"),
    "maccor durations": ("cycler/maccor/maccor_one.txt", "Rec#"),
    "biologic": ("cycler/biologic/gcpl.issue_211.mpt", "mode\t"),
    "biologic commas": ("cycler/biologic/mb.issue_95.de.mpt", "mode\t"),
    "biologic table": ("cycler2/biologic/T-cell_pOCV_data.txt", "Ewe/V\t"),
    "neware": ("cycler/neware/neware_uio.csv", "DataPoint"),
    "neware layered": ("cycler/neware/nw_regular_export_ife_example.csv", ",,DataPoint"),
    "novonix": ("cycler/novonix/example_data_prep.csv", "Date and Time"),
    "basytec": ("cycler/basytec/sample_data_basytec.txt", "~Time"),
    "gamry": ("cycler/gamry/exampleDataGamry.DTA", "\tPt"),
    "gamry run": ("cycler2/gamry/chronoa_data.dta", "\tPt"),
    "digatron": ("cycler/digatron/Cell785_0p5C_25degC.csv", "Step,"),
    "bitrode": ("cycler/csv/cell-discharge-bitrode-1c.csv", "Exclude"),
    "bitrode module": ("cycler2/bitrode/module123-irdischarge-65ah-2_75c.csv", "Total Time"),
    "landt": ("cycler/csv/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv", "channel_index"),
    "bdf": ("cycler/bdf/DLR__LiLNMOHydra0b__20221125__POCV__25degC__Basytec.bdf.csv", "test_time"),
    "parstat": ("cycler2/parstat/exampleDataParstat.txt", "Potential (V)"),
    "versastudio": ("cycler2/versastudio/exampleDataVersaStudio.par", "Definition="),
    "voltaiq": (
        "cycler2/voltaiq/GMJuly2022_CELL002_Test3_1_P0C_5P0PSI_20221021_R0_CH041.csv",
        "Datapoint Number",
    ),
    "suffixes": ("cycler2/batterydata/p492-13-raw.csv", "Cycle_Index"),
}

#: An EC-Lab binary: its rows are the records.
BINARY = "biologic mpr"
_BINARY_FILE = "cycler/biologic/00_test_04_MB_C01.mpr"

#: Formats whose tables end within the file.
_WHOLE = frozenset({"gamry", "gamry run", "versastudio"})


@dataclass(frozen=True)
class Base:
    """A file cut short: the lines up to the header, and rows below it."""

    name: str
    suffix: str
    head: list[bytes]
    rows: list[bytes]
    #: Bytes of a record mean nothing as text, and those before them are counts and numbers that
    #: nothing in the file repeats: only the records are changed.
    is_binary: bool = False
    #: What stands behind the rows.
    tail: bytes = b""

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self.with_rows(self.rows)

    def with_rows(self, rows: Iterable[bytes]) -> bytes:
        """Return the bytes with other rows."""
        return b"".join((*self.head, *rows, self.tail))


def _voltage(i: int) -> float:
    return round(3.2 + i / 97, 6)


def _clock(seconds: int) -> str:
    return f"2024-03-25 10:{seconds // 60:02d}:{seconds % 60:02d}"


def _lines(head: str, row: Callable[[int], str], encoding: str = "utf-8") -> tuple[str, str, str]:
    return head, "".join(row(i) + "\n" for i in range(BASE_ROWS)), encoding


def _land(i: int) -> str:
    step = 1 + i // 20
    fields = (i + 1, i * 10, i % 20 * 10, -2.5 if step == 2 else 2.5, _voltage(i), _clock(i * 10))
    return "\t".join(map(str, (*fields, 1, step, "D_CC" if step == 2 else "C_CC")))


def _layered(i: int) -> str:
    above = f'{i // 30 + 1},0\n,"{i // 20 + 1}","CC_Chg"\n' if i % 20 == 0 or i == 30 else ""
    return f"{above},,{i + 1},00:{i % 20:02d}:00.000,{_voltage(i)},500.0,{_clock(i * 60)}"


_FREQUENCY = [round(10 ** (5 - i / 10), 6) for i in range(BASE_ROWS)]

#: Format -> head, rows and encoding, made of the columns that its program writes.
MADE = {
    NATIVE: _lines(
        "Time [s],Voltage [V],Current [A],Step count,Operator\n",
        lambda i: f"{i},{3 + i / 97:.6f},{0.5 if i % 7 else 0},{i // 20},Ada",
    ),
    "lanhe": _lines(
        "Record\tTestTime/Sec\tStepTime/Sec\tCurrent/mA\tVoltage/V\tSysTime\tCycle-Index\t"
        "Step-Index\tStep-State\n",
        _land,
    ),
    "lanhe chinese": _lines(
        "记录\t测试时间/Sec\t步骤时间/Sec\t电流/mA\t电压/V\t系统时间\t循环序号\t步骤序号\t步骤状态\n",
        _land,
        "gbk",
    ),
    "neware bts": _lines(
        "Cycle ID,Step ID,Record ID,Step Name,Time(h:min:s.ms),Voltage(V),Current(mA),Realtime\n",
        lambda i: (
            f"1,{i // 20 + 1},{i + 1},CC_Chg,00:00:{i % 20:02d}.000,{_voltage(i)},500.0,{_clock(i)}"
        ),
    ),
    "neware bts layered": _lines(
        '"Cycle ID","Cap_Chg(mAh)"\n,"Step ID","Step Name"\n'
        ',,"Record ID","Time(h:min:s.ms)","Voltage(V)","Current(mA)","Realtime"\n',
        _layered,
    ),
    "squidstat": _lines(
        '"Step number","Step name","Elapsed Time (s)","Current (mA)","Working Electrode (V)",'
        '"Counter Electrode (V)"\n',
        lambda i: f"{i // 20 + 1},Constant Current,{i},{-5 - i % 3},{_voltage(i)},0.1",
    ),
    "digatron german": _lines(
        "Batteriename;Zelle 7;\n\nSchritt;Zustand;Programmdauer;Zyklus;AhAkku;Spannung;Strom\n"
        ";;[Sec];;[Ah];[V];[A]\n",
        lambda i: f"2;ENT;{i * 10},5;0;0;3,{900 - i};-1,25",
        "cp1252",
    ),
    "wrapped lines": _lines(
        '"Time(s),Voltage(V),Current(A)"\n', lambda i: f'"{i},{_voltage(i)},{0.5 + i % 5}"'
    ),
    "zplot": _lines(
        "ZPLOT2 ASCII\n  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange\n"
        "End Comments\n",
        lambda i: (
            f"{_FREQUENCY[i]:E}\t1.0E-02\t0.0\t{i}\t{10 + i / 7:.5f}\t{-1 - i / 9:.5f}\t0\t0\t3"
        ),
    ),
    "autolab": _lines(
        "Index;Frequency (Hz);Z' (Ω);-Z'' (Ω);Z (Ω);-Phase (°);Time (s)\n",
        lambda i: f"{i};{_FREQUENCY[i]};{10 + i / 7:.5f};{1 + i / 9:.5f};20;10;{i}",
    ),
    "chi": _lines(
        "Feb. 20, 2020   15:55:08\nA.C. Impedance\nInstrument Model:  CHI660E\n\n"
        "Freq/Hz, Z'/ohm, Z\"/ohm, Z/ohm, Phase/deg\n",
        lambda i: f"{_FREQUENCY[i]:e}, {10 + i / 7:.5e}, {-1 - i / 9:.5e}, 1.0e+1, -1.6",
    ),
}

#: A store of a table whose rows are the records: only they are changed, for nothing else in such a
#: file is there twice.
STORE = "hdf5"

NAMES = (*MADE, *REAL, BINARY, STORE)


def base(name: str) -> Base:
    """Return the base file of a format."""
    if name == BINARY:
        return _binary()
    if name == STORE:
        return _store()
    if name in MADE:
        head, rows, encoding = MADE[name]
        return Base(
            name,
            ".csv",
            head.encode(encoding).splitlines(keepends=True),
            rows.encode(encoding).splitlines(keepends=True),
        )
    file, start = REAL[name]
    path = SHARED_DATA / file
    lines = path.read_bytes().splitlines(keepends=True)
    first = next(
        i
        for i, line in enumerate(lines)
        if line.removeprefix(b"\xef\xbb\xbf").startswith(start.encode())
    )
    stop = len(lines) if name in _WHOLE else first + 1 + BASE_ROWS
    return Base(name, path.suffix, lines[: first + 1], lines[first + 1 : stop])


def _binary() -> Base:
    content = load(SHARED_DATA / _BINARY_FILE)
    records = mpr_records(content)
    size, count = records.dtype.itemsize, len(records)
    begin = content.data.index(np.ascontiguousarray(records).tobytes())
    data = content.data
    rows = [data[begin + i * size : begin + (i + 1) * size] for i in range(count)]
    return Base(
        BINARY, ".mpr", [data[:begin]], [*rows, data[begin + count * size :]], is_binary=True
    )


def _store() -> Base:
    kind = np.dtype([(name, "<f8") for name in ("time [s]", "voltage [V]", "current [A]")])
    rows = [(10.0 * i, _voltage(i), 0.5 + i % 5) for i in range(BASE_ROWS)]
    records = np.array(rows, dtype=kind)
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file.create_dataset("run/table", data=records)
    data, size = stored.getvalue(), records.dtype.itemsize
    begin = data.index(records.tobytes())
    end = begin + records.nbytes
    cut = [data[place : place + size] for place in range(begin, end, size)]
    return Base(STORE, ".h5", [data[:begin]], [*cut, data[end:]], is_binary=True)
