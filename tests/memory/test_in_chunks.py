"""What is read in chunks is prepared as it is in one piece: same answer, same stored table."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import (
    MEMORY_LIMIT,
    Prepared,
    PrepareOptions,
    PrepareTask,
    Rejected,
    StoredBefore,
)
from bulkload.core.terms import JobKey
from bulkload.readers import large, large_text
from bulkload.tables import parquet
from bulkload.worker import large as worker_large
from bulkload.worker import time_series
from bulkload.worker.prepare import prepare
from bulkload.worker.spool import extension_path, steps_path
from tests.archives import series, write

MEMORY = 2**30
#: Small enough that a few thousand rows are many chunks and row groups.
ROWS = 4_000
#: What differs: the pages of two files of the same content end elsewhere.
NO_FILE: dict[str, Any] = {"size_bytes": 0, "sha256": "", "md5": ""}


def task(path: Path, spool: Path | None, **job: Any) -> PrepareTask:
    return PrepareTask(
        job=UploadJob(key=JobKey("spec", "cell", path.stem), path=str(path), **job),
        checks=Checks(strict=True, rated_capacity=1.0, voltage_window=(2.0, 4.5)),
        prepare_options=PrepareOptions(stores_steps=True),
        spool_path=None if spool is None else str(spool),
    )


@pytest.fixture
def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be larger than the memory, and the chunks and row groups small."""
    monkeypatch.setattr(worker_large, "LIBRARIES_BYTES", 0)
    monkeypatch.setattr(worker_large, "SMALL_BYTES", 0)
    monkeypatch.setattr(worker_large, "SMALLEST_BYTES", 0)
    monkeypatch.setattr(worker_large, "BYTES_A_VALUE", 1e12)
    monkeypatch.setattr(worker_large, "PARQUET_BYTES_A_VALUE", 1e12)
    monkeypatch.setattr(large_text, "BLOCK_BYTES", 7_000)
    monkeypatch.setattr(large, "BATCH_ROWS", 333)
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 700)


def both_ways(given: PrepareTask, folder: Path) -> tuple[Any, Any]:
    """Prepare in one piece (no limit on memory) and in chunks; return the answers."""
    answers = []
    for name, memory in (("whole", None), ("chunks", MEMORY)):
        spool = None if given.spool_path is None else str(folder / f"{name}.parquet")
        answers.append(prepare(replace(given, spool_path=spool, memory_bytes=memory)))
    return answers[0], answers[1]


def assert_same(whole: Any, chunks: Any, folder: Path) -> None:
    """Compare the answers in all but the spool file's bytes, and the spool files' content."""
    assert isinstance(whole, Prepared), whole
    assert isinstance(chunks, Prepared), chunks
    assert replace(chunks, **NO_FILE) == replace(whole, **NO_FILE)
    for beside in (lambda path: path, steps_path, extension_path):
        one, other = (beside(folder / f"{name}.parquet") for name in ("whole", "chunks"))
        assert one.exists() == other.exists()
        if one.exists():
            assert pq.read_table(one).equals(pq.read_table(other))
    group = pq.read_metadata(folder / "chunks.parquet").row_group(0)
    assert group.num_rows == min(700, chunks.rows)


def test_csv(tmp_path: Path, all_is_large: None) -> None:
    path = write(tmp_path / "a.csv", series(rows=ROWS))
    assert_same(*both_ways(task(path, tmp_path / "s"), tmp_path), tmp_path)


def test_csv_with_columns_of_every_type(tmp_path: Path, all_is_large: None) -> None:
    """Types that only later rows show, an index, a mark at the beginning, quotes."""
    table = series(rows=ROWS)
    rows = table.num_rows
    late = np.arange(rows).astype(str)
    late[-1] = "x, y"
    halves = np.arange(rows).astype(str)
    halves[rows // 2] = "0.5"
    huge = np.arange(rows).astype(str)
    huge[-1] = str(2**60)
    nothing = [None] * rows
    for name, values in (
        ("late text", late), ("halves", halves), ("huge", huge), ("nothing", nothing),
    ):  # fmt: skip
        table = table.append_column(name, pa.array(values, pa.string()))
    table = table.add_column(0, "", pa.array(np.arange(5, rows + 5)))
    plain = write(tmp_path / "plain.csv", table)
    path = tmp_path / "b.csv"
    path.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"x, y", "x, é".encode()))
    whole, chunks = both_ways(task(path, tmp_path / "s"), tmp_path)
    assert_same(whole, chunks, tmp_path)
    schema = pq.read_schema(tmp_path / "chunks.parquet")
    kinds = dict(zip(schema.names, schema.types, strict=True))
    assert (kinds["late text"], kinds["halves"]) == (pa.string(), pa.float64())
    assert (kinds["huge"], kinds["nothing"]) == (pa.string(), pa.string())


def test_steps_that_are_not_whole(tmp_path: Path, all_is_large: None) -> None:
    table = series(rows=ROWS)
    cycles = np.zeros(table.num_rows)
    cycles[-1] = 0.5
    table = table.append_column("Cycle from cycler", pa.array(cycles))
    given = task(write(tmp_path / "c.csv", table), tmp_path / "s")
    given = replace(given, checks=replace(given.checks, strict=False))
    assert_same(*both_ways(given, tmp_path), tmp_path)


