"""What the engine writes down of a measurement, event by event, on the whole engine."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from bulkload.core.existing import Existing
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    Found,
    GaveUp,
    Initiated,
    JobState,
    ParentsKnown,
    ProcessingFailed,
    ProcessingReady,
    Restarted,
    SourcePrepared,
    SourceRejected,
    Stored,
)
from tests.simulation.fault_pairs import Site
from tests.simulation.faulty_wire import Fault, FaultInjector
from tests.simulation.figures import PLAIN, archive, fault_free
from tests.simulation.simulation import run
from tests.simulation.world import World

KEY = archive(1)[0]
ONLY = frozenset({KEY})
#: The id of the record that was there before, and how a message begins.
OLD = "old-cell_measurement-old-cell_instance-old-cell_specification--spec-cell-0-run-0"
OF_IT = "source.csv: spec / cell 0 / run 0"
OF_GROWN = "grows-0.csv: spec / cell 0 / run 0"
#: What every upload writes before it hears whether its record was made.
SENT = [
    Attempting(act=Act.INITIATE),
    Initiated(measurement_id="m-3"),
    Attempting(act=Act.PUT),
    Stored(),
    Attempting(act=Act.CONFIRM),
]
NAME = frozenset({KEY.measurement})
FAILS = replace(PLAIN, fails_processing=NAME)
#: The seed draws when each record is ready.
READY = ProcessingReady(ready_updated_at="")


def events_of(
    fault: Site | None = None, dies_after: str | None = None, **changes: Any
) -> list[Event]:
    """Return what one measurement's journal says, but for what was read and when it was ready.

    ``fault`` happens once; the engine dies once with the answer to the step ``dies_after`` on
    its way.
    """
    inject = once(fault) if dies_after is None else dying_after(dies_after)
    result = run(replace(fault_free((KEY,)), inject=inject, **changes))
    assert not result.violations, result.violations
    return [
        _plain(event)
        for event in result.events[KEY]
        if not isinstance(event, SourcePrepared | ParentsKnown)
    ]


def _plain(event: Event) -> Event:
    """Return an event without what differs from run to run: folders and times."""
    if isinstance(event, ProcessingFailed | SourceRejected | Failed | GaveUp):
        event = replace(event, message=re.sub(r"^/\S*/", "", event.message))
    return READY if isinstance(event, ProcessingReady) else event


def once(site: Site | None) -> FaultInjector:
    """Return the injector of a fault at the first request of its step, of polls the first one
    of a record.
    """
    left = [site]

    def inject(world: World, step: str) -> Fault | None:
        (next_one,) = left
        if next_one is None or step != next_one.step:
            return None
        if step == "poll" and not world.studio.measurements():
            return None
        left[0] = None
        return next_one.fault

    return inject


def dying_after(step: str) -> FaultInjector:
    """Return the injector that kills the engine once a step was carried out, before it hears."""
    left = [3]

    def inject(world: World, now: str) -> Fault | None:
        if now == step and left:
            world.dies_at = world.steps + left.pop()
        return None

    return inject


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"existing": Existing.FAIL, "ends_as": {KEY: (JobState.FAILED, "name_taken")}},
            Failed(
                cause="name_taken",
                message=f"{OF_IT}: Studio has a measurement of this name ({OLD}), and --existing "
                "fail asks for new ones only",
            ),
        ),
        (
            {"existing": Existing.VERIFY, "ends_as": {KEY: (JobState.FAILED, "existing_differs")}},
            Failed(
                cause="existing_differs",
                message=f"{OF_IT}: Studio has a measurement of this name ({OLD}) that differs: "
                "Studio holds 1 rows, the source 20; use another name, or delete the one in Studio",
            ),
        ),
        ({"existing": Existing.VERIFY, "there_with_same": ONLY}, Found(measurement_id=OLD)),
        ({"existing": Existing.REUSE}, Found(measurement_id=OLD)),
        ({"there_processed_s": 5.0}, Found(measurement_id=OLD)),
        (
            {
                "there_processed_s": 5.0,
                "rules": FAILS,
                "ends_as": {KEY: (JobState.FAILED, "existing_failed")},
            },
            Failed(
                cause="existing_failed",
                message=f"{OF_IT} was stored, and Studio could not process it: unreadable",
            ),
        ),
        (
            {
                "there_processed_s": -5.0,
                "rules": FAILS,
                "ends_as": {KEY: (JobState.FAILED, "existing_failed")},
            },
            Failed(
                cause="existing_failed",
                message=f"{OF_IT}: Studio has a measurement of this name ({OLD}) that it could "
                "not process: unreadable; delete it there, or use another name",
            ),
        ),
    ],
)
def test_what_was_there_before_is_one_event(changes: dict[str, Any], expected: Event) -> None:
    assert events_of(there_before=ONLY, **changes) == [expected]


def test_a_name_taken_since_the_plan_rejects_what_was_not_begun() -> None:
    taken = {KEY: (JobState.REJECTED, "name_taken_since")}
    (event,) = events_of(there_before=ONLY, expects_new=True, ends_as=taken)
    assert isinstance(event, SourceRejected)
    assert event == SourceRejected(
        cause="name_taken_since",
        message=f"{OF_IT}: when the plan was written, Studio had no measurement of this name, and "
        f"now it has {OLD}; plan again, or take it as it is with --accept-drift",
        source_bytes=len("the same for all: what it holds is in memory\n"),
        source_mtime_ns=event.source_mtime_ns,
    )
    assert 0 <= time.time_ns() - event.source_mtime_ns < 60e9


@pytest.mark.parametrize(
    ("step", "sent", "rival"), [("initiate", SENT[:1], "rival-m-3"), ("confirm", SENT, "rival-m-4")]
)
def test_a_name_taken_since_the_plan_fails_what_was_begun(
    step: str, sent: list[Event], rival: str
) -> None:
    events = events_of(
        fault=Site(step, Fault.RIVAL),
        expects_new=True,
        may_fail_as=frozenset({"name_taken_since"}),
    )
    assert events == [
        *sent,
        Failed(
            cause="name_taken_since",
            message=f"{OF_IT}: when the plan was written, Studio had no measurement of this name, "
            f"and now it has {rival}; plan again, or take it as it is with --accept-drift",
        ),
    ]


AGAIN = Restarted(reason="interrupted")


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({}, [Confirmed(measurement_id="m-3"), READY]),
        ({"fault": Site("confirm", Fault.RIVAL)}, None),
        (
            {"dies_after": "confirm"},
            [AGAIN, Confirmed(measurement_id="m-3"), READY],
        ),
        # Its record could not be processed: it goes, and the bytes are sent once more.
        (
            {"dies_after": "confirm", "rules": FAILS},
            [
                AGAIN,
                Attempting(act=Act.WITHDRAW),
                Attempting(act=Act.INITIATE),
                Initiated(measurement_id="m-4"),
                *SENT[2:],
                Confirmed(measurement_id="m-4"),
                ProcessingFailed(
                    message=f"{OF_IT} was stored, and Studio could not process it: unreadable"
                ),
            ],
        ),
        (
            {
                "fault": Site("confirm", Fault.CHANNEL),
                "may_fail_as": frozenset({"conflict"}),
            },
            [
                Failed(
                    cause="conflict",
                    message=f"{OF_IT}: Studio rejected it: HTTP 409: overlaps on channel 3",
                )
            ],
        ),
        (
            {"fault": Site("confirm", Fault.QUOTA), "may_fail_as": frozenset({"permission"})},
            [
                Failed(
                    cause="permission",
                    message=f"{OF_IT} was not delivered: HTTP 403: quota exceeded",
                )
            ],
        ),
        (
            {"fault": Site("poll", Fault.QUOTA), "may_fail_as": frozenset({"permission"})},
            [
                Confirmed(measurement_id="m-3"),
                Failed(
                    cause="permission",
                    message=f"{OF_IT} was stored as m-3, and Studio does not say how its "
                    "processing ended: HTTP 403: quota exceeded",
                ),
            ],
        ),
        (
            {
                "fault": Site("poll", Fault.FORGOTTEN),
                "rules": replace(PLAIN, processing_s=2.0),
                "may_fail_as": frozenset({"record_vanished"}),
            },
            [
                Confirmed(measurement_id="m-3"),
                Failed(
                    cause="record_vanished",
                    message=f"{OF_IT} was confirmed as m-3, and Studio no longer has it; run "
                    "`bulkload retry` to upload it again",
                ),
            ],
        ),
        (
            {"rules": replace(PLAIN, never_ends_processing=NAME)},
            [
                Confirmed(measurement_id="m-3"),
                GaveUp(
                    cause="processing_unfinished",
                    message=f"{OF_IT}: Studio was still processing it after 60 minutes; run the "
                    "same command again to check",
                ),
            ],
        ),
    ],
)
def test_what_follows_a_confirm(changes: dict[str, Any], then: list[Event] | None) -> None:
    expected = [Found(measurement_id="rival-m-4")] if then is None else then
    assert events_of(**changes) == [*SENT, *expected]


def test_a_name_that_another_upload_holds_is_left_to_the_next_run() -> None:
    rules = replace(PLAIN, upload_keeps_name_s=30.0)
    assert events_of(fault=Site("initiate", Fault.STALE_UPLOAD), rules=rules) == [
        SENT[0],
        GaveUp(
            cause="name_held",
            message=f"{OF_IT}: Studio reserves the name but shows no such measurement, as after "
            "an upload that was never finished: HTTP 409: An upload of 'run 0' is open; run again "
            "later",
        ),
        AGAIN,
        *SENT,
        Confirmed(measurement_id="m-3"),
        READY,
    ]


EXTENDING = Attempting(act=Act.EXTEND)
GROWN = Restarted(reason="source_changed")
APPENDED = [EXTENDING, Extended(measurement_id="m-3"), READY]


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({}, APPENDED),
        (
            {"rules": replace(PLAIN, fails_extending=NAME)},
            [
                *APPENDED[:2],
                ProcessingFailed(
                    message=f"{OF_GROWN} was stored, and Studio could not process it: "
                    "the extend could not be processed"
                ),
            ],
        ),
        (
            {"fault": Site("extend", Fault.QUOTA), "may_fail_as": frozenset({"permission"})},
            [
                EXTENDING,
                Failed(
                    cause="permission",
                    message=f"{OF_GROWN} was not delivered: HTTP 403: quota exceeded",
                ),
            ],
        ),
        # Its own extension of the run that died is in the way for a minute.
        (
            {
                "dies_after": "extend",
                "rules": replace(PLAIN, extension_keeps_open_s=60.0),
            },
            [
                EXTENDING,
                AGAIN,
                EXTENDING,
                GaveUp(
                    cause="extension_held",
                    message=f"{OF_GROWN} was not delivered: another extension of this "
                    "measurement is open: HTTP 409: another extend of this measurement is in "
                    "flight; run again later",
                ),
                AGAIN,
                *APPENDED,
            ],
        ),
        # What it sent before it died was appended: it is found, and not sent again.
        ({"dies_after": "confirm_extend"}, [EXTENDING, AGAIN, *APPENDED]),
    ],
)
def test_what_follows_when_a_source_has_grown(changes: dict[str, Any], then: list[Event]) -> None:
    before = [*SENT, Confirmed(measurement_id="m-3"), READY, GROWN]
    assert events_of(grown=ONLY, **changes) == [*before, *then]
