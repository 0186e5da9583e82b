"""Print the table of readers: every real cycler file, our reading, the vendor's alone.

``--check`` exits 1 where a file is not read as the table promises. Files are looked for in
``../shared/data`` beside the repository, or where ``BULKLOAD_SHARED_DATA`` says.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bulkload.errors import UnreadableError
from bulkload.readers import TimeSeries, read
from bulkload.readers.content import load
from bulkload.readers.formats.mpr import mpr_records

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BULKLOAD_SHARED_DATA", ROOT.parent / "shared" / "data"))

#: Where our reading and the vendor's part on a file that the vendor reads unaided: why.
PARTED = {
    "GMJuly2022_CELL002_RPT_3_P0C_5P0PSI_20230110_R0_CH041_20230110143333_37_2_1_2818580185"
    ".xlsx": "takes dates in whole seconds; the total time has tenths",
    "MnMn-B02-S01-A-E1.res": "sorts by a rounded date, time goes back",
    "maccor_two.txt": "drops decimal commas: 0.1377 V becomes 1377 V",
    "maccor_002.txt": "misses the mode column: current without a sign",
    "sample_data_maccor.csv": "drops the first row as a row of units",
    "gcpl.issue_211.mpt": "takes Ewe for the voltage of the cell; the file has Ewe-Ece",
}

#: Files that are refused, with the cause.
REFUSED = {"maccor_two.txt": "truncated"}

#: The maker's own capacity column where the result does not hold it: first word of the header,
#: delimiter, column, and what brings it to A.h.
CAPACITY_COLUMNS: Mapping[str, tuple[str, str, str, float]] = {
    "sample_data_maccor.csv": ("Rec,", ",", "Capacity", 1.0),
    "custom_data_003.xls": ("Detail_14_1_3", "", "CapaCity(mAh)", 1e-3),
    "neware_uio.csv": ("DataPoint", ",", "Capacity(Ah)", 1.0),
    "example_data_prep.csv": ("Date and Time", ",", "Capacity (Ah)", 1.0),
    "sample_data_basytec.txt": ("~Time[s]", "\t", "Ah-Step", 1.0),
    "gcpl.issue_211.mpt": ("mode", "\t", "(Q-Qo)/mA.h", 1e-3),
    "gcpl.issue_211.mpr": ("", "", "(Q-Qo)/mA.h", 1e-3),
    "mb.issue_95.de.mpt": ("mode", "\t", "(Q-Qo)/mA.h", 1e-3),
    "Sample_data_biologic_01_MB_CA1.txt": ("Ns changes", "\t", "(Q-Qo)/mA.h", 1e-3),
    "Cell785_0p5C_25degC.csv": ("Step,", ",", "AhAccu", 1.0),
    "cell-discharge-bitrode-1c.csv": ("Exclude", ",", "Capacity(Ah)", 1.0),
    "cell-low-current-hppc-25c-2.csv": ("Exclude", ",", "Capacity(Ah)", 1.0),
    "nw4-120-1-6-53.ndax": ("", "", "capacity_mAh", 1e-3),
    "test.nda": ("", "", "capacity_mAh", 1e-3),
}

#: Makes whose capacity columns are in the result as they stand in the file.
FROM_FILE = ("arbin", "arbin res", "maccor", "landt", "neware layered")

#: Less charge than this moved in a test says nothing, in A.h.
MIN_CHARGE_AH = 1e-6


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    file: str
    ours: str
    vendor: str
    #: Largest relative difference of charge between the maker's column and the integral.
    agreement: float | None
    refused: str | None = None


def rows(shared: Path = SHARED_DATA) -> Iterator[Row]:
    """Read every file and compare."""
    for entry in json.loads((shared / "oracle.json").read_text(encoding="utf-8")):
        path = shared.parent / entry["file"]
        name = f"{path.parent.name}/{path.name}"
        vendor = _vendor(entry, path.name)
        try:
            series = read(path)
        except UnreadableError as refusal:
            reason = str(refusal).removeprefix(f"{path.name}: ").split(";")[0]
            yield Row(name, f"refused: {reason}", vendor, None, refusal.cause)
            continue
        ours = f"{series.table.num_rows:,} rows, `{series.provenance['reader']}`"
        yield Row(name, ours, vendor, _agreement(path, series.table, series.provenance))


def _vendor(entry: Mapping[str, Any], name: str) -> str:
    if entry["status"] == "ok":
        return f"wrong: {PARTED[name]}" if name in PARTED else f"{entry['rows']:,} rows, the same"
    if entry["status"] == "explicit_reader":
        return f"only when told: {entry['explicit']['rows']:,} rows"
    return "no"


def _agreement(path: Path, table: pa.Table, provenance: Mapping[str, Any]) -> float | None:
    """Compare the charge that the maker counts with the integral of our current over our time."""
    capacity = _maker_capacity(path, table, provenance)
    if capacity is None or len(capacity) != table.num_rows:
        return None
    step = np.asarray(table["Step count"])
    begin = np.flatnonzero(np.concatenate(([True], step[1:] != step[:-1])))
    time, current = np.asarray(table["Time [s]"]), np.asarray(table["Current [A]"])
    moved = np.abs(np.diff(time) * (current[1:] + current[:-1]) / 7200.0)
    within = np.concatenate(([0.0], np.where(step[1:] == step[:-1], moved, 0.0)))
    integral = np.add.reduceat(within, begin)
    counted = np.maximum.reduceat(capacity, begin) - np.minimum.reduceat(capacity, begin)
    if counted.sum() < MIN_CHARGE_AH:
        return None
    return float(abs(counted.sum() - integral.sum()) / counted.sum())


def _maker_capacity(
    path: Path, table: pa.Table, provenance: Mapping[str, Any]
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    if path.suffix == ".xls":
        return _sheet_capacity(path)
    from_file = provenance["reader"] in FROM_FILE or path.name.startswith("SINTEF__hina")
    if (
        path.name not in CAPACITY_COLUMNS
        and from_file
        and "Discharge capacity [A.h]" in table.column_names
    ):
        both = np.asarray(table["Discharge capacity [A.h]"]) + np.asarray(
            table["Charge capacity [A.h]"]
        )
        return np.asarray(both, dtype=np.float64)
    if path.name not in CAPACITY_COLUMNS:
        return None
    start, delimiter, column, scale = CAPACITY_COLUMNS[path.name]
    if path.suffix == ".mpr":
        return np.asarray(mpr_records(load(path))[column], dtype=np.float64) * scale
    if path.suffix in {".nda", ".ndax"}:
        import fastnda

        return np.asarray(fastnda.read(path)[column], dtype=np.float64) * scale
    lines = path.read_text(encoding="latin-1").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    reader = csv.reader(lines[first:], delimiter=delimiter)
    index = next(reader).index(column)
    values = [row[index].replace(",", ".") for row in reader if len(row) > index]
    return np.array([float(v) for v in values if v and v[0] != "["]) * scale


def _sheet_capacity(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    import python_calamine

    sheet, _, column, scale = CAPACITY_COLUMNS[path.name]
    header, *body = python_calamine.load_workbook(str(path)).get_sheet_by_name(sheet).to_python()
    index = header.index(column)
    return np.array([row[index] for row in body], dtype=np.float64) * scale


def markdown(table: list[Row]) -> str:
    """Return the table as Markdown."""
    lines = [
        "| file | bulkload, no hint | vendor's reader, no hint | charge: maker's column, ∫I dt |",
        "|---|---|---|---|",
    ]
    for row in table:
        agreement = "" if row.agreement is None else f"{row.agreement:.2%} apart"
        lines.append(f"| {row.file[:60]} | {row.ours} | {row.vendor} | {agreement} |")
    read_right = sum(row.refused is None for row in table)
    same = sum("the same" in row.vendor for row in table)
    lines += [
        "",
        (
            f"{read_right} of {len(table)} read right without a hint, {len(table) - read_right} "
            f"refused for what is wrong with it; the vendor's reader alone: {same} of {len(table)}."
        ),
    ]
    return "\n".join(lines)


#: What a sum of magnitudes may be apart, relative: doubles, and values that were float32; and a
#: time, in seconds: repeated times are set apart by a microsecond each.
ORACLE_TOLERANCE = 1e-5
TIME_TOLERANCE_S = 2e-3


def second_set(shared: Path = SHARED_DATA) -> Iterator[tuple[str, str]]:
    """Yield each file of the second set with how it ends: right, refused, or MISREAD and how."""
    for entry in json.loads((shared / "oracle2.json").read_text(encoding="utf-8")):
        yield entry["file"].removeprefix("cycler2/").removeprefix("cycler/"), outcome(entry, shared)


def outcome(entry: Mapping[str, Any], shared: Path = SHARED_DATA) -> str:
    """Hold our reading of one file against an independent one."""
    try:
        series = read(shared / entry["file"])
    except UnreadableError as refusal:
        pattern = entry["refuse"] if entry["expect"] == "refuse" else entry.get("refuse_also")
        is_right = pattern is not None and re.search(pattern, str(refusal)) is not None
        return f"{'refused' if is_right else 'REFUSED'}: {refusal.cause}"
    if entry["expect"] == "refuse":
        return "MISREAD: should be refused"
    answers = [entry, *({**entry, **other} for other in entry.get("or", ()))]
    found = [misread(series, answer) for answer in answers]
    return "right" if [] in found else f"MISREAD: {'; '.join(found[0])}"


def _near(found: Any, expected: float) -> bool:
    return isinstance(found, float) and math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-12)


def _close(found: float, expected: float, scale: float) -> bool:
    return abs(found - expected) <= ORACLE_TOLERANCE * max(abs(scale), 1e-12)


def misread(series: TimeSeries, entry: Mapping[str, Any]) -> list[str]:
    """Return in what a reading differs from the independent one; empty where in nothing."""
    table = series.table
    wrong = []
    if table.num_rows != entry["rows"]:
        return [f"{table.num_rows} rows, not {entry['rows']}"]
    for key, column in (("voltage_V", "Voltage [V]"), ("current_A", "Current [A]")):
        values = np.asarray(table[column], dtype=float)
        expected = entry[key]
        sums = (values.sum(), np.abs(values).sum())
        turned = -1.0 if expected.get("sign") == "either" and sums[0] * expected["sum"] < 0 else 1.0
        for name, found in (
            ("first", values[0] * turned),
            ("mid", values[len(values) // 2] * turned),
            ("last", values[-1] * turned),
            ("sum", sums[0] * turned),
            ("abs_sum", sums[1]),
        ):
            scale = expected["abs_sum"] if "sum" in name else max(np.abs(values).max(), 1e-9)
            if not _close(found, expected[name], scale):
                wrong.append(f"{key} {name} {found} not {expected[name]}")
    time = np.asarray(table["Time [s]"], dtype=float)
    for name, found in (("first", time[0]), ("mid", time[len(time) // 2]), ("last", time[-1])):
        if abs(found - entry["time_s"][name]) > TIME_TOLERANCE_S:
            wrong.append(f"time {name} {found} not {entry['time_s'][name]}")
    return wrong + _beside(series, entry)


def _beside(series: TimeSeries, entry: Mapping[str, Any]) -> list[str]:
    """Check what the file has beside time, voltage and current."""
    wrong = []
    table = series.table
    first_values = {
        name: table[name][0].as_py() for name in table.column_names if table[name].type == "double"
    }
    wrong += [
        f"temperature {sensor['name']} missing"
        for sensor in entry["temperature_degC"]
        if not any(_near(value, sensor["first"]) for value in first_values.values())
    ]
    numbers = "Cycle from cycler" if "Cycle from cycler" in table.column_names else "Cycle count"
    cycles = len(set(table[numbers].to_pylist()))
    if entry["cycles"] is not None and cycles != entry["cycles"]:
        wrong.append(f"{cycles} cycles, not {entry['cycles']}")
    start = series.header.get("start_time")
    stated = entry["start_time"]
    allowed = {str(one)[:19] for one in (stated if isinstance(stated, list) else [stated])}
    may_lack = start is None and "start_time_may_be_missing" in entry
    if stated is not None and not may_lack and str(start)[:19] not in allowed:
        wrong.append(f"start_time {start} not {stated}")
    if "spectrum" in entry:
        frequency = np.nan_to_num(np.asarray(table["Frequency [Hz]"].to_pandas(), dtype=float))
        inside = np.flatnonzero(frequency > 0)
        if len(inside) != entry["spectrum"]["points"]:
            wrong.append(f"{len(inside)} points of a spectrum")
        for key, column in (("z_re_Ohm", "Z_Re [Ohm]"), ("z_im_Ohm", "Z_Im [Ohm]")):
            values = np.asarray(table[column].to_pandas(), dtype=float)[inside]
            for name, found in (("first", values[0]), ("last", values[-1])):
                if not _near(found, entry["spectrum"][key][name]):
                    wrong.append(f"{key} {name} {found}")
    return wrong


def main() -> int:
    """Print the table; with --check, hold it against what it promises."""
    table = list(rows())
    print(markdown(table))
    refused = {row.file.split("/")[1]: row.refused for row in table if row.refused}
    second = list(second_set())
    print("\n| file of the second set | bulkload, no hint |\n|---|---|")
    for name, ending in second:
        print(f"| {name[:60]} | {ending} |")
    wrong = [name for name, ending in second if ending.startswith(("MISREAD", "REFUSED"))]
    print(f"\n{len(second) - len(wrong)} of {len(second)} right, or refused as they should be.")
    return int("--check" in sys.argv and (refused != REFUSED or bool(wrong)))


if __name__ == "__main__":
    sys.exit(main())
