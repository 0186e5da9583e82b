"""When a cell is asked what became of its measurements: few questions, none far too late."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.polling import (
    FIRST_POLL_S,
    GATHER_S,
    LATER,
    LONGEST_POLL_S,
    POLL_GROWTH,
    CellPoll,
    FirstPoll,
)

#: Seconds: the shortest that matters is far below a first poll, the longest far above.
SECONDS = st.floats(0.01, 600.0)


@dataclass
class Story:
    """What came of a series of cells."""

    questions: int
    #: From ready to known, of the last cells.
    lateness_s: list[float]


def play(processing_s: float, *, cells: int, files: int, every_s: float) -> Story:
    """Confirm files at equal intervals, cell by cell; ask when it is due until all are ready."""
    first, story, begins = FirstPoll(), Story(0, []), 0.0
    for number in range(cells):
        poll, waiting, now = CellPoll(), list[float](), begins
        coming = [begins + every_s * at for at in range(files)]
        begins = coming[-1] + every_s
        while coming or waiting:
            if coming and coming[0] <= poll.due_at:
                now = coming.pop(0)
                waiting.append(now)
                poll.confirmed(now, first)
                continue
            now = poll.due_at
            story.questions += 1
            ready = [since for since in waiting if now - since >= processing_s]
            waiting = [since for since in waiting if now - since < processing_s]
            first.answered([now - since for since in ready], [now - since for since in waiting])
            if number >= cells // 2:
                story.lateness_s += [now - since - processing_s for since in ready]
            poll.asked(now, waiting, first)
    return story


def questions_of_one_who_never_learns(processing_s: float) -> int:
    """Count the questions at ever longer intervals that a cell needs, begun anew for each."""
    asked, now, interval_s = 0, 0.0, FIRST_POLL_S
    while now < processing_s:
        asked, now = asked + 1, now + interval_s
        interval_s = min(LONGEST_POLL_S, interval_s * POLL_GROWTH)
    return asked


@pytest.mark.parametrize("processing_s", [0.1, 1.0, 5.0, 12.0, 30.0, 120.0])
def test_few_questions_a_cell_once_the_time_is_known(processing_s: float) -> None:
    story = play(processing_s, cells=200, files=16, every_s=0.02)
    assert story.questions / 200 <= max(1.6, 0.75 * questions_of_one_who_never_learns(processing_s))
    if FIRST_POLL_S <= processing_s <= LONGEST_POLL_S:
        assert story.questions / 200 <= 1.6


@pytest.mark.parametrize("processing_s", [0.1, 1.0, 5.0, 12.0, 30.0, 120.0])
def test_what_is_ready_is_known_soon(processing_s: float) -> None:
    story = play(processing_s, cells=200, files=16, every_s=0.02)
    late_s = max(story.lateness_s)
    assert late_s <= FIRST_POLL_S + GATHER_S + max(LONGEST_POLL_S / 2, 0.6 * processing_s)
    usual_s = sorted(story.lateness_s)[len(story.lateness_s) // 2]
    assert usual_s <= FIRST_POLL_S + GATHER_S + 0.25 * processing_s


def test_a_server_that_becomes_quick_again_is_found_out() -> None:
    first = FirstPoll(after_s=LONGEST_POLL_S)
    for _ in range(80):
        first.answered([first.after_s], [])
    assert first.after_s == FIRST_POLL_S


def test_old_measurements_say_nothing_of_when_they_were_done() -> None:
    first = FirstPoll(after_s=1.0)
    first.answered([5.0, 9.0], [0.3])
    assert first.after_s == 1.0


@given(
    answers=st.lists(
        st.tuples(st.lists(SECONDS, max_size=5), st.lists(SECONDS, max_size=5)), max_size=60
    )
)
def test_the_first_question_stays_within_its_bounds(
    answers: list[tuple[list[float], list[float]]],
) -> None:
    first = FirstPoll()
    for processed, unfinished in answers:
        before = first.after_s
        first.answered(processed, unfinished)
        assert FIRST_POLL_S <= first.after_s <= LONGEST_POLL_S
        assert first.after_s <= before * LATER


@given(
    confirmed=st.lists(SECONDS, min_size=1, max_size=20).map(sorted),
    after_s=st.floats(FIRST_POLL_S, LONGEST_POLL_S),
)
def test_the_oldest_waits_for_others_for_a_moment_only(
    confirmed: list[float], after_s: float
) -> None:
    first, poll = FirstPoll(after_s), CellPoll()
    for moment in confirmed:
        poll.confirmed(moment, first)
    assert poll.due_at <= confirmed[0] + after_s + GATHER_S
    assert poll.due_at <= confirmed[-1] + after_s


@given(
    waiting=st.lists(SECONDS, min_size=1, max_size=20),
    after_s=st.floats(FIRST_POLL_S, LONGEST_POLL_S),
    times=st.integers(1, 30),
)
def test_what_is_left_is_asked_for_again(waiting: list[float], after_s: float, times: int) -> None:
    first, poll, now = FirstPoll(after_s), CellPoll(), max(waiting)
    for _ in range(times):
        poll.asked(now, waiting, first)
        assert now < poll.due_at <= now + LONGEST_POLL_S + GATHER_S
        now = poll.due_at
