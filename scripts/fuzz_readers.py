"""Mutate real text files and read them: no crash, no hang, no silent change in untouched rows.

A mutation may be refused with a reason, or read; where it is read, every row that was not
touched must keep its values (voltage and current, matched by the row's place in the file), or
the reading states that it took them from other columns.

    python scripts/fuzz_readers.py [--count N] [--seed S] [--format NAME]
"""

from __future__ import annotations

import argparse
import os
import random
import re
import string
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers import TimeSeries, read

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("BULKLOAD_SHARED_DATA", ROOT.parent / "shared" / "data"))

#: Longest that one small file may take, in seconds.
LIMIT_S = 10.0

#: Rows that a base file is cut down to, so that thousands of mutations are quick.
BASE_ROWS = 60

#: Format -> file, and the first words of its header.
BASES = {
    "arbin": ("arbin/CS2_33_2_2_11.csv", "Data_Point"),
    "maccor": ("maccor/PreDiag_000229_000229_truncated.034", "Rec#"),
    "maccor durations": ("maccor/maccor_one.txt", "Rec#"),
    "biologic": ("biologic/gcpl.issue_211.mpt", "mode\t"),
    "biologic commas": ("biologic/mb.issue_95.de.mpt", "mode\t"),
    "neware": ("neware/neware_uio.csv", "DataPoint"),
    "neware layered": ("neware/nw_regular_export_ife_example.csv", ",,DataPoint"),
    "novonix": ("novonix/example_data_prep.csv", "Date and Time"),
    "basytec": ("basytec/sample_data_basytec.txt", "~Time"),
    "gamry": ("gamry/exampleDataGamry.DTA", "\tPt"),
    "digatron": ("digatron/Cell785_0p5C_25degC.csv", "Step,"),
    "bitrode": ("csv/cell-discharge-bitrode-1c.csv", "Exclude"),
    "landt": ("csv/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv", "channel_index"),
    "bdf": ("bdf/DLR__LiLNMOHydra0b__20221125__POCV__25degC__Basytec.bdf.csv", "test_time"),
}

#: A native file, made here.
NATIVE = "ionworks"


@dataclass(frozen=True)
class Base:
    """A file cut short: the lines up to the header, and rows below it."""

    name: str
    suffix: str
    head: list[bytes]
    rows: list[bytes]

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return b"".join((*self.head, *self.rows))


def base(name: str) -> Base:
    """Cut the real file of a format down."""
    if name == NATIVE:
        head = [b"Time [s],Voltage [V],Current [A],Step count,Operator\n"]
        rows = [f"{i},{3 + i / 97:.6f},{0.5 if i % 7 else 0},{i // 20},Ada\n" for i in range(60)]
        return Base(name, ".csv", head, [row.encode() for row in rows])
    file, start = BASES[name]
    path = SHARED_DATA / "cycler" / file
    lines = path.read_bytes().splitlines(keepends=True)
    first = next(
        i
        for i, line in enumerate(lines)
        if line.removeprefix(b"\xef\xbb\xbf").startswith(start.encode())
    )
    stop = len(lines) if name == "gamry" else first + 1 + BASE_ROWS
    return Base(name, path.suffix, lines[: first + 1], lines[first + 1 : stop])


Mutation = tuple[bytes, set[int] | None]


def truncated(base: Base, rng: random.Random) -> Mutation:
    """Cut anywhere: the rows before the cut are untouched."""
    data = base.data
    return data[: rng.randrange(1, len(data))], None


def flipped(base: Base, rng: random.Random) -> Mutation:
    """Change a few bytes anywhere, the header included."""
    data = bytearray(base.data)
    begin = len(b"".join(base.head))
    bounds = np.cumsum([begin, *(len(row) for row in base.rows)])
    touched = set()
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(data))
        data[place] = rng.randrange(256)
        touched.add(int(np.searchsorted(bounds, place, side="right")))
    return bytes(data), touched


def dropped(base: Base, rng: random.Random) -> Mutation:
    """Leave out some rows: the others are untouched."""
    gone = {rng.randrange(len(base.rows)) for _ in range(rng.randint(1, 4))}
    return b"".join((*base.head, *(r for i, r in enumerate(base.rows) if i not in gone))), None


def doubled(base: Base, rng: random.Random) -> Mutation:
    """Write a row twice."""
    index = rng.randrange(len(base.rows))
    rows = [*base.rows[: index + 1], *base.rows[index:]]
    return b"".join((*base.head, *rows)), None


