"""What is sent is no larger than what the vendor's client would send, and the same table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.errors import BulkloadError
from bulkload.readers import read
from bulkload.tables.parquet import encode
from scripts.make_archive import ArchiveSize, write_archive

#: Real files with fewer rows say nothing of how well their columns are written.
MIN_ROWS = 500


def sizes(table: pa.Table, folder: Path) -> tuple[int, int]:
    """Return the size of our file and of the vendor's, which polars writes."""
    encode(table, folder / "ours.parquet")
    pl.DataFrame(table).write_parquet(folder / "theirs.parquet")
    return (folder / "ours.parquet").stat().st_size, (folder / "theirs.parquet").stat().st_size


def totals(tables: list[pa.Table], folder: Path) -> tuple[int, int]:
    both = [sizes(table, folder) for table in tables]
    return sum(ours for ours, _ in both), sum(theirs for _, theirs in both)


def test_a_synthetic_archive_is_no_larger(tmp_path: Path) -> None:
    size = ArchiveSize(cells=2, measurements=2, rows=20_000, steps=200)
    write_archive(tmp_path / "archive", size)
    tables = [read(path).table for path in sorted((tmp_path / "archive").glob("*/*/*.csv"))]
    ours, theirs = totals(tables, tmp_path)
    assert ours <= theirs


def test_real_files_are_no_larger_together(shared_data: Path, tmp_path: Path) -> None:
    tables = []
    for path in sorted(path for path in (shared_data / "cycler").rglob("*") if path.is_file()):
        try:
            table = read(path).table
        except BulkloadError:
            continue
        if table.num_rows >= MIN_ROWS:
            tables.append(table)
    assert len(tables) > 10
    ours, theirs = totals(tables, tmp_path)
    assert ours <= theirs


def test_the_table_comes_back_as_it_was(tmp_path: Path) -> None:
    rows = 5000
    table = pa.table(
        {
            "Time [s]": pa.array([0.1 * row for row in range(rows)]),
            "Step count": pa.array([row // 50 for row in range(rows)]),
            "Current [A]": pa.array([None if row % 7 == 0 else 1.5 for row in range(rows)]),
            "Remark": pa.array(["rest" if row % 2 else None for row in range(rows)]),
            "Nothing": pa.nulls(rows),
        }
    )
    encode(table, tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").equals(table)
    assert pl.read_parquet(tmp_path / "t.parquet").equals(pl.DataFrame(table))


def test_a_table_of_few_rows_or_none_can_be_written(tmp_path: Path) -> None:
    for rows in (0, 1, 3):
        table = pa.table({"Time [s]": pa.array(range(rows), pa.float64())})
        encode(table, tmp_path / "t.parquet")
        assert pq.read_table(tmp_path / "t.parquet").equals(table)
