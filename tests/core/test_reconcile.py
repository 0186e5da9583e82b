"""Every combination of what a found record can be, and the one verdict on each."""

from __future__ import annotations

import itertools
from functools import partial

import pytest

from bulkload.core.existing import Existing, FoundRecord, Verdict
from bulkload.core.existing import reconcile as decide
from bulkload.core.terms import MeasurementType

reconcile = partial(decide, wanted=MeasurementType.TIME_SERIES)

RECORDS = {
    "ready": FoundRecord(id="m"),
    "processing": FoundRecord(id="m", is_processing=True),
    "failed": FoundRecord(id="m", has_failed=True, processing_error="why"),
    "picture": FoundRecord(id="m", type=MeasurementType.FILE),
}


@pytest.mark.parametrize("existing", Existing)
@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("holds", [True, False])
def test_our_own_record_is_judged_by_what_it_holds_and_never_by_the_settings(
    existing: Existing, name: str, *, holds: bool
) -> None:
    verdict = reconcile(RECORDS[name], is_ours=True, holds_current_source=holds, existing=existing)
    if name == "picture":
        assert verdict is Verdict.OTHER_TYPE
    elif name == "failed":
        assert verdict is Verdict.WITHDRAW
    else:
        assert verdict is (Verdict.ADOPT if holds else Verdict.COMPARE)


@pytest.mark.parametrize(
    ("name", "existing", "verdict"),
    [
        ("ready", Existing.REUSE, Verdict.REUSE),
        ("processing", Existing.REUSE, Verdict.AWAIT),
        ("failed", Existing.REUSE, Verdict.FOUND_FAILED),
        ("ready", Existing.VERIFY, Verdict.VERIFY),
        ("processing", Existing.VERIFY, Verdict.VERIFY),
        ("failed", Existing.VERIFY, Verdict.FOUND_FAILED),
        ("ready", Existing.FAIL, Verdict.NAME_TAKEN),
        ("processing", Existing.FAIL, Verdict.NAME_TAKEN),
        ("failed", Existing.FAIL, Verdict.FOUND_FAILED),
        ("picture", Existing.REUSE, Verdict.OTHER_TYPE),
        ("picture", Existing.VERIFY, Verdict.OTHER_TYPE),
        ("picture", Existing.FAIL, Verdict.OTHER_TYPE),
    ],
)
def test_what_was_there_before_us(name: str, existing: Existing, verdict: Verdict) -> None:
    found = reconcile(RECORDS[name], is_ours=False, holds_current_source=False, existing=existing)
    assert found is verdict


def test_only_our_own_record_is_ever_withdrawn_and_every_verdict_can_happen() -> None:
    seen = set()
    for record, is_ours, holds, existing in itertools.product(
        RECORDS.values(), (True, False), (True, False), Existing
    ):
        verdict = reconcile(record, is_ours=is_ours, holds_current_source=holds, existing=existing)
        seen.add(verdict)
        assert is_ours or verdict is not Verdict.WITHDRAW
        assert not record.has_failed or verdict in {Verdict.WITHDRAW, Verdict.FOUND_FAILED}
    assert seen == set(Verdict)
