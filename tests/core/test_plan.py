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
    duplicate_name,
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
        ("of a font's own \ue000", [], True),
    ],
)
def test_names(name: str, rules: list[Rule], is_sent: bool) -> None:  # noqa: FBT001
    for key in (JobKey(name, "c", "m"), JobKey("s", name, "m"), JobKey("s", "c", name)):
        found, sent = admit(PlanCheck(), UploadJob(key=key, path="/x"))
        assert found == rules
        assert (sent is not None) == is_sent
    found, _ = admit(PlanCheck(), job("s", "c", "m", batch=name))
    assert found == rules


def test_a_job_knows_the_place_that_named_it() -> None:
    _, sent = admit(PlanCheck(), job("s", "c", "m"), where="plan.csv, row 7")
    assert sent is not None
    assert sent.origin == "plan.csv, row 7"


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
    # Also where its own place is stated already.
    placed = UploadJob(key=JobKey("s", "c", "4"), path="/x", origin="plan.csv, row 7")
    _, sent = admit(check, placed, where="plan.csv, row 7")
    assert sent is not None
    assert (sent.batch, sent.origin) == ("B1", "plan.csv, row 7")
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


def problems_of(check: PlanCheck, one: UploadJob) -> list[Problem]:
    return [item for item in check.admit(one, "row 7") if isinstance(item, Problem)]


@pytest.mark.parametrize(
    ("name", "rule", "severity", "said"),
    [
        ("", Rule.EMPTY_NAME, Severity.ERROR, "'' is empty; give it one"),
        (
            "x" * 256,
            Rule.NAME_TOO_LONG,
            Severity.ERROR,
            f"{shown('x' * 256)} has 256 characters, 255 are allowed; shorten it",
        ),
        (
            "a\0",
            Rule.CONTROL_CHARACTER,
            Severity.ERROR,
            "'a\\x00' contains the control character U+0000; remove it",
        ),
        (
            "a ",
            Rule.OUTER_SPACE,
            Severity.WARNING,
            "'a ' begins or ends with a space, which is kept as part of it",
        ),
        (
            "a\u200bb",
            Rule.INVISIBLE_CHARACTER,
            Severity.WARNING,
            "'a\\u200bb' contains U+200B (ZERO WIDTH SPACE), which is invisible, and is kept",
        ),
    ],
)
def test_a_name_that_is_wrong_is_said_in_full(
    name: str, rule: Rule, severity: Severity, said: str
) -> None:
    for label, one in (
        ("specification", job(name, "c", "m")),
        ("cell", job("s", name, "m")),
        ("measurement", job("s", "c", name)),
        ("batch", job("s", "c", "m", batch=name)),
    ):
        expected = Problem(
            where="row 7", rule=rule, message=f"{label} name {said}", severity=severity
        )
        assert problems_of(PlanCheck(), one) == [expected]


def test_what_is_wrong_with_parents_is_said_in_full() -> None:
    check = PlanCheck()
    assert problems_of(check, job("LG", "c", "1", batch="B1")) == []
    assert problems_of(check, job("LG", "c", "2", batch="B2")) == [
        Problem(
            where="row 7",
            rule=Rule.BATCH_CONFLICT,
            message="cell 'c' of 'LG' is in batch 'B2' here and was in batch 'B1' before; state "
            "one batch for the cell",
        )
    ]
    (by_case,) = problems_of(check, job("LG", "C", "3"))
    assert (by_case.where, by_case.rule) == ("row 7", Rule.NAMES_DIFFER_BY_CASE)
    assert by_case.severity is Severity.WARNING
    assert by_case.message == (
        "cell 'C' differs only in case from an earlier one; both are sent, so make them one name "
        "if they are the same"
    )
    (by_case,) = problems_of(check, job("lg", "C", "3"))
    assert "specification 'lg'" in by_case.message


def test_a_name_claimed_twice_names_both_sources() -> None:
    found = duplicate_name(JobKey("s", "c", "m"), "/a/x.csv", "/b/x.csv")
    assert found == Problem(
        where="/a/x.csv",
        rule=Rule.DUPLICATE_NAME,
        message="'s' / 'c' / 'm' is claimed by '/a/x.csv' and, with other content, by '/b/x.csv', "
        "so neither is sent; rename or leave out one of the two",
    )


def test_names_that_look_the_same_are_told_apart_by_their_code_points() -> None:
    found = duplicate_name(JobKey("s", "c", "m"), "/caf\u00e9.csv", "/cafe\u0301.csv")
    assert "(they look the same: the one has U+00E9 U+002E, the other U+0065 U+0301)" in (
        found.message
    )
