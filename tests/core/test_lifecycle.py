"""Every transition of the lifecycle table, and every event that a state does not allow."""

from __future__ import annotations

import itertools

import pytest

from bulkload.core.lifecycle import (
    EVENTS,
    FINAL,
    OUTCOMES,
    TRANSITIONS,
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    Found,
    GaveUp,
    IllegalEventError,
    Initiated,
    JobState,
    ParentsKnown,
    ProcessingFailed,
    ProcessingReady,
    RawAttached,
    Restarted,
    RolledBack,
    SourcePrepared,
    SourceRejected,
    Stored,
    UrlExpired,
    advance,
)
from bulkload.core.outcome import OutcomeKind

S = JobState

#: One event of each kind.
SAMPLES: dict[type[Event], Event] = {
    Attempting: Attempting(act=Act.PUT),
    SourcePrepared: SourcePrepared(
        rows=1,
        size_bytes=2,
        sha256="a",
        content_digest="b",
        source_bytes=3,
        source_mtime_ns=4,
        source_sha256="c",
    ),
    ParentsKnown: ParentsKnown(instance_id="i"),
    Initiated: Initiated(measurement_id="m"),
    UrlExpired: UrlExpired(),
    Stored: Stored(),
    Extended: Extended(measurement_id="m"),
    RawAttached: RawAttached(raw_data_id="r"),
    Confirmed: Confirmed(measurement_id="m"),
    ProcessingReady: ProcessingReady(),
    ProcessingFailed: ProcessingFailed(message="why"),
    Found: Found(measurement_id="m"),
    SourceRejected: SourceRejected(cause="empty_file", message="why"),
    Failed: Failed(cause="refused", message="why"),
    GaveUp: GaveUp(cause="unavailable", message="why"),
    RolledBack: RolledBack(),
    Restarted: Restarted(reason="retry"),
}

OPEN = [S.PLANNED, S.PREPARED, S.RESOLVED, S.INITIATED, S.STORED, S.CONFIRMED]
BEFORE_RECORD = OPEN[:-1]

#: The arrows as the design draws them, stated a second time: (from, event, to).
ARROWS: set[tuple[JobState, type[Event], JobState]] = {
    (S.PLANNED, SourcePrepared, S.PREPARED),
    (S.PLANNED, SourceRejected, S.REJECTED),
    (S.PREPARED, ParentsKnown, S.RESOLVED),
    (S.PREPARED, Extended, S.CONFIRMED),
    (S.RESOLVED, Initiated, S.INITIATED),
    (S.INITIATED, UrlExpired, S.RESOLVED),
    (S.INITIATED, Stored, S.STORED),
    (S.CONFIRMED, RawAttached, S.CONFIRMED),
    (S.CONFIRMED, ProcessingReady, S.READY),
    (S.CONFIRMED, ProcessingFailed, S.FAILED),
    (S.READY, RolledBack, S.PLANNED),
    *((state, Confirmed, S.CONFIRMED) for state in BEFORE_RECORD),
    *((state, Found, S.EXISTING) for state in BEFORE_RECORD),
    *((state, Attempting, state) for state in OPEN),
    *((state, GaveUp, state) for state in OPEN),
    *((state, Failed, S.FAILED) for state in OPEN),
    *((state, Restarted, S.PLANNED) for state in S),
}
LEGAL = {(state, kind) for state, kind, _ in ARROWS}


def test_there_is_a_sample_of_every_event() -> None:
    assert set(SAMPLES) == set(EVENTS.values())
    assert all(kind.__name__ == name for name, kind in EVENTS.items())


@pytest.mark.parametrize(("state", "kind", "after"), sorted(ARROWS, key=str))
def test_each_arrow(state: JobState, kind: type[Event], after: JobState) -> None:
    assert advance(state, SAMPLES[kind]) is after


@pytest.mark.parametrize(
    ("state", "kind"), sorted(set(itertools.product(S, SAMPLES)) - LEGAL, key=str)
)
def test_each_event_that_cannot_happen(state: JobState, kind: type[Event]) -> None:
    with pytest.raises(IllegalEventError, match=f"{kind.__name__} cannot happen to a {state} job"):
        advance(state, SAMPLES[kind])


def test_the_table_holds_nothing_else() -> None:
    assert {(state, kind, after) for (state, kind), after in TRANSITIONS.items()} == ARROWS


def test_a_final_state_has_an_outcome_and_is_left_only_on_request() -> None:
    assert set(OUTCOMES) == FINAL
    assert set(OUTCOMES.values()) == set(OutcomeKind) - {OutcomeKind.SKIPPED}
    leaving = {kind for state, kind in TRANSITIONS if state in FINAL}
    assert leaving == {Restarted, RolledBack}


def test_every_state_is_reached_and_every_open_one_can_still_end() -> None:
    reached = {S.PLANNED}
    while more := {TRANSITIONS[arrow] for arrow in TRANSITIONS if arrow[0] in reached} - reached:
        reached |= more
    assert reached == set(S)
    for state in OPEN:
        ends, seen = {state}, set[JobState]()
        while ends - seen:
            seen |= ends
            ends |= {TRANSITIONS[arrow] for arrow in TRANSITIONS if arrow[0] in ends}
        assert {S.READY, S.FAILED} <= ends


def test_success_is_only_what_the_server_said_is_ready() -> None:
    """No way leads to READY but through a record that exists and was processed."""
    assert {arrow for arrow, after in TRANSITIONS.items() if after is S.READY} == {
        (S.CONFIRMED, ProcessingReady)
    }
    to_confirmed = {kind for (_, kind), after in TRANSITIONS.items() if after is S.CONFIRMED}
    assert to_confirmed == {Confirmed, Extended, RawAttached, Attempting, GaveUp}
