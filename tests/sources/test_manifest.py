"""Manifests that people made: every form, and every way in which they go wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from bulkload.core.plan_check import Rule
from bulkload.core.plan_items import Checks, Problem, UploadJob
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.sources.entry import Entry
from bulkload.sources.manifest import existing, read_frame, read_manifest

HEADER = "spec,cell,measurement,path"


def read(path: Path) -> tuple[list[UploadJob], list[Problem]]:
    items = list(read_manifest(path))
    jobs = [item.job for item in items if isinstance(item, Entry)]
    return jobs, [item for item in items if isinstance(item, Problem)]


def good(path: Path) -> list[UploadJob]:
    jobs, problems = read(path)
    assert problems == []
    return jobs


def bad(path: Path) -> list[tuple[str, str]]:
    _, problems = read(path)
    assert all(str(path) in problem.where for problem in problems)
    return [(problem.rule, problem.message) for problem in problems]


def sheet(path: Path, rows: list[list[Any]], *, first_row: int = 0) -> Path:
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as workbook:
        page = workbook.add_worksheet()
        for at, row in enumerate(rows):
            page.write_row(first_row + at, 0, row)
    return path


def text(tmp_path: Path, content: str | bytes, name: str = "m.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_encodings(tmp_path: Path, mark: str, encoding: str, end: str) -> None:
    lines = [HEADER.replace(",", mark), mark.join(["LG", "Zelle é", "RPT 🔋", "a/b.csv"]), ""]
    (job,) = good(text(tmp_path, end.join(lines).encode(encoding)))
    assert job.key == JobKey("LG", "Zelle é", "RPT 🔋")
    assert job.path == str(tmp_path / "a" / "b.csv")


def test_all_columns_of_a_csv(tmp_path: Path) -> None:
    row = {
        "spec": "LG M50",
        "cell": "007",
        "batch": "B1",
        "measurement": "RPT 0",
        "type": "time_series",
        "path": "../data/x.csv",
        "member": "Sheet1",
        "reader": "arbin",
        "data_type": "eis",
        "start_time": "2024-01-31 10:00:00+01:00",
        "end_time": "20240201",
        "protocol": "CC-CV",
        "ambient_temperature_degc": "25",
        "cycler": "Neware 4",
        "channel": "7",
        "operator": "Jo",
        "tags": "rpt; first ;",
        "notes": "a, b",
        "rated_capacity": "5e0",
        "voltage_min": "2.5",
        "voltage_max": "4.2",
        "strict": "No",
        "skip_checks": "time_gaps;eis_zim_sign",
    }
    path = tmp_path / "m.csv"
    pd.DataFrame([row]).to_csv(path, index=False)
    assert good(path) == [
        UploadJob(
            key=JobKey("LG M50", "007", "RPT 0"),
            path=os.path.normpath(tmp_path / ".." / "data" / "x.csv"),
            member="Sheet1",
            reader="arbin",
            data_type="eis",
            batch="B1",
            metadata={
                "protocol": {"name": "CC-CV", "ambient_temperature_degc": 25.0},
                "test_setup": {"cycler": "Neware 4", "channel_number": 7, "operator": "Jo"},
                "start_time": "2024-01-31T10:00:00+01:00",
                "end_time": "2024-02-01",
                "tags": ["rpt", "first"],
                "notes": "a, b",
            },
            checks=Checks(
                strict=False,
                skip_checks=frozenset({"time_gaps", "eis_zim_sign"}),
                rated_capacity=5.0,
                voltage_window=(2.5, 4.2),
            ),
        )
    ]


def test_numbers_in_a_spreadsheet_become_the_names_that_were_meant(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "m.xlsx",
        [
            [*HEADER.split(","), "strict", "rated_capacity", "channel", "tags", "start_time"],
            ["LG", 1, 0.5, "x.csv", True, 5, 3, 7, dt.datetime(2024, 1, 31, 10)],  # noqa: DTZ001
            ["LG", "1.0", "007", "x.csv", "", "", "A-1", "", dt.date(2024, 1, 31)],
        ],
    )
    first, second = good(path)
    assert first.key == JobKey("LG", "1", "0.5")
    assert second.key == JobKey("LG", "1.0", "007")
    assert first.checks == Checks(strict=True, rated_capacity=5.0)
    assert first.metadata == {
        "test_setup": {"channel_number": 3},
        "tags": ["7"],
        "start_time": "2024-01-31T10:00:00",
    }
    assert second.metadata == {
        "test_setup": {"channel_number": "A-1"},
        "start_time": "2024-01-31",
    }


def test_a_number_that_lost_digits_is_no_name(tmp_path: Path) -> None:
    path = sheet(tmp_path / "m.xlsx", [HEADER.split(","), ["LG", 2**60, "m", "x.csv"]])
    assert bad(path) == [
        (
            Rule.BAD_VALUE,
            "row 2, column 'cell' is a number that has lost digits; format the column as text",
        )
    ]


def test_a_sheet_may_begin_below_empty_rows_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    rows = [HEADER.split(","), ["LG", "c", "m", "x.csv"], [], ["LG", "c", "", "x.csv"]]
    path = sheet(tmp_path / "m.xlsx", rows, first_row=3)
    jobs, (problem,) = read(path)
    assert len(jobs) == 1
    assert problem.where.endswith("m.xlsx, row 7")
    assert problem.message == "row 7, column 'measurement' is empty; each row needs it"


def test_parquet_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "spec": pa.array(["LG"]).dictionary_encode(),
            "cell": pa.array([7], pa.int32()),
            "measurement": pa.array(["m"], pa.large_string()),
            "path": ["x.csv"],
            "tags": pa.array([["a", "b; c"]]),
            "protocol": pa.array([{"name": "p", "definition": None}]),
            "start_time": pa.array([dt.datetime(2024, 1, 31, tzinfo=dt.UTC)]),
            "end_time": pa.array([dt.date(2024, 2, 1)]),
            "strict": pa.array([None], pa.bool_()),
            "rated_capacity": pa.array([float("nan")]),
        }
    )
    path = tmp_path / "m.parquet"
    pq.write_table(table, path)
    (job,) = good(path)
    assert job.key == JobKey("LG", "7", "m")
    assert job.metadata == {
        "tags": ["a", "b; c"],
        "protocol": {"name": "p"},
        "start_time": "2024-01-31T00:00:00+00:00",
        "end_time": "2024-02-01",
    }
    assert job.checks == Checks()


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        {"spec": "LG", "cell": 1, "measurement": "a", "path": "x.csv", "tags": ["t"]},
        {"spec": "LG", "cell": 1, "measurement": "b", "path": "x.csv", "cycler": {"lab": 3}},
        {"spec": "LG", "cell": 1, "measurement": "c", "path": "x.csv", "tag": "t"},
        {"spec": "LG", "cell": 1, "measurement": "d", "notes": {"a": 1}},
    ]
    lines = [json.dumps(row) for row in rows]
    path = text(tmp_path, "\n\n".join([*lines, "[1]", '{"spec": NaN', '{"a":1,"a":2}']), "m.jsonl")
    jobs, problems = read(path)
    assert [job.metadata for job in jobs] == [{"tags": ["t"]}, {"test_setup": {"lab": 3}}]
    assert [problem.message for problem in problems] == [
        "row 5, column 'tag' is not known; did you mean 'tags'?",
        "row 7, column 'path' is empty; each row needs it",
        "row 7, column 'notes' must be text, not an object",
        "row 9 must be an object of columns and values",
        "row 11 is not valid JSON: Expecting ',' delimiter at character 14",
        "row 13 is not valid JSON: the key 'a' occurs twice in one object",
    ]


def test_a_frame_is_a_manifest_too(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "spec": ["LG", "LG"],
            "cell": np.array([1, 2]),
            "measurement": ["a", None],
            "path": ["x.csv", "y.csv"],
            "batch": pd.array(["B", pd.NA], dtype="string"),
            "start_time": [pd.Timestamp("2024-01-31", tz="UTC"), pd.NaT],
            "strict": pd.array([True, None], dtype="boolean"),
            "rated_capacity": [5.0, np.nan],
        },
        index=[10, 10],
    )
    entry, problem = read_frame(frame, base=tmp_path)
    assert isinstance(entry, Entry)
    assert entry.job == UploadJob(
        key=JobKey("LG", "1", "a"),
        path=str(tmp_path / "x.csv"),
        batch="B",
        metadata={"start_time": "2024-01-31T00:00:00+00:00"},
        checks=Checks(strict=True, rated_capacity=5.0),
    )
    assert isinstance(problem, Problem)
    assert problem.where == "the table, row 3"
    twice = frame.rename(columns={"batch": "spec"})
    assert [item.rule for item in read_frame(twice) if isinstance(item, Problem)] == [
        Rule.DUPLICATE_COLUMN
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("spec,cell,measurement", [(Rule.MISSING_COLUMN, "the column 'path' is missing")]),
        (
            "Specc,cell,measurement,path",
            [(Rule.MISSING_COLUMN, "'spec'"), (Rule.UNKNOWN_COLUMN, "did you mean 'spec'?")],
        ),
        (HEADER + ",chanel", [(Rule.UNKNOWN_COLUMN, "'chanel' is not known; did you mean 'chan")]),
        (HEADER + ",zzz", [(Rule.UNKNOWN_COLUMN, "known ones are spec, cell, batch")]),
        (HEADER + ",cell", [(Rule.DUPLICATE_COLUMN, "'cell' occurs twice in the header")]),
        (HEADER + ",,notes", [(Rule.UNKNOWN_COLUMN, "the column '' is not known")]),
        ("Time [s],Voltage [V]", [(Rule.NOT_A_SOURCE, "is not a manifest")]),
        ("", [(Rule.UNREADABLE_TABLE, "has no header row")]),
    ],
)
def test_headers(tmp_path: Path, header: str, expected: list[tuple[Rule, str]]) -> None:
    found = bad(text(tmp_path, header + "\n1,2,3,4,5,6\n"))
    assert [rule for rule, _ in found] == [rule for rule, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert words in message


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("type", "timeseries", "must be one of time_series, file, properties"),
        ("start_time", "Monday", "is not a time in ISO 8601, such as 2024-01-31T12:"),
        ("start_time", "03.04.2024", "can be 2024-03-04 or 2024-04-03; give --day-first or"),
        ("rated_capacity", "5,000", "must be a finite number: it may be thousands or decimals"),
        ("rated_capacity", "5 V", "is in V; state it in A.h, mA.h, uA.h"),
        ("rated_capacity", "ca. 5", "is only about that number; write what is meant"),
        ("rated_capacity", "-1", "must be greater than zero"),
        ("rated_capacity", "inf", "must be a finite number"),
        ("rated_capacity", "1_0", "must be a finite number"),
        ("voltage_min", "2.5", "column 'voltage_max' is empty although the other limit is stated"),
        ("strict", "maybe", "must be true or false"),
        (
            "skip_checks",
            "time_gap",
            "names an unknown check: 'time_gap'; did you mean 'time_gaps'?",
        ),
        ("tags", "[1", "begins like JSON but is not valid"),
        ("tags", "x" * 51, "has a tag of more than 50 characters"),
        ("tags", ";".join(map(str, range(51))), "has 51 tags; Studio accepts at most 50"),
        ("protocol", '{"a": 1', "begins like JSON but is not valid"),
        ("cycler", '{"x": {"api_key": "geheim"}}', "credentials must not be in metadata"),
        ("cycler", '{"x": NaN}', "is not a finite number"),
        ("path", "a\0b", "contains a NUL character"),
        ("spec", " ", "is empty; each row needs it"),
    ],
)
def test_cells(tmp_path: Path, column: str, cell: str, words: str) -> None:
    cells = {"spec": "LG", "cell": "c", "measurement": "m", "path": "x.csv", column: cell}
    path = tmp_path / "m.csv"
    pd.DataFrame([cells]).to_csv(path, index=False)
    ((rule, message),) = bad(path)
    assert rule == Rule.BAD_VALUE
    assert message.startswith("row 2, column '")
    assert words in message
    assert "geheim" not in message


def test_each_bad_cell_is_told_and_other_rows_are_read(tmp_path: Path) -> None:
    rows = ["LG,,m,x.csv,x,1", "LG,c,m,x.csv,yes,1", "", "LG,c,m", "LG,c,m,x,,,7"]
    path = text(tmp_path, "\n".join([HEADER + ",strict,rated_capacity", *rows]))
    jobs, problems = read(path)
    assert len(jobs) == 1
    assert [problem.message for problem in problems] == [
        "row 2, column 'cell' is empty; each row needs it",
        "row 2, column 'strict' must be true or false",
        "row 5 has 3 of 6 cells; was the file truncated?",
        "row 6 has a value in a column without a name; is a value unquoted?",
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.csv", b"", "has no header row"),
        ("m.csv", b"\xd0\xcf\x11\xe0" + bytes(range(256)) * 9, "is not UTF-8 text"),
        ("m.csv", f'{HEADER}\nLG,c,"m,x\n'.encode(), "row 2 is not valid CSV"),
        ("m.csv", b"x" * (5 << 20), "has a line of more than 4194304 characters"),
        ("m.xlsx", b"PK\x03\x04 no workbook", "is not a readable workbook"),
        ("m.parquet", b"PAR1 no parquet", "is not a readable Parquet file"),
        ("m.jsonl", b"\xff{", "is not UTF-8 text"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    ((rule, message),) = bad(text(tmp_path, content, name))
    assert rule == Rule.UNREADABLE_TABLE
    assert words in message


def test_a_sheet_without_a_row(tmp_path: Path) -> None:
    ((rule, message),) = bad(sheet(tmp_path / "m.xlsx", []))
    assert rule == Rule.UNREADABLE_TABLE
    assert "has no header row in its first sheet" in message


def test_a_header_alone_states_nothing(tmp_path: Path) -> None:
    assert good(text(tmp_path, HEADER)) == []


def test_paths_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "x.csv").touch()
    rows = [
        "LG,c,1,x.csv,time_series",
        "LG,c,2,pictures,file",
        "LG,c,3,pictures,time_series",
        "LG,c,4,gone.csv,time_series",
        "LG,c,5,x.csv,properties",
        f"LG,c,6,{'x' * 300}.csv,time_series",
    ]
    path = text(tmp_path, "\n".join([HEADER + ",type", *rows]))
    found = list(existing(read_manifest(path)))
    assert [item.job.type for item in found if isinstance(item, Entry)] == [
        MeasurementType.TIME_SERIES,
        MeasurementType.FILE,
    ]
    problems = [item for item in found if isinstance(item, Problem)]
    assert [(item.where.rpartition(" ")[2], item.rule) for item in problems] == [
        ("4", Rule.PATH_IS_FOLDER),
        ("5", Rule.PATH_MISSING),
        ("6", Rule.BAD_VALUE),
        ("7", Rule.UNREADABLE_FILE),
    ]


def test_metadata_is_looked_for_below_the_manifest_or_up_to_the_anchor(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    rows = ["LG,c,1,sub/x.csv", "LG,c,2,../beside/x.csv", f"LG,c,3,{here / 'y.csv'}"]
    path = text(here, "\n".join([HEADER, *rows]))
    roots = [entry.root for entry in read_manifest(path) if isinstance(entry, Entry)]
    assert roots == [here, Path(here.anchor), here]
