"""What the files of a cell show together, and what they do not."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from bulkload.core.campaign import CampaignCode, FileSummary, check_campaign
from bulkload.core.frame import Frame
from bulkload.core.rules.file_summary import summarise_file
from bulkload.core.terms import CURRENT, FREQUENCY, TEMPERATURE, TIME, VOLTAGE, Z_RE
from tests.validation.tables import good

START = datetime(2024, 1, 1, tzinfo=UTC)


def series(count: int = 4) -> list[FileSummary]:
    """Return files of one cell, a day after each other, all a little different."""
    return [
        FileSummary(
            name=f"cycle_{number}",
            rows=1000 + number,
            start=START + timedelta(days=number),
            span_s=80_000.0,
            voltage=4.1,
            current=1.0,
            sign=1,
            capacity=2.0 - 0.01 * number,
        )
        for number in range(1, count + 1)
    ]


def codes(files: list[FileSummary]) -> list[CampaignCode]:
    return [finding.code for finding in check_campaign(files)]


def test_a_plain_series_shows_nothing() -> None:
    assert codes(series()) == []
    assert codes([]) == []


def test_a_summary_is_small_and_travels() -> None:
    summary = summarise_file(Frame.of(good()), "a", START)
    assert len(pickle.dumps(summary)) < 1000
    assert pickle.loads(pickle.dumps(summary)) == summary
    assert summary.sign == 1
    assert summary.rows == 80
    assert summary.span_s == 790.0
    assert summary.capacity == pytest.approx(190 / 3600)
    reversed_current = {**good(), CURRENT: -good()[CURRENT]}
    assert summarise_file(Frame.of(reversed_current), "b").sign == -1
    assert summarise_file(Frame.of({"x": np.zeros(2)}), "c").sign is None


def test_same_data_under_two_names() -> None:
    table = good()
    rounded = {**table, VOLTAGE: np.round(table[VOLTAGE], 4), TEMPERATURE: np.zeros(80)}
    noisy = {**table, VOLTAGE: table[VOLTAGE] + 1e-3}
    files = [
        summarise_file(Frame.of(columns), name)
        for name, columns in (("a", table), ("b", dict(reversed(rounded.items()))), ("c", noisy))
    ]
    findings = check_campaign(files)
    assert [(finding.code, finding.names) for finding in findings] == [
        (CampaignCode.SAME_DATA, ("a", "b"))
    ]


def test_same_data_of_one_row_must_be_equal() -> None:
    one = {TIME: [0.0], VOLTAGE: [3.7], CURRENT: [0.0]}
    tables = {"a": one, "b": one, "c": {**one, VOLTAGE: [3.7 + 1e-9]}}
    files = [
        summarise_file(Frame.of({key: np.array(values) for key, values in table.items()}), name)
        for name, table in tables.items()
    ]
    assert [finding.names for finding in check_campaign(files)] == [("a", "b")]


def test_same_data_of_impedance_is_told_by_the_impedance() -> None:
    sweep = {FREQUENCY: np.geomspace(1e4, 1e-1, 20), Z_RE: np.linspace(0.01, 0.03, 20)}
    tables = {"a": sweep, "b": sweep, "c": {**sweep, Z_RE: sweep[Z_RE] * 1.01}}
    files = [summarise_file(Frame.of(table), name) for name, table in tables.items()]
    assert [finding.names for finding in check_campaign(files)] == [("a", "b")]


def test_files_without_a_signal_are_not_the_same_data() -> None:
    files = [summarise_file(Frame.of({"x": np.zeros(2) + n}), f"file {n}") for n in (1, 7)]
    assert check_campaign(files) == []


@pytest.mark.parametrize(("seconds", "fires"), [(60, False), (61, True)])
def test_overlapping_spans(seconds: int, fires: bool) -> None:  # noqa: FBT001
    one, two, *rest = series()
    assert one.start is not None
    end = one.start + timedelta(seconds=one.span_s)
    two = replace(two, start=end - timedelta(seconds=seconds))
    assert (CampaignCode.SPANS_OVERLAP in codes([one, two, *rest])) is fires


def test_a_span_within_another_and_times_without_zone() -> None:
    one, two, three, four = series()
    files = [replace(one, span_s=10 * 86_400.0), two, three, four]
    assert codes(files) == [CampaignCode.SPANS_OVERLAP] * 3
    naive = datetime(2024, 1, 2)  # noqa: DTZ001 - a start time of unknown zone
    assert codes([one, replace(two, start=naive), three, four]) == []


def test_a_sign_that_differs() -> None:
    one, two, three, four = series()
    findings = check_campaign([one, two, replace(three, sign=-1), four])
    assert [(f.code, f.names) for f in findings] == [(CampaignCode.SIGN_DIFFERS, ("cycle_3",))]
    # Of two files nobody knows which is right.
    assert codes([one, replace(two, sign=-1)]) == []


@pytest.mark.parametrize(
    ("changes", "fires"),
    [
        ({"current": 1000.0}, True),
        ({"current": 0.001}, True),
        ({"current": 499.0}, False),
        ({"voltage": 4100.0}, True),
        ({"current": None}, False),
    ],
)
def test_a_unit_that_differs(changes: dict[str, Any], fires: bool) -> None:  # noqa: FBT001
    one, two, three, four = series()
    assert (
        CampaignCode.UNIT_DIFFERS in codes([one, replace(two, **changes), three, four])
    ) is fires


@pytest.mark.parametrize(("capacity", "fires"), [(2.48, False), (2.5, True)])
def test_capacity_that_jumps_up(capacity: float, fires: bool) -> None:  # noqa: FBT001
    one, two, three, four = series()
    files = [one, two, three, replace(four, capacity=capacity)]
    assert (CampaignCode.CAPACITY_JUMPS in codes(files)) is fires
    # A short first test does not tell what the cell holds.
    short = replace(one, capacity=0.1)
    assert codes([short, replace(two, capacity=0.5), three, four]) == []


def test_a_missing_middle_file() -> None:
    files = series(6)
    found = check_campaign([f for f in files if f.name != "cycle_4"])
    assert [(f.code, f.payload) for f in found] == [(CampaignCode.FILE_MISSING, {"missing": [4]})]
    # Numbers that jump are no series, and neither are dates.
    sparse = [replace(f, name=f"cycle_{10 * n}") for n, f in enumerate(files)]
    assert codes(sparse) == []
    dates = [replace(f, name=f"run_2024010{n}") for n, f in enumerate(files) if n != 3]
    assert codes(dates) == []


def test_names_are_sorted_by_number() -> None:
    files = [replace(file, start=None) for file in series(12)]
    assert codes(files[::-1]) == []


def test_tests_that_differ_by_their_noise_alone_are_not_one_test() -> None:
    chance = np.random.default_rng(5)
    time = np.arange(0.0, 50_000.0, 10.0)
    quiet = {"Time [s]": time, "Current [A]": np.where((time // 1000) % 2 == 0, 1.0, -1.0)}
    wave = 3.6 + 0.3 * np.sin(time / 3000)
    tests = [
        summarise_file(
            Frame.of({**quiet, "Voltage [V]": np.round(wave + chance.normal(0, 1e-4, 5000), 5)}),
            f"run {number}",
        )
        for number in range(30)
    ]
    assert check_campaign(tests) == []


def test_a_copy_still_has_its_place_in_the_series() -> None:
    time = np.arange(0.0, 5_000.0, 10.0)
    table = {"Time [s]": time, "Current [A]": 0 * time + 1, "Voltage [V]": 4 - time / 1e4}
    files = [summarise_file(Frame.of(table), f"run {number}") for number in range(4)]
    assert {finding.code for finding in check_campaign(files)} == {CampaignCode.SAME_DATA}


def test_a_message_lists_a_few_names_and_the_finding_all() -> None:
    figures = ((1.0, 2.0),)
    alike = [replace(file, rows=50, figures=figures, start=None) for file in series(40)]
    (finding,) = (one for one in check_campaign(alike) if one.code is CampaignCode.SAME_DATA)
    assert len(finding.names) == 40
    assert finding.message == (
        "'cycle_1', 'cycle_2', 'cycle_3', 'cycle_4', 'cycle_5' and 35 more hold the same 50 rows."
    )


def test_the_numbers_of_two_missing_files_are_named() -> None:
    files = [file for file in series(40) if file.name not in {"cycle_7", "cycle_9"}]
    (finding,) = check_campaign(files)
    assert finding.message == "The files 'cycle_*' go from 1 to 40 without 7 and 9."


#: Prints the summary of a file of 200,000 rows.
_SUMMARY = """
import numpy as np
from bulkload.core.campaign import summary_to_text
from bulkload.core.frame import Frame
from bulkload.core.rules.file_summary import summarise_file
rows = np.arange(200_000)
frame = Frame.of({
    "Time [s]": 0.1 * rows,
    "Voltage [V]": 3.7 + 0.3 * np.sin(rows / 777.0),
    "Current [A]": np.where(rows // 5000 % 2, -1.234567, 0.987654),
    "Step count": rows // 5000,
})
print(summary_to_text(summarise_file(frame, "file", None)))
"""


def test_a_summary_does_not_depend_on_the_threads_of_blas() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", _SUMMARY],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(texts) == 1