def test_compressed_csv(tmp_path: Path, all_is_large: None) -> None:
    plain = write(tmp_path / "d.csv", series(rows=ROWS))
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    whole, chunks = both_ways(task(path, tmp_path / "s"), tmp_path)
    assert_same(whole, chunks, tmp_path)
    assert chunks.provenance["compression"] == "gzip"


def test_parquet(tmp_path: Path, all_is_large: None) -> None:
    path = tmp_path / "e.parquet"
    table = series(rows=ROWS)
    voltage = table.column("Voltage [V]").cast(pa.float32())
    table = table.set_column(table.column_names.index("Voltage [V]"), "Voltage [V]", voltage)
    pq.write_table(table, path, row_group_size=900)
    assert_same(*both_ways(task(path, tmp_path / "s"), tmp_path), tmp_path)


def test_what_has_grown_is_extended(tmp_path: Path, all_is_large: None) -> None:
    """The first rows are those that were stored: only the others are sent."""
    table = series(rows=ROWS)
    earlier = prepare(task(write(tmp_path / "f.csv", table.slice(0, 1_500)), None))
    assert isinstance(earlier, Prepared)
    path = write(tmp_path / "g.csv", table)
    stored = StoredBefore(rows=1_500, content_digest=earlier.content_digest)
    whole, chunks = both_ways(replace(task(path, tmp_path / "s"), stored=stored), tmp_path)
    assert_same(whole, chunks, tmp_path)
    assert chunks.is_longer
    assert pq.read_metadata(extension_path(tmp_path / "chunks.parquet")).num_rows == ROWS - 1_500


def spoiled(column: str, row: int, value: float) -> Callable[[pa.Table], pa.Table]:
    def spoil(table: pa.Table) -> pa.Table:
        values = table.column(column).to_numpy().astype(float)
        values[row] = value
        return table.set_column(table.column_names.index(column), column, pa.array(values))

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        spoiled("Time [s]", 3_210, -1.0),
        spoiled("Voltage [V]", 2_000, np.inf),
        spoiled("Step count", 1_234, 77),
        spoiled("Time [s]", 0, 5.0),
    ],
)
def test_what_breaks_a_rule_is_rejected_with_the_same_words(
    tmp_path: Path, all_is_large: None, spoil: Callable[[pa.Table], pa.Table]
) -> None:
    path = write(tmp_path / "h.csv", spoil(series(rows=ROWS)))
    whole, chunks = both_ways(task(path, tmp_path / "s"), tmp_path)
    assert isinstance(chunks, Rejected)
    assert chunks == replace(whole, remedy=chunks.remedy, tries=chunks.tries)
    assert not (tmp_path / "chunks.parquet").exists()


@pytest.mark.parametrize("text", ["n/a", "1.2.3"])
def test_a_value_that_is_no_number_is_named(tmp_path: Path, all_is_large: None, text: str) -> None:
    path = write(tmp_path / "i.csv", series(rows=ROWS))
    lines = path.read_text("utf-8").splitlines()
    cells = lines[3_000].split(",")
    lines[3_000] = ",".join([*cells[:1], text, *cells[2:]])
    path.write_text("\n".join(lines) + "\n", "utf-8")
    whole, chunks = both_ways(task(path, tmp_path / "s"), tmp_path)
    assert isinstance(chunks, Rejected)
    assert (chunks.cause, chunks.message) == (whole.cause, whole.message)


def test_what_cannot_be_read_in_chunks_says_why_and_what_to_do(
    tmp_path: Path, all_is_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "j.csv", series(rows=ROWS))
    monkeypatch.setattr(worker_large, "LEAST_FACTOR", 1e12)
    decimal = path.read_text("utf-8").replace(",", ";").replace(".", ",")
    path.write_text(decimal, "utf-8")
    found = prepare(replace(task(path, None), memory_bytes=MEMORY))
    assert isinstance(found, Rejected)
    assert found.cause == MEMORY_LIMIT
    assert "a reader process may use 1,024 MiB" in found.message
    assert "decimal mark" in found.message
    assert "--memory" in found.message


def test_a_file_that_needs_more_than_was_estimated_is_read_in_chunks_after_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, given: PrepareTask) -> Prepared:
        raise MemoryError

    path = write(tmp_path / "l.csv", series(rows=ROWS))
    whole = prepare(task(path, tmp_path / "whole.parquet"))
    monkeypatch.setattr(time_series, "_prepare_whole", refuse)
    chunks = prepare(replace(task(path, tmp_path / "chunks.parquet"), memory_bytes=MEMORY))
    assert isinstance(chunks, Prepared), chunks
    assert replace(chunks, **NO_FILE) == replace(whole, **NO_FILE)


def test_steps_beyond_the_memory_are_rejected(tmp_path: Path, all_is_large: None) -> None:
    path = write(tmp_path / "k.csv", series(rows=ROWS))
    found = prepare(replace(task(path, None), memory_bytes=3_000))
    assert isinstance(found, Rejected)
    assert found.cause == MEMORY_LIMIT
    assert "steps needs about" in found.message
