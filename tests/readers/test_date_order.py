"""Dates such as 05/06/2024: what settles which number is the day, and what if nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, read
from bulkload.readers.user_dialects import load_dialects

NEWARE = "DataPoint,Step Index,Step Type,Date,Current(A),Voltage(V)"
NEWARE_RUNNING = "DataPoint,Step Index,Step Type,Date,Total Time,Current(A),Voltage(V)"
GENERIC = "Record,Step,Mode,Date,Test Time (s),Current (A),Voltage (V)"

DAY_FIRST, MONTH_FIRST = "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"

#: 5 June, and in the other reading 6 May.
JUNE = datetime(2024, 6, 5, 10, tzinfo=UTC)


def table(
    folder: Path,
    header: str,
    form: str,
    *,
    begin: datetime = JUNE,
    every_s: float = 600.0,
    count: int = 12,
    above: Sequence[str] = (),
    name: str = "cell.csv",
) -> Path:
    """Write rows ``every_s`` apart whose dates have this form."""
    lines = [*above, header]
    for i in range(count):
        date = f"{begin + timedelta(seconds=i * every_s):{form}}"
        running = f"{int(i * every_s)}," if "Test Time" in header else ""
        if "Total Time" in header:
            hours, rest = divmod(int(i * every_s), 3600)
            running = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d},"
        lines.append(f"{i + 1},1,CC DChg,{date},{running}-1.0,{4 - i / 1000:.3f}")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def order(series: TimeSeries) -> tuple[str, str]:
    return next(
        (decision.code.value, decision.evidence)
        for decision in series.decisions
        if decision.code in {"day_first", "month_first", "start_time_undecided"}
    )


def last_time(series: TimeSeries) -> float:
    return round(float(series.table["Time [s]"][-1].as_py()), 3)


@pytest.mark.parametrize("header", [NEWARE_RUNNING, GENERIC], ids=["Neware", "a lab's table"])
@pytest.mark.parametrize(("form", "code"), [(DAY_FIRST, "day_first"), (MONTH_FIRST, "month_first")])
class TestEvidence:
    """What settles the order, in each of two makes and both orders."""

    def test_a_number_above_12_in_any_row(
        self, tmp_path: Path, header: str, form: str, code: str
    ) -> None:
        path = table(tmp_path, header, form, every_s=86400.0)  # 5 to 16 June
        series = read(path)
        assert order(series) == (code, "a number above 12")
        assert series.header["start_time"] == "2024-06-05T10:00:00+00:00"
        assert last_time(series) == 11 * 86400.0

    def test_the_running_time(self, tmp_path: Path, header: str, form: str, code: str) -> None:
        series = read(table(tmp_path, header, form, every_s=7200.0, count=24))  # to 7 June
        assert order(series) == (code, "running time")
        assert series.header["start_time"] == "2024-06-05T10:00:00+00:00"
        assert last_time(series) == 23 * 7200.0

    def test_the_month_that_the_preamble_spells(
        self, tmp_path: Path, header: str, form: str, code: str
    ) -> None:
        for above in ("Test started on June 5, 2024", "Start;05-Jun-2024", "2024-06-05 created"):
            series = read(table(tmp_path, header, form, above=[above]))
            assert order(series) == (code, "dates above the table"), above
            assert series.header["start_time"] == "2024-06-05T10:00:00+00:00"

    def test_another_date_of_the_preamble(
        self, tmp_path: Path, header: str, form: str, code: str
    ) -> None:
        above = f"exported {datetime(2024, 6, 28, tzinfo=UTC):{form}}"
        series = read(table(tmp_path, header, form, above=[above]))
        assert order(series) == (code, "dates above the table")

    def test_the_date_in_the_file_name(
        self, tmp_path: Path, header: str, form: str, code: str
    ) -> None:
        for name in ("cell_20240605_R0.csv", "2024-06-05 cell.csv", "cell 20240605101500_1.csv"):
            series = read(table(tmp_path, header, form, name=name))
            assert order(series) == (code, "date in the file name"), name

    def test_other_files_of_the_folder(
        self, tmp_path: Path, header: str, form: str, code: str
    ) -> None:
        later = datetime(2024, 6, 20, tzinfo=UTC)
        table(tmp_path / code, header, form, begin=later, name="other.csv")
        series = read(table(tmp_path / code, header, form))
        assert order(series) == (code, "other files of the folder")
        assert series.header["start_time"] == "2024-06-05T10:00:00+00:00"

    def test_nothing(self, tmp_path: Path, header: str, form: str, code: str) -> None:
        path = table(tmp_path, header, form)
        series = read(path)
        assert order(series) == ("start_time_undecided", "none")
        assert "start_time" not in series.header
        assert last_time(series) == 6600.0
        stated = read(path, ReadOptions(day_first=form == DAY_FIRST))
        assert order(stated) == (code, "stated")
        assert stated.header["start_time"] == "2024-06-05T10:00:00+00:00"


@pytest.mark.parametrize(("form", "code"), [(DAY_FIRST, "day_first"), (MONTH_FIRST, "month_first")])
def test_midnight_passes_between_the_rows(tmp_path: Path, form: str, code: str) -> None:
    begin = datetime(2024, 6, 5, 23, 30, tzinfo=UTC)
    series = read(table(tmp_path, NEWARE, form, begin=begin))
    assert order(series) == (code, "midnights between the rows")
    assert last_time(series) == 6600.0
    assert series.header["start_time"] == "2024-06-05T23:30:00+00:00"


def test_rows_that_would_go_back(tmp_path: Path) -> None:
    # 3 November to 2 December 2024, a week apart: month first it would be March to February.
    begin = datetime(2024, 11, 4, tzinfo=UTC)
    path = table(tmp_path, NEWARE, DAY_FIRST, begin=begin, every_s=4 * 7 * 86400.0, count=2)
    assert order(read(path)) == ("day_first", "order of the rows")


def test_a_time_that_rests_on_open_dates_is_refused_until_it_is_settled(tmp_path: Path) -> None:
    begin = datetime(2024, 5, 6, tzinfo=UTC)
    path = table(tmp_path, NEWARE, DAY_FIRST, begin=begin, every_s=61 * 86400.0, count=2)
    with pytest.raises(UnreadableError, match="--day-first or --month-first") as caught:
        read(path)
    assert caught.value.cause == "day_or_month"
    assert last_time(read(path, ReadOptions(day_first=True))) == 61 * 86400.0


def test_the_rows_go_before_what_is_stated(tmp_path: Path) -> None:
    path = table(tmp_path, GENERIC, MONTH_FIRST, every_s=86400.0)
    series = read(path, ReadOptions(day_first=True))
    assert order(series) == ("month_first", "a number above 12")


def test_a_dialect_of_ones_own_may_lay_the_order_down(tmp_path: Path) -> None:
    path = table(tmp_path, GENERIC, DAY_FIRST)
    dialects = tmp_path / "dialects.toml"
    dialects.write_text(
        '[[dialect]]\nname = "rig"\nday_first = true\n[dialect.columns]\n"timestamp" = "Date"\n'
        '"Time [s]" = { header = "Test Time", unit = "s" }\n'
        '"Voltage [V]" = { header = "Voltage", unit = "V" }\n'
        '"Current [A]" = { header = "Current", unit = "A" }\n'
    )
    series = read(path, ReadOptions(dialects=load_dialects(dialects)))
    assert order(series) == ("day_first", "dialect")


def test_an_open_start_time_of_a_header_is_not_guessed(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},CHA,{i}.0,3.{i},1.0,0" for i in range(9))
    head = "Step,Status,Prog Time,Voltage,Current,AhAccu\n,,s,V,A,Ah\n"
    path = tmp_path / "cell.csv"
    path.write_text(f"Program,cc\nStart Time,05/06/2024 10:55\n{head}{rows}\n")
    series = read(path)
    assert "start_time" not in series.header
    assert order(series) == ("start_time_undecided", "none")
    stated = read(path, ReadOptions(day_first=True))
    assert stated.header["start_time"] == "2024-06-05T10:55:00+00:00"


@pytest.mark.parametrize(
    ("name", "expected", "evidence"),
    [
        ("cycler/maccor/maccor_one.txt", "2020-12-11T12:22:12+00:00", "running time"),
        ("cycler/novonix/example_data_prep.csv", "2019-01-03T19:41:32+00:00", "running time"),
        (
            "cycler/gamry/20240401_B_GM0016_HL03_E01_EIS.DTA",
            "2024-04-01T20:48:51+00:00",
            "date in the file name",
        ),
        ("cycler/gamry/eispot_data.dta", None, "none"),
    ],
)
def test_real_files(shared_data: Path, name: str, expected: str | None, evidence: str) -> None:
    series = read(shared_data / name)
    assert series.header.get("start_time") == expected
    assert order(series)[1] == evidence


def test_a_time_of_day_in_the_rows_and_the_date_above(shared_data: Path) -> None:
    path = next((shared_data / "cycler2" / "maccor").glob("2300 EXAMPLE*"))
    # Date of Test: 11/13/2017; the first row's DPt Time is 11:40:45.
    assert read(path).header["start_time"] == "2017-11-13T11:40:45+00:00"


def test_one_row_with_a_number_above_12_goes_before_the_running_time(tmp_path: Path) -> None:
    """A pause that the running time does not count: the ends alone would say month first."""
    path = table(tmp_path, GENERIC, "%%s", every_s=240.0, count=361)
    dates = ("01/02/2024 10:00:00",) * 190 + ("15/02/2024 10:00:00",)
    path.write_text(path.read_text() % (*dates, *("01/03/2024 10:00:00",) * 170))
    assert order(read(path)) == ("day_first", "a number above 12")
