"""Mutate real text files and read them: no crash, no hang, no silent change in untouched rows.

A mutation may be refused with a reason, or read; where it is read, every row that was not
touched must keep its values (voltage and current, matched by the row's place in the file), or
the reading states that it took them from other columns.

    python scripts/fuzz_readers.py [--count N] [--seed S] [--format NAME]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import random
import re
import string
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers import TimeSeries, read
from scripts.fuzz_bases import NAMES, Base, base

#: Longest that one small file may take, in seconds.
LIMIT_S = 10.0

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
        place = rng.randrange(begin if base.is_binary else 0, len(data))
        data[place] = rng.randrange(256)
        touched.add(int(np.searchsorted(bounds, place, side="right")))
    return bytes(data), touched


def dropped(base: Base, rng: random.Random) -> Mutation:
    """Leave out some rows: the others are untouched."""
    gone = {rng.randrange(len(base.rows)) for _ in range(rng.randint(1, 4))}
    return base.with_rows(r for i, r in enumerate(base.rows) if i not in gone), None


def doubled(base: Base, rng: random.Random) -> Mutation:
    """Write a row twice."""
    index = rng.randrange(len(base.rows))
    rows = [*base.rows[: index + 1], *base.rows[index:]]
    return base.with_rows(rows), None


def reordered(base: Base, rng: random.Random) -> Mutation:
    """Swap two rows."""
    rows = list(base.rows)
    first, second = rng.randrange(len(rows)), rng.randrange(len(rows))
    rows[first], rows[second] = rows[second], rows[first]
    return base.with_rows(rows), None


def renamed(base: Base, rng: random.Random) -> Mutation:
    """Give some columns other names."""
    if base.is_binary:
        return truncated(base, rng)
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
    if {"Z_Re [Ohm]", "Z_Im [Ohm]"} <= set(table.column_names) and "Voltage [V]" not in (
        table.column_names
    ):
        parts = (np.asarray(table[name], dtype=float) for name in ("Z_Re [Ohm]", "Z_Im [Ohm]"))
        return list(zip(*(part.tolist() for part in parts), strict=True))
    if not {"Voltage [V]", "Current [A]"} <= set(table.column_names):
        # A native file whose column bears another name has no such column: nothing is changed.
        return []
    voltage = np.asarray(table["Voltage [V]"], dtype=float)
    current = np.abs(np.asarray(table["Current [A]"], dtype=float))
    return list(zip(voltage.tolist(), current.tolist(), strict=True))


def problems(name: str, count: int, seed: int, outcomes: Counter[str]) -> Iterator[str]:
    """Read mutations of one format; yield what must not be."""
    original = base(name)
    # Its first import takes seconds, and no file is to blame for them.
    with contextlib.suppress(ImportError):
        importlib.import_module("ionworksdata")
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
    codes = {
        DecisionCode.CURRENT_DERIVED,
        DecisionCode.VOLTAGE_TAKEN,
        DecisionCode.IMPEDANCE_DERIVED,
    }
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
    parser.add_argument("--format", choices=NAMES)
    stated = parser.parse_args()
    failed = 0
    for name in [stated.format] if stated.format else NAMES:
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
