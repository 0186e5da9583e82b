"""The search for a remedy: from small to large, guided by what is left, and bounded."""

from __future__ import annotations

from collections.abc import Sequence

from bulkload.core.issues import IssueCode
from bulkload.core.remedies import CURES, find_remedy
from bulkload.core.roots import RejectedSource, by_cause, roots
from bulkload.core.rule_names import STRICT_CHECK_NAMES, TRANSFORM_NAMES
from bulkload.core.treatment import Treatment


class Table:
    """A table with faults, each cured by any of some names; a name may bring faults to light."""

    def __init__(
        self, faults: dict[str, set[str]], hidden: dict[str, set[str]] | None = None
    ) -> None:
        self.faults = faults
        self.hidden = hidden or {}
        self.tried: list[str] = []

    def judge(self, treatment: Treatment) -> Sequence[str] | None:
        self.tried.append(str(treatment))
        names = {*treatment.transforms, *treatment.skip_checks}
        found = [code for code, cures in self.faults.items() if not names & cures]
        found += [code for code, why in self.hidden.items() if why <= names]
        if "sort_time" in names:
            return None
        return [code for code in found if not (code in self.hidden and "set_capacity" in names)]


def always(_: int) -> bool:
    return True


def test_one_cure_is_found_before_any_two_are_tried() -> None:
    table = Table({"time_does_not_start_at_zero": {"reset_time"}})
    found = find_remedy(["time_does_not_start_at_zero"], table.judge, always)
    assert str(found.remedy) == "--transform reset_time"
    assert found.tries == 1


def test_two_findings_need_two_cures_in_the_order_of_the_transforms() -> None:
    table = Table(
        {"step_count_missing": {"set_step_count"}, "time_does_not_start_at_zero": {"reset_time"}}
    )
    found = find_remedy(["step_count_missing", "time_does_not_start_at_zero"], table.judge, always)
    assert str(found.remedy) == "--transform reset_time,set_step_count"
    assert table.tried == [
        "--transform set_step_count",
        "--transform reset_time",
        "--transform reset_time,set_step_count",
    ]


def test_a_transform_comes_before_a_check_left_out() -> None:
    table = Table({"cycle_changes_within_step": {"set_cycle_count", "cycle_constant_within_step"}})
    found = find_remedy(["cycle_changes_within_step"], table.judge, always)
    assert str(found.remedy) == "--transform set_cycle_count"
    table = Table({"cycle_changes_within_step": {"cycle_constant_within_step"}})
    found = find_remedy(["cycle_changes_within_step"], table.judge, always)
    assert str(found.remedy) == "--skip-check cycle_constant_within_step"


def test_what_a_cure_brings_to_light_is_met_too() -> None:
    table = Table(
        {"current_sign_reversed": {"set_sign"}},
        hidden={"charge_capacity_integral_mismatch": {"set_sign"}},
    )
    found = find_remedy(["current_sign_reversed"], table.judge, always)
    assert str(found.remedy) == "--transform set_sign,set_capacity"


def test_what_cannot_be_made_or_cured_is_no_remedy() -> None:
    assert find_remedy(["time_not_monotonic"], Table({}).judge, always).remedy is None
    unknown = find_remedy(["column_missing"], Table({}).judge, always)
    assert (unknown.remedy, unknown.tries) == (None, 0)
    # A finding without a cure: the cures of the others do not let it pass.
    table = Table({"time_does_not_start_at_zero": {"reset_time"}, "column_missing": set()})
    found = find_remedy(["time_does_not_start_at_zero", "column_missing"], table.judge, always)
    assert (found.remedy, found.tries) == (None, 1)


def test_the_search_ends_where_it_may_not_go_on() -> None:
    codes = [code for code, cures in CURES.items() if cures[0]]
    table = Table({code: set() for code in codes})
    found = find_remedy(codes, table.judge, lambda tries: tries < 24)
    assert (found.remedy, found.tries) == (None, 24)
    assert len(set(table.tried)) == 24
    assert find_remedy(codes, table.judge, lambda _: False).tries == 0


def test_every_cure_is_a_name_that_a_retry_takes_and_every_finding_the_vendors() -> None:
    assert set(CURES) <= set(IssueCode)
    assert {name for transforms, _ in CURES.values() for name in transforms} == set(TRANSFORM_NAMES)
    assert {check for _, check in CURES.values() if check} == STRICT_CHECK_NAMES


def test_a_treatment_says_itself_as_options_and_adds_up() -> None:
    first = Treatment(transforms=("reset_time",), reader="maccor")
    both = first.then(Treatment(transforms=("reset_time", "set_sign"), skip_checks=("time_gaps",)))
    assert str(both) == "--transform reset_time,set_sign --skip-check time_gaps --reader maccor"
    assert not Treatment()
    assert str(Treatment()) == ""


def test_rejected_sources_are_grouped_by_all_their_findings_and_their_remedy() -> None:
    def source(name: str, *codes: str, remedy: str = "", tries: int = 0) -> RejectedSource:
        return RejectedSource(
            cause=codes[0], message=name, codes=(codes[1:] and codes) or codes, remedy=remedy,
            tries=tries, is_accepted=name == "b",
        )  # fmt: skip

    reset = "--transform reset_time"
    found = roots(
        [
            source("a", "time", remedy=reset, tries=1),
            source("b", "time", "step", tries=3),
            source("c", "time", remedy=reset, tries=1),
            source("d", "empty_file"),
        ],
        each=1,
    )
    assert [(one.name, one.count, one.accepted, one.examples) for one in found] == [
        ("time", 2, 0, ("a",)),
        ("time+step", 1, 1, ("b",)),
        ("empty_file", 1, 0, ("d",)),
    ]
    assert found[0].statement == "time; would pass with --transform reset_time"
    assert found[1].statement == "time, step; no transform and no skipped check helps"
    assert list(by_cause(found)) == ["time"]


def test_no_treatment_is_tried_twice() -> None:
    """Each two of three cures are reached in two ways, all three in six."""
    table = Table(
        {
            "step_count_missing": {"set_step_count"},
            "time_does_not_start_at_zero": {"reset_time"},
            "cycle_changes_within_step": {"set_cycle_count"},
        }
    )
    found = find_remedy(list(table.faults), table.judge, always)
    assert found.remedy is not None
    assert set(found.remedy.transforms) == {"set_step_count", "reset_time", "set_cycle_count"}
    assert len(table.tried) == len(set(table.tried)) == found.tries


def test_a_transform_is_tried_with_the_check_that_brought_its_error_to_light() -> None:
    def judge(treatment: Treatment) -> Sequence[str]:
        if "cycle_constant_within_step" not in treatment.skip_checks:
            return ["cycle_changes_within_step"]
        return [] if "reset_time" in treatment.transforms else ["time_does_not_start_at_zero"]

    found = find_remedy(["cycle_changes_within_step"], judge, always)
    assert found.remedy == Treatment(
        transforms=("reset_time",), skip_checks=("cycle_constant_within_step",)
    )
    # The other cure, the check, both of them, and the check with what it brought to light.
    assert found.tries == 4