def reordered(base: Base, rng: random.Random) -> Mutation:
    """Swap two rows."""
    rows = list(base.rows)
    first, second = rng.randrange(len(rows)), rng.randrange(len(rows))
    rows[first], rows[second] = rows[second], rows[first]
    return b"".join((*base.head, *rows)), None


def renamed(base: Base, rng: random.Random) -> Mutation:
    """Give some columns other names."""
    head = list(base.head)
    names = re.split(rb"([,\t;])", head[-1])
    for _ in range(rng.randint(1, 3)):
        index = 2 * rng.randrange((len(names) + 1) // 2)
        letters = bytes(rng.choices(string.ascii_letters.encode(), k=rng.randint(1, 9)))
        names[index] = letters + (b"\n" if names[index].endswith(b"\n") else b"")
    head[-1] = b"".join(names)
    return b"".join((*head, *base.rows)), None


MUTATIONS: tuple[Callable[[Base, random.Random], Mutation], ...] = (
    truncated,
    flipped,
    dropped,
    doubled,
    reordered,
    renamed,
)


def pairs(table: pa.Table) -> list[tuple[float, float]]:
    """Return voltage and size of current of each row: the sign may be settled otherwise."""
    if not {"Voltage [V]", "Current [A]"} <= set(table.column_names):
        # A native file whose column bears another name has no such column: nothing is changed.
        return []
    voltage = np.asarray(table["Voltage [V]"], dtype=float)
    current = np.abs(np.asarray(table["Current [A]"], dtype=float))
    return list(zip(voltage.tolist(), current.tolist(), strict=True))


def problems(name: str, count: int, seed: int, outcomes: Counter[str]) -> Iterator[str]:
    """Read mutations of one format; yield what must not be."""
    original = base(name)
    rng = random.Random(f"{seed} {name}")
    with tempfile.TemporaryDirectory(prefix="bulkload-fuzz-") as folder:
        path = Path(folder, "file" + original.suffix)
        path.write_bytes(original.data)
        whole = read(path)
        true = pairs(whole.table)
        for turn in range(count):
            mutate = MUTATIONS[turn % len(MUTATIONS)]
            data, touched = mutate(original, rng)
            path.write_bytes(data)
            begin = time.perf_counter()
            try:
                series = read(path)
                found = pairs(series.table)
            except UnreadableError as refusal:
                outcomes[refusal.cause] += 1
                found = None
            except Exception as error:  # noqa: BLE001  # a crash is what is looked for
                yield f"{name}, {mutate.__name__}, turn {turn}: {type(error).__name__}: {error}"
                continue
            if time.perf_counter() - begin > LIMIT_S:
                yield f"{name}, {mutate.__name__}, turn {turn}: took over {LIMIT_S} s"
            if found is not None:
                outcomes["read"] += 1
                strange = strangers(true, found, touched)
                if strange and stated_sources(series) == stated_sources(whole):
                    what = f"untouched rows changed: {strange[:3]}"
                    yield f"{name}, {mutate.__name__}, turn {turn}: {what}"


def stated_sources(series: TimeSeries) -> set[str]:
    """Return what the reading says of the columns that voltage and current came from."""
    codes = {DecisionCode.CURRENT_DERIVED, DecisionCode.VOLTAGE_TAKEN}
    return {decision.detail for decision in series.decisions if decision.code in codes}


def strangers(
    true: list[tuple[float, float]], found: list[tuple[float, float]], touched: set[int] | None
) -> list[tuple[float, float]]:
    """Return read rows that stand nowhere in the original, less those that were touched."""
    allowed = 1 if touched is None else len(touched)
    known = Counter(true)
    strange = [pair for pair in found if not known[pair]]
    return strange if len(strange) > allowed else []


def main() -> int:
    """Fuzz all formats, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="mutations of each format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=[*BASES, NATIVE])
    stated = parser.parse_args()
    failed = 0
    for name in [stated.format] if stated.format else [NATIVE, *BASES]:
        outcomes: Counter[str] = Counter()
        found = list(problems(name, stated.count, stated.seed, outcomes))
        failed += len(found)
        shown = ", ".join(f"{cause} {n}" for cause, n in outcomes.most_common())
        print(f"{name}: {stated.count} files, {len(found)} problems; {shown}", flush=True)
        for line in found[:10]:
            print("   ", line)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
