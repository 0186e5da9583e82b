"""Events, jobs and options as text: the form that journals of every version hold."""

from __future__ import annotations

import pytest

from bulkload.core.lifecycle import Attempting, SourcePrepared
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import ExtraChecks, PrepareOptions
from bulkload.core.terms import DATABASE, JobKey, MeasurementType
from bulkload.errors import JournalError
from bulkload.journal.codec import (
    event_from_text,
    event_to_text,
    job_from_text,
    job_to_text,
    prepare_options_from_json,
)

PLAIN = UploadJob(key=JobKey("s", "c", "m"), path="m.csv")
#: Written out: a plan that was kept is compared with the next one as text.
PLAIN_TEXT = (
    '{"batch":null,"checks":{"rated_capacity":null,"skip_checks":[],"strict":null,'
    '"voltage_window":null},"data_type":null,"day_first":null,"key":["s","c","m"],"member":null,'
    '"metadata":{},"path":"m.csv","reader":null,"transforms":[],"type":"time_series",'
    '"voltage":null}'
)
FULL = UploadJob(
    key=JobKey('s"', "c\n", "m🔋"),
    type=MeasurementType.TIME_SERIES,
    path="m.csv",
    member="Sheet 2",
    reader=DATABASE,
    origin="table, key 3",
    data_type="eis",
    batch="batch 7",
    day_first=False,
    voltage="ewe",
    transforms=("set_sign", "drop_nan"),
    metadata={"notes": "n", "tags": ["a"]},
    checks=Checks(
        strict=False,
        skip_checks=frozenset({"b", "a"}),
        rated_capacity=2.0,
        voltage_window=(2.5, 4.2),
    ),
    expects_new=True,
)
FULL_TEXT = (
    '{"batch":"batch 7","checks":{"rated_capacity":2.0,"skip_checks":["a","b"],"strict":false,'
    '"voltage_window":[2.5,4.2]},"data_type":"eis","day_first":false,"expects_new":true,'
    '"key":["s\\"","c\\n","m🔋"],"member":"Sheet 2","metadata":{"notes":"n","tags":["a"]},'
    '"origin":"table, key 3","path":"m.csv","reader":"database","transforms":["set_sign",'
    '"drop_nan"],"type":"time_series","voltage":"ewe"}'
)


@pytest.mark.parametrize(("job", "text"), [(PLAIN, PLAIN_TEXT), (FULL, FULL_TEXT)])
def test_a_job_is_this_text_and_this_text_is_the_job(job: UploadJob, text: str) -> None:
    assert job_to_text(job) == text
    read = job_from_text(text)
    assert read == job
    # What the comparison of jobs leaves out.
    assert (read.origin, read.expects_new) == (job.origin, job.expects_new)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        PLAIN_TEXT.replace('"time_series"', '"poem"'),
        PLAIN_TEXT.replace('"s","c","m"', '"s","c"'),
        PLAIN_TEXT.replace('"batch"', '"badge"'),
    ],
)
def test_a_job_that_cannot_be_read_is_a_damaged_journal(text: str) -> None:
    with pytest.raises(JournalError) as raised:
        job_from_text(text)
    assert str(raised.value) == "the journal holds a job that cannot be read"


def test_an_event_is_its_fields_and_lists_are_tuples_again() -> None:
    event = SourcePrepared(
        rows=1,
        size_bytes=2,
        sha256="a",
        content_digest="b",
        source_bytes=3,
        source_mtime_ns=4,
        source_sha256="c",
        warnings=(("code", "message"), ("code", "other")),
    )
    text = event_to_text(event)
    assert text == (
        '{"changes":[],"columns":[],"content_digest":"b","provenance":"","rows":1,'
        '"rows_left_out":0,"sha256":"a","size_bytes":2,"source_bytes":3,"source_mtime_ns":4,'
        '"source_sha256":"c","summary":null,"warnings":[["code","message"],["code","other"]]}'
    )
    assert event_from_text("SourcePrepared", text) == event


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Attempted", '{"act":"put"}'),
        ("Attempting", "{}"),
        ("Attempting", '{"act":"put","at":1}'),
        ("Attempting", "[]x"),
    ],
)
def test_an_event_that_cannot_be_read_is_a_damaged_journal(name: str, text: str) -> None:
    assert isinstance(event_from_text("Attempting", '{"act":"put"}'), Attempting)
    with pytest.raises(JournalError) as raised:
        event_from_text(name, text)
    assert str(raised.value) == f"the journal holds an event that cannot be read: {name}"


def test_options_read_back_whatever_version_wrote_them() -> None:
    kept = {
        "reader": "maccor",
        "dialects": "d.toml",
        "transforms": ["set_sign"],
        "extra_checks": "error",
        "header_fields": ["operator"],
        "stores_steps": True,
        "day_first": True,
        "voltage": "ewe",
    }
    assert prepare_options_from_json(kept) == PrepareOptions(
        reader="maccor",
        dialects="d.toml",
        transforms=("set_sign",),
        extra_checks=ExtraChecks.ERROR,
        header_fields=("operator",),
        stores_steps=True,
        day_first=True,
        voltage="ewe",
    )
    # Header fields came later than the others.
    older = {"transforms": [], "extra_checks": "warn"}
    assert prepare_options_from_json(older) == PrepareOptions()
