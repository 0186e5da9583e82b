"""A table that is read stretch by stretch is judged as it is in one piece, wherever it is cut."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkload.core import groups
from bulkload.core.digest import content_digest
from bulkload.core.frame import Frame, NotNumericError
from bulkload.core.issues import ValidationIssue
from bulkload.core.rules import check, percentile, repeated, short_steps, step_sums
from bulkload.core.rules.extra_checks import check_extra
from bulkload.core.rules.file_summary import summarise_file
from bulkload.core.steps import NotSummarisableError, summarise_steps
from bulkload.core.terms import CURRENT, TIME, VOLTAGE
from bulkload.errors import UnreadableError
from bulkload.readers import read
from bulkload.tables.frames import to_frame
from bulkload.tables.stored import StoredFrame
from tests.validation.mutator import MUTATIONS, RATED, mutated

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Judged:
    """All that is made of a table before it is sent."""

    findings: list[tuple[Any, ...]]
    extra: list[tuple[Any, ...]]
    steps: dict[str, list[Any]] | None
    digest: str
    summary: Any


def judged(frame: Frame, data_type: str | None = None) -> Judged:
    """Run every strict and every extra check, and make step summary, digest and file summary."""
    steps = None
    with contextlib.suppress(NotSummarisableError, NotNumericError):
        steps = summarise_steps(frame, RATED)
    issues = check(
        frame,
        strict=True,
        data_type=data_type,
        steps=steps,
        rated_capacity=RATED,
        voltage_window=(2.5, 4.2),
        start_time="2025-01-01T00:00:00+00:00",
        end_time="2025-01-01T01:00:00+00:00",
        now=NOW,
    )
    extra = check_extra(frame, data_type=data_type, rated_capacity=RATED, voltage_window=(2.5, 4.2))
    columns = None
    if steps is not None:
        columns = {name: steps.column(name).visible().tolist() for name in steps}
    try:
        summary = summarise_file(frame, "a", None, steps)
    except NotNumericError:
        summary = None
    return Judged(
        [_plain(one) for one in issues],
        [_plain(one) for one in extra],
        columns,
        content_digest(frame),
        summary,
    )


def _plain(issue: ValidationIssue) -> tuple[Any, ...]:
    return str(issue.code), str(issue), str(issue.severity), dict(issue.payload or {})


def same(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Compare to the last digit, or to a share; a NaN equals a NaN."""
    if isinstance(one, Judged):
        return same(vars_of(one), vars_of(other), tolerance)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k], tolerance) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(lambda a, b: same(a, b, tolerance), one, other))
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == other)


def vars_of(one: Judged) -> list[Any]:
    return [one.findings, one.extra, one.steps, one.digest, repr(one.summary)]


def stored(table: pa.Table, cuts: Sequence[int], folder: Path) -> StoredFrame:
    """Write a table in row groups that end at the cuts, and open it."""
    path = folder / "cut.parquet"
    bounds = sorted({0, table.num_rows, *(cut % (table.num_rows + 1) for cut in cuts)})
    with pq.ParquetWriter(path, table.schema, store_schema=True) as writer:
        for low, high in itertools.pairwise(bounds):
            writer.write_table(table.slice(low, high - low), row_group_size=max(high - low, 1))
    return StoredFrame(path)


def in_blocks_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the rules work on so many rows at a time."""
    for module in (groups, step_sums, percentile):
        monkeypatch.setattr(module, "BLOCK_ROWS", rows)
    monkeypatch.setattr(step_sums, "SHORT_BLOCK_ROWS", 4 * rows)
    # As it is for blocks of the usual size: a step that is longer than one is not a short one.
    monkeypatch.setattr(step_sums, "MAX_SHORT_ROWS", min(short_steps.MAX_ROWS, 4 * rows - 1))
    monkeypatch.setattr(repeated, "PART_ROWS", 8 * rows)


def as_arrow(columns: dict[str, Any]) -> pa.Table:
    """Return columns as Arrow has them; what is missing is null in every second column."""
    return pa.table(
        {
            name: pa.array(np.asarray(values), from_pandas=bool(place % 2))
            for place, (name, values) in enumerate(columns.items())
        }
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    mutations=st.lists(st.integers(0, len(MUTATIONS) - 1), max_size=3),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
    block=st.sampled_from([1, 2, 7, 64, 65_536]),
)
def test_any_table_cut_anywhere_is_judged_as_in_one_piece(
    seed: int, mutations: list[int], cuts: list[int], block: int
) -> None:
    table = as_arrow(mutated(seed, mutations))
    whole = judged(to_frame(table))
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        in_blocks_of(block, patch)
        in_blocks = judged(to_frame(table))
        with stored(table, cuts, Path(folder)) as frame:
            assert same(judged(frame), in_blocks)
    assert [one[:3] for one in in_blocks.findings] == [one[:3] for one in whole.findings]
    assert [one[:3] for one in in_blocks.extra] == [one[:3] for one in whole.extra]
    assert in_blocks.digest == whole.digest
    assert same(in_blocks.steps, whole.steps, 1e-6)


def test_the_real_files_cut_at_several_places_are_judged_as_in_one_piece(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    for path in sorted(shared_data.rglob("*")):
        if not path.is_file() or path.stat().st_size > 2_000_000:
            continue
        try:
            series = read(path)
        except UnreadableError:
            continue
        rows = series.table.num_rows
        kind = series.provenance.get("data_type")
        whole = judged(to_frame(series.table), kind)
        for block, cuts in ((65_536, [1, rows // 3, rows - 1]), (97, [rows // 2])):
            with monkeypatch.context() as patch:
                in_blocks_of(block, patch)
                in_blocks = judged(to_frame(series.table), kind)
                with stored(series.table, cuts, tmp_path) as frame:
                    if kind != "eis":
                        assert same(judged(frame, kind), in_blocks), path.name
            assert [one[:3] for one in in_blocks.findings] == [one[:3] for one in whole.findings]
            assert [one[:3] for one in in_blocks.extra] == [one[:3] for one in whole.extra]
            assert in_blocks.digest == whole.digest
        count += 1
    assert count > 20


@settings(max_examples=200)
@given(
    values=st.lists(
        st.floats(min_value=0, allow_nan=False) | st.sampled_from([0.0, 1e-300, 1.0, 1.5, np.inf]),
        min_size=1,
        max_size=60,
    ),
    percent=st.sampled_from([0.0, 50.0, 95.0, 99.9, 100.0]) | st.floats(0, 100),
    block=st.integers(1, 9),
)
def test_a_percentile_of_blocks_is_that_of_all(
    values: list[float], percent: float, block: int
) -> None:
    array = np.array(values)
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(percentile, "BLOCK_ROWS", block)
        found = percentile.percentile(
            lambda: (array[low : low + block] for low in range(0, len(array), block)),
            len(array),
            percent,
        )
        expected = float(np.percentile(array, percent))
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_rows_that_are_there_before_are_found_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    time = np.repeat(np.arange(500.0), 2)[rng.permutation(1000)]
    table = pa.table({TIME: time, VOLTAGE: time % 3, CURRENT: time % 2})
    whole = repeated.repeated_rows(to_frame(table), TIME, (VOLTAGE, CURRENT))
    in_blocks_of(16, monkeypatch)
    with stored(table, [300, 700], tmp_path) as frame:
        assert repeated.repeated_rows(frame, TIME, (VOLTAGE, CURRENT)) == whole
    assert whole.rows == 500
