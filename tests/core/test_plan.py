"""What stands in the way of a plan, held against a plain model that keeps everything."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.core.issues import Severity
from bulkload.core.plan_check import (
    PlanCheck,
    Rule,
    is_left_to_preparing,
)
from bulkload.core.plan_items import Problem, UploadJob
from bulkload.core.terms import JobKey
from bulkload.core.text import shown


def job(spec: str, cell: str, measurement: str, *, batch: str | None = None) -> UploadJob:
    return UploadJob(key=JobKey(spec, cell, measurement), path="/x", batch=batch)


def admit(check: PlanCheck, one: UploadJob, where: str = "w") -> tuple[list[str], UploadJob | None]:
    items = list(check.admit(one, where))
    jobs = [item for item in items if isinstance(item, UploadJob)]
    problems = [item for item in items if isinstance(item, Problem)]
    assert len(jobs) <= 1
    assert bool(jobs) != any(problem.severity is Severity.ERROR for problem in problems)
    return [problem.rule for problem in problems], jobs[0] if jobs else None


@pytest.mark.parametrize(
    ("name", "rules", "is_sent"),
    [
        ("RPT 0.5C / 25 °C", [], True),
        ("x" * 255, [], True),
        ("🔋" * 255, [], True),
        ("quote \" and '", [], True),
        ("", [Rule.EMPTY_NAME], False),
        ("  \t", [Rule.EMPTY_NAME], False),
        ("x" * 256, [Rule.NAME_TOO_LONG], False),
        ("nul\0", [Rule.CONTROL_CHARACTER], False),
        ("half \ud83d", [Rule.CONTROL_CHARACTER], False),
        ("trailing ", [Rule.OUTER_SPACE], True),
        ("zero\u200bwidth", [Rule.INVISIBLE_CHARACTER], True),
    ],
)
def test_names(name: str, rules: list[Rule], is_sent: bool) -> None:  # noqa: FBT001
    for key in (JobKey(name, "c", "m"), JobKey("s", name, "m"), JobKey("s", "c", name)):
        found, sent = admit(PlanCheck(), UploadJob(key=key, path="/x"))
        assert found == rules
        assert (sent is not None) == is_sent
    found, _ = admit(PlanCheck(), job("s", "c", "m", batch=name))
    assert found == rules


@pytest.mark.parametrize("name", ["line\nend", "para\u2029graph", "bell\a"])
def test_a_control_character_in_a_measurement_name_costs_that_file_alone(name: str) -> None:
    found, sent = admit(PlanCheck(), UploadJob(key=JobKey("s", "c", name), path="/x"))
    assert found == []
    assert sent is not None
    assert is_left_to_preparing(name)
    for key in (JobKey(name, "c", "m"), JobKey("s", name, "m")):
        found, sent = admit(PlanCheck(), UploadJob(key=key, path="/x"))
        assert found == [Rule.CONTROL_CHARACTER]
        assert sent is None


def test_messages_show_what_cannot_be_seen_and_stay_on_one_line() -> None:
    (problem,) = PlanCheck().admit(job("s", "a\nb", "m"), "w")
    assert isinstance(problem, Problem)
    assert problem.message == ("cell name 'a\\nb' contains the control character U+000A; remove it")
    long = shown("/start/" + "x" * 400 + "/file.csv")
    assert long.startswith("'/start/")
    assert long.endswith("/file.csv'")
    assert len(long) <= 202


def test_parents_that_differ_in_case_are_reported_once_and_sent() -> None:
    check = PlanCheck()
    assert admit(check, job("LG", "c", "m"))[0] == []
    assert admit(check, job("lg", "c", "m"))[0] == [Rule.NAMES_DIFFER_BY_CASE]
    assert admit(check, job("lg", "c", "m2"))[0] == []
    assert admit(check, job("lg", "C", "m"))[0] == [Rule.NAMES_DIFFER_BY_CASE]
    for spec, cell in (("LG", "c"), ("lg", "c"), ("lg", "C")):
        assert admit(check, job(spec, cell, "m3"))[0] == []


def test_a_cell_has_one_batch() -> None:
    check = PlanCheck()
    assert admit(check, job("s", "c", "1", batch="B1"))[0] == []
    assert admit(check, job("s", "c", "2", batch="B2"))[0] == [Rule.BATCH_CONFLICT]
    # Studio does not tell batches apart by case; the first spelling stays.
    for batch in ("b1", None):
        rules, sent = admit(check, job("s", "c", f"3{batch}", batch=batch))
        assert rules == []
        assert sent is not None
        assert sent.batch == "B1"
    assert admit(check, job("other", "c", "2", batch="B2"))[0] == []


def test_a_batch_that_is_stated_too_late_is_told() -> None:
    check = PlanCheck()
    assert admit(check, job("s", "c", "1"))[0] == []
    (problem,) = check.admit(job("s", "c", "2", batch="B1"), "w")
    assert isinstance(problem, Problem)
    assert "is in batch 'B1' here and was without a batch before" in problem.message


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=20))
def test_every_job_is_sent_or_told(names: Iterable[str]) -> None:
    check = PlanCheck()
    for name in names:
        items = list(check.admit(job("s", "c", name), "w"))
        assert items
        for item in items:
            if isinstance(item, Problem):
                json.dumps([item.where, item.rule, item.message])
                item.message.encode()
                assert "\n" not in item.message
