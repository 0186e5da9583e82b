"""When a service counts as gone, and how often somebody looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.flow.outage import (
    FAILURES_TO_OUTAGE,
    SLOWEST_PROBE_EVERY_S,
    OutageMonitor,
)


def gone(at: float = 100.0, limit_s: float = 3600.0) -> OutageMonitor:
    monitor = OutageMonitor(limit_s=limit_s)
    for _ in range(FAILURES_TO_OUTAGE):
        monitor.failed(at, "refused")
    return monitor


def test_single_failures_are_no_outage() -> None:
    monitor = OutageMonitor(limit_s=60)
    for _ in range(100):
        for _ in range(FAILURES_TO_OUTAGE - 1):
            monitor.failed(0.0, "refused")
        monitor.succeeded(0.0)
    assert not monitor.is_down


def test_an_outage_begins_with_its_first_failure() -> None:
    monitor = OutageMonitor(limit_s=60)
    for second in range(FAILURES_TO_OUTAGE):
        assert not monitor.is_down
        monitor.failed(100.0 + second, "refused")
    assert monitor.is_down
    assert monitor.down_for_s(160.0) == 60.0
    assert monitor.has_expired(160.0)
    assert monitor.until_limit_s(130.0) == 30.0


def test_any_success_ends_it() -> None:
    monitor = gone(at=100.0)
    monitor.succeeded(began=99.9)  # served before it went, told after
    assert monitor.is_down
    monitor.succeeded(began=160.0)
    assert monitor.down_for_s(200.0) == 0.0


def test_the_reason_is_that_of_the_last_failure() -> None:
    monitor = OutageMonitor(limit_s=60)
    monitor.failed(100.0, "refused")
    monitor.failed(101.0, "reset by peer")
    assert monitor.reason == "reset by peer"
    monitor = gone(at=100.0)
    assert monitor.reason == "refused"
    monitor.probe_failed(102.0, "503")
    assert monitor.reason == "503"


def test_late_failures_of_older_requests_change_nothing() -> None:
    monitor = gone(at=100.0)
    before = monitor.probe_in_s(100.0)
    for _ in range(50):
        monitor.failed(100.5, "refused")
    assert monitor.probe_in_s(100.0) == before


def test_it_is_told_at_once_and_then_once_a_minute() -> None:
    monitor = gone(at=0.0)
    told = [second for second in range(600) if monitor.notice_due(float(second))]
    assert told == list(range(0, 600, 60))


@given(st.integers(1, 400))
def test_probes_are_never_closer_than_a_second_and_never_cease(probes: int) -> None:
    monitor = gone(at=0.0)
    now = 0.0
    for _ in range(probes):
        wait_s = monitor.probe_in_s(now)
        assert 1.0 <= wait_s <= SLOWEST_PROBE_EVERY_S
        now += wait_s
        assert monitor.probe_in_s(now) == 0.0
        monitor.probe_failed(now, "refused")


def test_a_service_that_is_there_has_not_been_away_for_any_limit() -> None:
    monitor = OutageMonitor(limit_s=0.0)
    assert not monitor.has_expired(100.0)
    assert gone(at=100.0, limit_s=60.0).until_limit_s(160.0) == 0.0
    assert gone(at=100.0, limit_s=60.0).until_limit_s(159.5) == 0.5


def test_an_answer_to_a_request_of_the_outages_first_moment_ends_it() -> None:
    monitor = gone(at=100.0)
    monitor.succeeded(began=100.0)
    assert not monitor.is_down


def test_after_an_outage_as_many_failures_and_as_short_a_wait_as_before_the_first() -> None:
    monitor = gone(at=0.0)
    for second in range(20):
        monitor.probe_failed(float(second), "refused")
    monitor.succeeded(began=30.0)
    for _ in range(FAILURES_TO_OUTAGE - 1):
        monitor.failed(40.0, "refused")
    assert not monitor.is_down
    monitor.failed(40.0, "refused")
    assert monitor.probe_in_s(40.0) == gone(at=40.0).probe_in_s(40.0) == 1.0
