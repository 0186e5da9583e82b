"""Print MB/s a core for each format beside the vendor's reader, and peak memory at 500 MB of text.

For Battery Data Format as text also what no reader on this parser can be quicker than: the file
read, hashed, and parsed by pyarrow to the types that it is wanted in, and nothing else.

Both readers run in this one process on one thread, turn by turn; the processor time of the best
turn counts, that of programs such as mdb-export included. Reading is from path to finished
table, detection included. The memory figure is the peak of a fresh process that reads a
generated Neware export, less its size before the read.

With ``--against PATH``, another checkout, both read every file by turns, in processes of their
own: speed and memory as after / before (see ``bench_against``).
"""

from __future__ import annotations

import os

# Before anything imports the vendor's parser: one thread, as in a child of bulkload.
os.environ["POLARS_MAX_THREADS"] = "1"

import argparse
import hashlib
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from bulkload.readers import read
from scripts.bench_against import ratios_table

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BULKLOAD_SHARED_DATA", ROOT.parent / "shared" / "data"))

#: Turns of each reader; the best counts.
TURNS = 7

#: The largest file of each format that the vendor reads unaided; of Maccor one of each dialect.
FILES = {
    "Arbin .res": "arbin/20160805_test001_45_cc_01.res",
    "Arbin workbook": "arbin/CS2_33_10_05_10.xlsx",
    "Maccor text": "maccor/maccor_one.txt",
    "Maccor .034": "maccor/PreDiag_000229_000229_truncated.034",
    "Maccor, minutes": "maccor/maccor_002.txt",
    "BioLogic .mpt": "biologic/gcpl.issue_211.mpt",
    "BioLogic impedance": "biologic/geis.mpt",
    "Neware text": "neware/neware_uio.csv",
    "Neware .xls": "neware/custom_data_003.xls",
    "Neware workbook": "neware/GMJuly2022_CELL002_RPT_3_P0C_5P0PSI_20230110_R0_CH041_"
    "20230110143333_37_2_1_2818580185.xlsx",
    "Novonix": "novonix/example_data_prep.csv",
    "BaSyTec": "basytec/sample_data_basytec.txt",
    "Gamry": "gamry/eispot_data.dta",
    "BDF text": "bdf/SINTEF__G20M7-202512-Gru6mV__20251228__C30__25degC__Neware.bdf.csv",
    "Parquet": "parquet/NDK - LG M50 deg - exp 2,2 - rig 3 - 25degC - cell C - BoL - "
    "RPT0_short_CA4.parquet",
}

#: Size of the generated text of the memory figure, in bytes.
LARGE_BYTES = 500 * 10**6


def spent() -> float:
    """Return the processor time of this process and of the programs that it ran, in seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def best(act: Callable[[], object]) -> float:
    """Return the processor time of one turn: other work on the machine does not count."""
    begin = spent()
    act()
    return spent() - begin


def vendor_reads(path: Path) -> object:
    """Read as the vendor's documentation shows."""
    import ionworksdata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ionworksdata.read.time_series(str(path))


def speed_table() -> list[str]:
    """Measure each format, the two readers turn by turn."""
    lines = ["| format | MB | bulkload MB/s | vendor MB/s | ratio |", "|---|---|---|---|---|"]
    for label, name in FILES.items():
        path = SHARED_DATA / "cycler" / name
        size = path.stat().st_size / 1e6
        ours = vendor = float("inf")
        for _ in range(TURNS):
            ours = min(ours, best(lambda: read(path)))  # noqa: B023  # called at once
            vendor = min(vendor, best(lambda: vendor_reads(path)))  # noqa: B023
        lines.append(
            f"| {label} | {size:.2f} | {size / ours:.0f} | {size / vendor:.0f} | "
            f"{vendor / ours:.1f} |"
        )
    return lines


def bare_parse(path: Path) -> object:
    """Read, hash and parse a plain table of numbers: what every reader of it has to do."""
    data = path.read_bytes()
    hashlib.sha256(data).hexdigest()
    names = data[: data.find(b"\n")].decode().strip().split(",")
    return pa_csv.read_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(data)),
        parse_options=pa_csv.ParseOptions(quote_char=False),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
    )


def floor_line() -> str:
    """Hold the vendor's reader of Battery Data Format against the bare parse."""
    path = SHARED_DATA / "cycler" / FILES["BDF text"]
    size = path.stat().st_size / 1e6
    bare = vendor = float("inf")
    for _ in range(TURNS):
        bare = min(bare, best(lambda: bare_parse(path)))
        vendor = min(vendor, best(lambda: vendor_reads(path)))
    return (
        f"BDF text, only hashed and parsed: {size / bare:.0f} MB/s, {vendor / bare:.1f} times "
        "the vendor's reader"
    )


def write_large(path: Path, size_bytes: int) -> None:
    """Write a Neware text export: a real one's rows over and over, its numbers running on."""
    source = SHARED_DATA / "cycler" / FILES["Neware text"]
    header, *body = source.read_text(encoding="utf-8").splitlines()
    with path.open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        number, written = 0, 0
        while written < size_bytes:
            block = []
            for line in body:
                number += 1
                block.append(f"{number},{line.split(',', 1)[1]}\n")
            text = "".join(block)
            written += len(text)
            file.write(text)


def peak_of_read(path: Path) -> tuple[float, float]:
    """Return how many bytes a read added at its peak, and how long it took (a fresh process)."""
    scale = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    seconds = best(lambda: read(path))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return after - before, seconds


def memory_line() -> str:
    """Measure the peak at a large text."""
    with tempfile.TemporaryDirectory(prefix="bulkload-bench-") as folder:
        path = Path(folder, "large.csv")
        write_large(path, LARGE_BYTES)
        size = path.stat().st_size
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak, seconds = pool.apply(peak_of_read, (path,))
    return (
        f"{size / 1e6:.0f} MB of text: peak {peak / 1e6:.0f} MB above the start, "
        f"{peak / size:.1f} times the file; {size / 1e6 / seconds:.0f} MB/s"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Speed and memory of reading, format by format.")
    parser.add_argument("--against", type=Path, help="another checkout, read by turns with this")
    parser.add_argument("--only", default="", help="part of the names of the formats to read")
    options = parser.parse_args(arguments)
    if options.against is not None:
        files = {
            label: SHARED_DATA / "cycler" / name
            for label, name in FILES.items()
            if options.only.lower() in label.lower()
        }
        print("\n".join(ratios_table(files, options.against, ROOT)))
        return 0
    print("\n".join(speed_table()))
    print()
    print(floor_line())
    print(memory_line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
