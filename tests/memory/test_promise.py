"""``--memory`` is kept by the whole process tree, measured from outside; large tables arrive."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bulkload.localstudio import LocalStudio
from tests.archives import series, specification, write
from tests.memory.tree import MIB, SPARSE, measured, write_database, write_large

#: The least that a run takes: what reads may take 512 MiB of it.
MEMORY_MIB = 640
TAKES = ("--memory", f"{MEMORY_MIB}MiB", "--no-wait")

LARGE_ROWS = 5_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the pool only looks now and then")
def test_a_mix_of_tiny_and_large_files_stays_below_the_memory(
    tmp_path: Path, studio: LocalStudio
) -> None:
    """All tiny files and the large table arrive; what fits neither way is told in a sentence."""
    archive = tmp_path / "archive"
    specification(archive / "spec")
    cell = archive / "spec" / "cell"
    for number in range(30):
        write(cell / f"tiny {number}.csv", series(seed=number))
    write_large(cell / "large.csv", LARGE_ROWS)
    commas = write(tmp_path / "points.csv", series(rows=4_000_000)).read_bytes()
    (cell / "commas.csv").write_bytes(commas.replace(b",", b";").replace(b".", b","))
    del commas
    # The table and its text alone are more than a process that reads may take.
    in_memory = LARGE_ROWS * (4 + len(SPARSE)) * 8 + (cell / "large.csv").stat().st_size
    assert in_memory > (MEMORY_MIB - 128) * MIB

    found = measured(
        ("upload", "archive", "--job", "job", *TAKES, "--workers", "2"),
        tmp_path,
        studio,
    )
    assert found.peak_mib < MEMORY_MIB
    assert found.ended.counts == {"created": 31, "rejected": 1}, found.ended.err
    rows = found.ended.rows
    assert rows["large"].rows == LARGE_ROWS
    assert rows["commas"].cause == "memory_limit"
    assert "--memory" in rows["commas"].message


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the pool only looks now and then")
def test_a_database_flows_through_in_flat_memory(tmp_path: Path, studio: LocalStudio) -> None:
    """Four times the rows take the same memory; both are more than one piece may be."""
    peaks = []
    for rows in (1_200_000, 4_800_000):
        folder = tmp_path / str(rows)
        write_database(folder, rows)
        found = measured(("upload", "migration.toml", "--job", "job", *TAKES), folder, studio)
        assert found.ended.counts == {"created": 1}, found.ended.err
        assert found.ended.rows[str(rows)].rows == rows
        peaks.append(found.peak_mib)
    assert peaks[1] < MEMORY_MIB
    assert peaks[1] < peaks[0] * 1.15 + 20
