"""A plan is divided by cell: nothing is lost, nothing comes twice, and a cell stays together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bulkload.core.plan_items import (
    CellMetadata,
    PlanItem,
    Problem,
    Skip,
    Specification,
    UploadJob,
)
from bulkload.core.terms import JobKey
from bulkload.journal.parts import part_of
from bulkload.lanes.shares import Shares

PARTS = 4


def items() -> list[PlanItem]:
    found: list[PlanItem] = []
    for spec in ("s", "t"):
        found.append(Specification(name=spec, payload={"name": spec}, origin=f"{spec}.json"))
        for cell in range(20):
            found.append(CellMetadata(spec=spec, cell=f"c{cell}", payload={}))
            found += [
                UploadJob(key=JobKey(spec, f"c{cell}", f"m{n}"), path=f"{spec}/{cell}/{n}")
                for n in range(3)
            ]
    return [
        *found,
        Skip(where="x", rule="hidden"),
        Problem(where="y", rule="no_layout", message=""),
    ]


def test_every_entry_is_in_exactly_one_part(tmp_path: Path) -> None:
    seen: list[str] = []
    with Shares(tmp_path / "planning", PARTS) as shares:
        shares.put_all(items(), lambda: seen.append("one"))
        parts = [list(shares.of(part)) for part in range(PARTS)]
    assert not (tmp_path / "planning").exists()
    assert (shares.jobs, shares.skips, shares.problems) == (120, 1, 1)
    assert len(seen) == 121
    jobs = Counter(one.key for part in parts for one in part if isinstance(one, UploadJob))
    assert len(jobs) == 120
    assert set(jobs.values()) == {1}
    for number, part in enumerate(parts):
        for one in part:
            if isinstance(one, UploadJob):
                assert part_of(one.key.spec, one.key.cell, PARTS) == number
            elif isinstance(one, CellMetadata):
                assert part_of(one.spec, one.cell, PARTS) == number
            elif isinstance(one, Skip | Problem):
                assert number == 0


def test_a_part_has_each_specification_that_it_needs_once_and_before_its_first_job(
    tmp_path: Path,
) -> None:
    with Shares(tmp_path / "planning", PARTS) as shares:
        shares.put_all(items(), lambda: None)
        for part in range(PARTS):
            known: list[str] = []
            for one in shares.of(part):
                if isinstance(one, Specification):
                    known.append(one.name)
                elif isinstance(one, UploadJob):
                    assert one.key.spec in known
            assert sorted(known) == ["s", "t"]


def test_what_a_run_that_died_left_behind_is_not_in_the_next_plan(tmp_path: Path) -> None:
    with Shares(tmp_path / "planning", 1) as left:
        left.put_all(items(), lambda: None)
        with Shares(tmp_path / "planning", 1) as shares:
            assert list(shares.of(0)) == []
