"""A plan that is written and read again states the same jobs, in all four forms."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.rule_names import STRICT_CHECK_NAMES
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.errors import PlanError
from bulkload.sources.columns import COLUMNS
from bulkload.sources.entry import Entry
from bulkload.sources.manifest import read_manifest
from bulkload.sources.plan_file import write_plan
from bulkload.sources.writers import GROUP_ROWS, MAX_SHEET_CELL_CHARACTERS

FORMS = (".csv", ".xlsx", ".parquet", ".jsonl")
ROOT = Path(Path.cwd().anchor)


def read_back(path: Path) -> list[UploadJob]:
    jobs = []
    for entry in read_manifest(path):
        assert isinstance(entry, Entry), entry
        jobs.append(entry.job)
    return jobs


# Everything that is text, but for the two characters that no spreadsheet can hold.
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
_TRICKY = st.sampled_from(
    [
        *(
            "=1+1",
            "+1",
            "-1",
            "@x",
            "'quoted",
            '"',
            ",",
            ";",
            "a\nb",
            "a\r\nb",
            "a\rb",
            "\t",
            "007",
        ),
        *("1.0", "1e5", "true", "2024-01-31", "🔋", "é", "e\u0301", "#N/A", "null", "_x0041_"),
        *("é" * 125, "x" * 250, " lead", "trail ", "{", "[", "{}", "[]", "https://x.y", "NaN"),
    ]
)
TEXT = st.one_of(_TRICKY, st.text(_CHARACTERS, min_size=1, max_size=20)).filter(str.strip)
PATHS = TEXT.map(lambda text: str(ROOT) + text.replace("\0", ""))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
TIMES = st.one_of(
    st.datetimes(timezones=st.none() | st.just(dt.UTC)).map(lambda time: time.isoformat()),
    st.dates().map(lambda date: date.isoformat()),
)
TAGS = st.lists(TEXT.map(lambda tag: tag.strip()[:50].strip()).filter(bool), min_size=1, max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(_CHARACTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def protocols(draw: st.DrawFn) -> dict[str, Any]:
    said = draw(
        st.fixed_dictionaries(
            {}, optional={"name": TEXT, "ambient_temperature_degc": NUMBERS, "definition": VALUES}
        ).filter(bool)
    )
    return {key: value for key, value in said.items() if value is not None} or {"name": "x"}


@st.composite
def setups(draw: st.DrawFn) -> dict[str, Any]:
    said = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "cycler": TEXT,
                "operator": TEXT,
                "channel_number": st.one_of(st.integers(), TEXT),
                "lab": VALUES,
            },
        )
    )
    return {key: value for key, value in said.items() if value is not None} or {"lab": "x"}


@st.composite
def jobs(draw: st.DrawFn) -> UploadJob:
    window = sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2, unique=True)))
    metadata = st.fixed_dictionaries(
        {},
        optional={
            "protocol": protocols(),
            "test_setup": setups(),
            "start_time": TIMES,
            "end_time": TIMES,
            "notes": TEXT,
            "tags": TAGS,
        },
    )
    checks = Checks(
        strict=draw(st.sampled_from([None, True, False])),
        skip_checks=draw(st.frozensets(st.sampled_from(sorted(STRICT_CHECK_NAMES)))),
        rated_capacity=draw(st.none() | POSITIVE),
        voltage_window=draw(st.sampled_from([None, (window[0], window[1])])),
    )
    return UploadJob(
        key=JobKey(draw(TEXT), draw(TEXT), draw(TEXT)),
        type=draw(st.sampled_from(MeasurementType)),
        path=draw(PATHS),
        member=draw(st.none() | TEXT),
        reader=draw(st.none() | TEXT),
        data_type=draw(st.none() | TEXT),
        batch=draw(st.none() | TEXT),
        metadata=draw(metadata),
        checks=checks,
    )


@pytest.mark.parametrize("form", FORMS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(planned=st.lists(jobs(), max_size=4))
def test_what_is_written_is_read_again(form: str, planned: list[UploadJob], tmp_path: Path) -> None:
    path = tmp_path / f"plan{form}"
    assert write_plan(path, planned) == len(planned)
    assert read_back(path) == planned


def plain_job(number: int = 0, **changes: Any) -> UploadJob:
    key = JobKey("LG M50", "c1", f"RPT {number}")
    return UploadJob(key=key, path=str(ROOT / "data" / f"{number}.csv"), **changes)


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_is_written_and_read_as_a_stream(form: str, tmp_path: Path) -> None:
    """More rows than one group: none is lost or doubled at the seam, none is kept."""
    count = GROUP_ROWS + 3
    path = tmp_path / f"plan{form}"
    assert write_plan(path, (plain_job(number) for number in range(count))) == count
    assert [job.key.measurement for job in read_back(path)] == [f"RPT {n}" for n in range(count)]


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_that_was_not_finished_does_not_appear(form: str, tmp_path: Path) -> None:
    """Half a plan that can be run would be a success that is false."""
    path = tmp_path / f"plan{form}"
    write_plan(path, [plain_job()])

    def broken() -> Any:
        yield plain_job(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_plan(path, broken())
    assert read_back(path) == [plain_job()]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_spreadsheet_holds_text_and_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "plan.xlsx"
    job = UploadJob(key=JobKey("=HYPERLINK(1)", "+1", "@x"), path=str(ROOT / "=x"))
    write_plan(path, [job])
    assert read_back(path) == [job]
    with zipfile.ZipFile(path) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml")
    assert b"<f" not in sheet
    assert b"=HYPERLINK(1)" in sheet


def test_a_csv_is_plain_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    setup = {"cycler": "Neware 4", "channel_number": 7, "operator": "Jo"}
    protocol = {"name": "CC-CV", "ambient_temperature_degc": 25.0}
    write_plan(
        path,
        [plain_job(1, metadata={"protocol": protocol, "test_setup": setup, "tags": ["a", "b c"]})],
    )
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header, row = csv.reader(stream)
    assert header == [*COLUMNS, "size_bytes", "modified"]
    said = {column: cell for column, cell in zip(header, row, strict=True) if cell}
    assert said == {
        "spec": "LG M50",
        "cell": "c1",
        "measurement": "RPT 1",
        "type": "time_series",
        "path": str(ROOT / "data" / "1.csv"),
        "protocol": "CC-CV",
        "ambient_temperature_degc": "25.0",
        "cycler": "Neware 4",
        "channel": "7",
        "operator": "Jo",
        "tags": "a; b c",
    }


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (plain_job(metadata={"channel_id": "x"}), "metadata 'channel_id' has no column"),
        (plain_job(metadata={"notes": ""}), "do not fit into the columns"),
        (plain_job(metadata={"start_time": "yesterday"}), "column 'start_time' is not a time"),
        (plain_job(metadata={"notes": "half \ud83d"}), "half a surrogate pair"),
        (plain_job(metadata={"notes": "x" * 100_001}), "has 100001 characters"),
        (UploadJob(key=JobKey("s", "", "m"), path=str(ROOT / "x")), "column 'cell' is empty"),
    ],
)
def test_what_the_columns_cannot_say_is_refused(job: UploadJob, words: str, tmp_path: Path) -> None:
    for form in FORMS:
        with pytest.raises(PlanError, match=words):
            write_plan(tmp_path / f"plan{form}", [job])


def test_what_a_spreadsheet_cannot_hold_is_refused(tmp_path: Path) -> None:
    for notes in ("x" * (MAX_SHEET_CELL_CHARACTERS + 1), "\uffff"):
        job = plain_job(metadata={"notes": notes})
        with pytest.raises(PlanError, match=r"row 2, column 'notes' .* write \.csv or \.parquet"):
            write_plan(tmp_path / "plan.xlsx", [job])
        write_plan(tmp_path / "plan.csv", [job])
        assert read_back(tmp_path / "plan.csv") == [job]


def test_another_form_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"one of \.csv, \.xlsx, \.parquet, \.jsonl"):
        write_plan(tmp_path / "plan.ods", [plain_job()])
