"""When a run ends by the clock: the moment that is meant, and how long before it to stop."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from bulkload.core.deadline import last_call_s, parse_until

HERE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 4, 22, 30, 15, 500, tzinfo=HERE)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("23:00", datetime(2026, 3, 4, 23, 0, tzinfo=HERE)),
        (" 6:05 ", datetime(2026, 3, 5, 6, 5, tzinfo=HERE)),
        # This minute has begun: the next one of that name is meant.
        ("22:30", datetime(2026, 3, 5, 22, 30, tzinfo=HERE)),
        (" 2026-03-07T06:00 ", datetime(2026, 3, 7, 6, 0, tzinfo=HERE)),
        ("2026-03-07T06:00+00:00", datetime(2026, 3, 7, 8, 0, tzinfo=HERE)),
    ],
)
def test_the_moment_that_is_meant(text: str, moment: datetime) -> None:
    assert parse_until(text, NOW) == moment


def test_a_time_of_this_very_minute_is_tomorrows() -> None:
    sharp = NOW.replace(second=0, microsecond=0)
    assert parse_until("22:30", sharp) == sharp + timedelta(days=1)


@pytest.mark.parametrize("text", ["2026-03-04T22:30:15.000500+02:00", "2026-03-01T00:00"])
def test_a_moment_that_has_passed_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="has passed") as raised:
        parse_until(text, NOW)
    assert str(raised.value) == f"{text} has passed"


@pytest.mark.parametrize("text", ["soon", "25:00", "6:5", "", "x06:00"])
def test_what_is_no_time_is_no_deadline(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_until(text, NOW)


def test_the_intake_stops_before_the_longest_delivery_would_not_fit() -> None:
    assert last_call_s(100.0, 0.0) == 98.0
    assert last_call_s(100.0, 40.0) == 38.0
    assert last_call_s(32.0, 20.0) == 0.0
