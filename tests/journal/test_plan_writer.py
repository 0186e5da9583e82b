"""Names of measurements in a plan: compared in the journal, and memory stays the same."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from tests.plans import account_of

#: Measurements of the large plan, and of the small one that it is compared with.
MANY, FEW = 300_000, 30_000
#: Bytes of memory that ten times as many measurements may take more: the caches of SQLite fill
#: up. A dictionary of digests, at 140 bytes a name, would take 38 MB more.
MAY_GROW_BYTES = 8 * 2**20


def job(measurement: str, *, path: str = "/x", origin: str = "", cell: str = "c") -> UploadJob:
    return UploadJob(key=JobKey("s", cell, measurement), path=path, origin=origin)


def test_a_duplicate_names_both_sources() -> None:
    account = account_of([job("m", path="/a.csv"), job("m", path="/b.csv", origin="plan, row 3")])
    second, first = account.problems
    assert (second.where, second.rule) == ("plan, row 3", Rule.DUPLICATE_NAME)
    assert second.message == (
        "'s' / 'c' / 'm' is claimed by 'plan, row 3' and, with other content, by '/a.csv', so "
        "neither is sent; rename or leave out one of the two"
    )
    assert first.message == (
        "'s' / 'c' / 'm' is claimed by '/a.csv' and, with other content, by '/b.csv', so neither "
        "is sent; rename or leave out one of the two"
    )
    assert (account.jobs, account.contested, account.rejected) == (1, 1, 1)
    assert account.refusal == "no entry fits"


def test_names_that_differ_in_case_are_reported_and_sent() -> None:
    account = account_of([job("m"), job("M"), job("n"), job("M", cell="other")])
    assert (account.jobs, account.problem_count) == (4, 0)
    (warning,) = account.warnings
    assert (warning.where, warning.rule) == ("/x", Rule.NAMES_DIFFER_BY_CASE)
    # Each of the spellings is a name of its own.
    again = account_of([job("m"), job("M"), job("m", path="/y"), job("M", path="/z")])
    assert [problem.rule for problem in again.problems] == [Rule.DUPLICATE_NAME] * 4


_NAME = st.sampled_from(["a", "A", "b", "é", "É", "ß", "ss"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(_NAME, _NAME, _NAME), min_size=1, max_size=40))
def test_exactly_the_duplicates_are_problems(keys: list[tuple[str, str, str]]) -> None:
    account = account_of(
        UploadJob(key=JobKey(*key), path=f"/{number}") for number, key in enumerate(keys, start=1)
    )
    contested = {key for key in keys if keys.count(key) > 1}
    assert account.jobs == len(set(keys))
    assert account.contested == len(contested)
    assert account.rejected == len(keys) - len(set(keys))
    assert account.in_the_way == sum(key in contested for key in keys)
    folded = {(*key[:2], unicodedata.normalize("NFC", key[2].casefold())) for key in keys}
    assert len(account.warnings) == len(set(keys)) - len(folded)


PEAK = """
import resource, sys
from bulkload.core.plan_check import PlanCheck
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from tests.plans import account_of

def plan(count):
    check = PlanCheck()
    for number in range(count):
        key = JobKey("spec", f"cell {number // 1000}", f"a measurement of the archive {number}")
        path = f"/archive/{number}.csv"
        yield from check.admit(UploadJob(key=key, path=path, origin=path), path)

account = account_of(plan(int(sys.argv[1])))
print(account.jobs, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has the unit of Linux here")
@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_measurements_of_a_plan() -> None:
    peaks = {}
    for count in (FEW, MANY):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(count)],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        jobs, peak = map(int, done.stdout.split())
        assert jobs == count
        peaks[count] = peak
    assert peaks[MANY] - peaks[FEW] < MAY_GROW_BYTES, peaks
