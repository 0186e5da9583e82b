"""What limits a run, decided from how full its stages were lately."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulkload.core.limiting import CHANGES, Limit, LimitName, Load, StageLoad, limit_now

FULL = StageLoad(share=0.95, in_flight=2, queued=50, capacity=2)
IDLE = StageLoad(share=0.1, in_flight=1, queued=0, capacity=32)
CALM = Load(prepare=IDLE, api=IDLE, storage=IDLE, processing=StageLoad(in_flight=3), work_s={})
WORK = {LimitName.DISK: 1.0, LimitName.PARSING: 6.0, LimitName.VALIDATING: 3.0}


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (CALM, LimitName.NONE),
        (replace(CALM, is_planning=True), LimitName.PLANNING),
        (replace(CALM, is_planning=True, out_of_reach="503"), LimitName.SERVER),
        (replace(CALM, prepare=FULL), LimitName.WORKERS),
        (replace(CALM, prepare=FULL, work_s=WORK), LimitName.PARSING),
        # The last files are with the workers: nothing waits for them.
        (replace(CALM, prepare=replace(FULL, queued=0)), LimitName.NONE),
        # Storage is full, so the workers are held back: whoever is further on decides.
        (replace(CALM, prepare=FULL, storage=FULL), LimitName.STORAGE),
        (replace(CALM, api=FULL), LimitName.API),
        (replace(CALM, api=replace(FULL, queued=0)), LimitName.NONE),
        (replace(CALM, api=FULL, api_rate=12.5), LimitName.RATE_LIMIT),
        # A limit that was met once, and is not in the way now.
        (replace(CALM, api_rate=12.5), LimitName.NONE),
        (replace(CALM, is_asked_to_wait=True), LimitName.RATE_LIMIT),
        (replace(CALM, lacks_budget=True, storage=FULL), LimitName.RETRY_BUDGET),
        (
            replace(CALM, prepare=FULL, processing=StageLoad(in_flight=8, capacity=8)),
            LimitName.PROCESSING,
        ),
        (
            Load(processing=StageLoad(in_flight=1), work_s={}),
            LimitName.PROCESSING,
        ),
    ],
)
def test_what_limits(load: Load, expected: LimitName) -> None:
    assert limit_now(load).name is expected


def test_a_limit_gives_its_figures_and_what_would_change_it() -> None:
    limit = limit_now(replace(CALM, prepare=FULL, work_s=WORK))
    assert limit.detail == "2 of 2 workers busy, 60% of their time"
    assert limit.change == "more cores, or more --workers where cores are idle"
    assert limit_now(replace(CALM, api=FULL, api_rate=12.5)).detail == "12.5 calls a second"


BUSY = "2 of 2 {} busy"


@pytest.mark.parametrize(
    ("load", "name", "detail"),
    [
        (replace(CALM, out_of_reach="503 Busy"), LimitName.SERVER, "503 Busy"),
        (
            replace(CALM, lacks_budget=True),
            LimitName.RETRY_BUDGET,
            "too many calls failed lately",
        ),
        (
            replace(CALM, processing=StageLoad(in_flight=1200, capacity=1200)),
            LimitName.PROCESSING,
            "1,200 measurements wait for it",
        ),
        (replace(CALM, is_asked_to_wait=True), LimitName.RATE_LIMIT, "Studio asked to wait"),
        (
            replace(CALM, is_asked_to_wait=True, api_rate=0.25),
            LimitName.RATE_LIMIT,
            "0.2 calls a second",
        ),
        (replace(CALM, storage=FULL), LimitName.STORAGE, BUSY.format("transfers")),
        (replace(CALM, api=FULL), LimitName.API, BUSY.format("connections")),
        (replace(CALM, prepare=FULL), LimitName.WORKERS, BUSY.format("workers")),
        (
            replace(CALM, prepare=FULL, work_s={LimitName.DISK: 0.5, LimitName.PARSING: 0.25}),
            LimitName.DISK,
            "2 of 2 workers busy, 67% of their time",
        ),
        (
            replace(CALM, storage=replace(FULL, capacity=None)),
            LimitName.STORAGE,
            "2 transfers busy",
        ),
        # Nothing may wait, or one: all that may wait for processing does so.
        (replace(CALM, processing=StageLoad(in_flight=0, capacity=0)), LimitName.NONE, ""),
        (
            replace(CALM, processing=StageLoad(in_flight=2, capacity=1)),
            LimitName.PROCESSING,
            "2 measurements wait for it",
        ),
        # Nothing is under way, or as much is queued as is in flight: processing is not the last.
        (Load(work_s={}), LimitName.NONE, ""),
        (
            Load(
                prepare=StageLoad(in_flight=1, queued=1),
                processing=StageLoad(in_flight=1),
                work_s={},
            ),
            LimitName.NONE,
            "",
        ),
    ],
)
def test_what_limits_comes_with_its_figures(load: Load, name: LimitName, detail: str) -> None:
    assert limit_now(load) == Limit(name=name, detail=detail)


def test_every_limit_says_what_would_change_it() -> None:
    assert set(CHANGES) == set(LimitName)
    assert [name for name, change in CHANGES.items() if not change] == [LimitName.NONE]
