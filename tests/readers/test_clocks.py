"""Which clock gives the instants, in tables that state their time more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import TimeSeries, list_members, read
from bulkload.readers.formats.neware_binary import RECORDS
from bulkload.readers.normalise import read_grid
from bulkload.readers.reading import ReadOptions
from bulkload.readers.table_source import ArrayGrid
from bulkload.readers.timestamps import ClockError, durations, timestamps

START = datetime(2024, 6, 5, 10, tzinfo=UTC)

#: Instants of a test with four samples a second, in s.
QUARTERS = tuple(0.25 * i for i in range(40))

NEWARE_TEXT = "DataPoint,Step Index,Step Type,{names},Current(A),Voltage(V)"
GENERIC = "Record,Step,Mode,{names},Current (A),Voltage (V)"


def clock(seconds: float, digits: int = 3) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    text = f"{int(hours):02d}:{int(minutes):02d}:"
    return text + (f"{left:0{3 + digits}.{digits}f}" if digits else f"{int(left):02d}")


def date(seconds: float) -> str:
    """Write a date as Neware does: to the second, the fraction cut off."""
    return f"{START + timedelta(seconds=int(seconds)):%Y-%m-%d %H:%M:%S}"


def write(
    folder: Path, header: str, columns: Mapping[str, Sequence[str]], steps: Sequence[int] = ()
) -> Path:
    rows = len(next(iter(columns.values())))
    steps = steps or [1] * rows
    lines = [header.format(names=",".join(columns))]
    for i, cells in enumerate(zip(*columns.values(), strict=True)):
        lines.append(f"{i + 1},{steps[i]},CC DChg,{','.join(cells)},-1.0,{4 - i / 1000:.3f}")
    path = folder / "cell.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def time(series: TimeSeries) -> list[float]:
    return [round(value, 6) for value in series.table["Time [s]"].to_pylist()]


def codes(series: TimeSeries) -> list[str]:
    return [decision.code.value for decision in series.decisions]


@pytest.mark.parametrize("header", [NEWARE_TEXT, GENERIC], ids=["Neware", "a lab's table"])
@pytest.mark.parametrize("name", ["Total Time", "Cumulative Time", "Test Time"])
def test_fractions_of_the_total_time_beside_whole_dates(
    tmp_path: Path, header: str, name: str
) -> None:
    columns = {"Date": [date(t) for t in QUARTERS], name: [clock(t) for t in QUARTERS]}
    series = read(write(tmp_path, header, columns))
    assert time(series) == list(QUARTERS)
    assert series.header["start_time"] == "2024-06-05T10:00:00+00:00"
    assert "times_set_apart" not in codes(series)


def test_the_total_time_of_a_real_workbook(shared_data: Path) -> None:
    path = next((shared_data / "cycler" / "neware").glob("GMJuly2022*.xlsx"))
    series = read(path)
    # The sum that an independent reading of its column 'Total Time' gives; 1 row of 2,833 is the
    # second of one instant, at a change of step.
    assert sum(series.table["Time [s]"].to_pylist()) == pytest.approx(4003318.3, abs=1e-3)
    assert series.header["start_time"] == "2023-01-10T14:33:33+00:00"


def test_a_pause_is_in_the_dates_alone(tmp_path: Path) -> None:
    running = [0.5 * i for i in range(20)]
    true = [t + (7200.0 if t >= 5 else 0.0) for t in running]
    columns = {"Date": [date(t) for t in true], "Total Time": [clock(t) for t in running]}
    series = read(write(tmp_path, NEWARE_TEXT, columns))
    # The dates are cut to whole seconds: the pause is known to one.
    assert time(series)[:10] == true[:10]
    np.testing.assert_allclose(time(series)[10:], true[10:], atol=1.0)
    assert np.diff(time(series))[10:] == pytest.approx(0.5)
    assert "pauses_added" in codes(series)


def test_the_test_time_of_other_makes_is_kept_and_pauses_are_named(tmp_path: Path) -> None:
    running = [10.0 * i for i in range(40)]
    true = [t + (7200.0 if t >= 200 else 0.0) for t in running]
    header = "Data_Point,Step_Index,Mode,{names},Current(A),Voltage(V)"
    columns = {"Date_Time": [date(t) for t in true], "Test_Time(s)": [f"{t}" for t in running]}
    series = read(write(tmp_path, header, columns))
    assert time(series) == running
    said = next(d for d in series.decisions if d.code == "pauses_left_out")
    assert said.rows == 1
    assert "7,200 s" in said.detail


def test_a_neware_binary_has_the_pauses_of_its_text_export(tmp_path: Path) -> None:
    running = np.arange(20) * 0.5
    true = running + np.where(running >= 5, 7200.0, 0.0)
    names = {
        "index": np.arange(1, 21),
        "voltage_V": 4 - np.arange(20) / 1000,
        "current_mA": np.full(20, -1000.0),
        "unix_time_s": START.timestamp() + true,
        "step_count": np.ones(20),
        "total_time_s": running,
    }
    columns = {name: pa.chunked_array([values]) for name, values in names.items()}
    grid = ArrayGrid(columns, "cell.ndax")
    binary = read_grid(grid, RECORDS, "cell.ndax", ReadOptions()).table
    text = read(
        write(
            tmp_path,
            NEWARE_TEXT,
            {"Date": [date(t) for t in true], "Total Time": [clock(t) for t in running]},
        )
    ).table
    np.testing.assert_allclose(binary["Time [s]"], true, atol=1e-5)
    np.testing.assert_allclose(binary["Time [s]"], text["Time [s]"], atol=1.0)
    for name in ("Voltage [V]", "Current [A]", "Step count", "Cycle count"):
        np.testing.assert_allclose(binary[name], text[name], atol=1e-9)


def test_dates_that_step_back_a_second_are_jitter(tmp_path: Path) -> None:
    running = [10.0 * i for i in range(20)]
    dates = [date(t - (11 if i == 7 else 0)) for i, t in enumerate(running)]
    columns = {"Date": dates, "Total Time": [clock(t, 0) for t in running]}
    assert time(read(write(tmp_path, NEWARE_TEXT, columns))) == running
    alone = read(write(tmp_path, NEWARE_TEXT, {"Date": dates}))
    assert time(alone)[7] == pytest.approx(60.000001)
    assert "clock_corrected" in codes(alone)


@pytest.mark.parametrize(
    ("header", "name"),
    [(NEWARE_TEXT, "Date"), (NEWARE_TEXT, "Total Time"), (GENERIC, "Total Time")],
)
def test_a_clock_that_is_too_coarse_is_refused(tmp_path: Path, header: str, name: str) -> None:
    cells = [date(t) if name == "Date" else clock(int(t), 0) for t in QUARTERS]
    with pytest.raises(UnreadableError, match="30 of 40 rows have the time") as caught:
        read(write(tmp_path, header, {name: cells}))
    assert caught.value.cause == "time_too_coarse"


def test_dates_with_fractions_beside_a_time_of_whole_seconds(tmp_path: Path) -> None:
    dates = [f"{START + timedelta(seconds=t):%Y-%m-%d %H:%M:%S.%f}" for t in QUARTERS]
    columns = {"Timestamp": dates, "Test Time": [clock(int(t), 0) for t in QUARTERS]}
    series = read(write(tmp_path, GENERIC, columns))
    assert time(series) == list(QUARTERS)
    assert next(d.evidence for d in series.decisions if d.code == "time_taken") == "resolution"


def test_the_time_within_steps_tells_apart_what_the_dates_repeat(tmp_path: Path) -> None:
    steps = [1] * 20 + [2] * 20
    own = [t if t < 5 else t - 5 for t in QUARTERS]
    columns = {"Date": [date(t) for t in QUARTERS], "Time": [clock(t) for t in own]}
    series = read(write(tmp_path, NEWARE_TEXT, columns, steps))
    found = np.array(time(series))
    # Within each step to the fraction; where the second begins is known to a second.
    np.testing.assert_allclose(np.diff(found[:20]), 0.25, atol=1e-5)
    np.testing.assert_allclose(np.diff(found[20:]), 0.25, atol=1e-5)
    np.testing.assert_allclose(found, QUARTERS, atol=1.0)


def test_two_records_of_one_instant_at_a_change_of_step_are_in_order(tmp_path: Path) -> None:
    running = [float(i // 2) for i in range(40)]
    steps = [(i + 1) // 2 for i in range(40)]
    columns = {"Date": [date(t) for t in running], "Total Time": [clock(t) for t in running]}
    series = read(write(tmp_path, NEWARE_TEXT, columns, steps))
    said = next(d for d in series.decisions if d.code == "times_set_apart")
    assert said.rows == 20
    assert "(0 within a step)" in said.detail


@pytest.mark.parametrize("header", [NEWARE_TEXT, GENERIC], ids=["Neware", "a lab's table"])
def test_total_time_goes_before_the_steps_own(tmp_path: Path, header: str) -> None:
    own = [10.0 * (i % 20) for i in range(40)]
    total = [10.0 * i for i in range(40)]
    columns = {"Time": [clock(t) for t in own], "Total Time": [clock(t) for t in total]}
    series = read(write(tmp_path, header, columns, [1] * 20 + [2] * 20))
    assert time(series) == total


@pytest.mark.parametrize("header", [NEWARE_TEXT, GENERIC], ids=["Neware", "a lab's table"])
def test_the_steps_own_time_is_never_the_tests(tmp_path: Path, header: str) -> None:
    own = [10.0 * (i % 20) for i in range(40)]
    path = write(tmp_path, header, {"Time": [clock(t) for t in own]}, [1] * 20 + [2] * 20)
    with pytest.raises(UnreadableError) as caught:
        read(path)
    assert caught.value.cause == "missing_column"


def test_a_sheet_of_units_is_no_test(tmp_path: Path) -> None:
    path = tmp_path / "cell.xlsx"
    with xlsxwriter.Workbook(path) as book:
        units = book.add_worksheet("unit")
        units.write_row(0, 0, ["Time", "Current", "Voltage", "Capacity", "Energy", "Power"])
        units.write_row(1, 0, ["hh:mm:ss.ms", "A", "V", "Ah", "Wh", "W"])
        record = book.add_worksheet("record")
        names = ["DataPoint", "Step Index", "Step Type", "Time", "Total Time"]
        record.write_row(0, 0, [*names, "Current(A)", "Voltage(V)"])
        for i in range(40):
            cells = [i + 1, 1 + i // 20, "CC DChg", clock(10.0 * (i % 20)), clock(10.0 * i)]
            record.write_row(i + 1, 0, [*cells, -1.0, 4 - i / 1000])
    assert list_members(path) == ()
    assert time(read(path))[-1] == 390.0


def test_plain_durations_are_read_as_their_pattern_reads_them() -> None:
    texts = ["00:00:00", "9:59:59", "123:00:01.250", "00:00:00.001", "1:2:3,5"]
    values = pa.chunked_array([pa.array(texts)])
    assert durations(values).tolist() == [0.0, 35999.0, 442801.25, 0.001, 3723.5]


@pytest.mark.parametrize("text", ["1.02:03:04.5", "1 day, 2:03:04.5", "1 days 02:03:04.5"])
def test_days_before_hours_are_read(text: str) -> None:
    """As .NET, Python and pandas write them; values below a day may have none."""
    values = pa.chunked_array([pa.array([text, "2:03:04"])])
    assert durations(values).tolist() == [93784.5, 7384.0]


DATES = {
    "year first": ("2024-02-29 23:59:59.5", "2024-03-01 00:00:00.5"),
    "no leading zeros": ("2/29/2024 11:59:59.5 PM", "3/1/2024 12:00:00.5 AM"),
    "points": ("29.02.2024 23:59:59,5", "01.03.2024 00:00:00,5"),
    "a blank in front": (" 2024/02/29 23:59:59.5", " 2024/03/01 00:00:00.5"),
}


@pytest.mark.parametrize("texts", DATES.values(), ids=DATES)
def test_dates_of_digits_are_read_as_their_pattern_reads_them(texts: tuple[str, str]) -> None:
    values = pa.chunked_array([pa.array(texts)])
    assert timestamps(values).tolist() == [1709251199.5, 1709251200.5]


@pytest.mark.parametrize("text", ["2023-02-29 10:00:00", "31/04/2024 10:00", "2024-01-01 25:00"])
def test_a_date_that_does_not_exist_is_none(text: str) -> None:
    with pytest.raises(ClockError):
        timestamps(pa.chunked_array([pa.array([text, text])]), day_first=True)


DATE_AND_CLOCK = {
    "a lab's table": "Date,Time,Current (A),Voltage (V)",
    "German": "Datum,Zeit,Strom [A],Spannung [V]",
}


@pytest.mark.parametrize("header", DATE_AND_CLOCK.values(), ids=DATE_AND_CLOCK)
def test_a_date_beside_a_time_of_day_is_one_instant(tmp_path: Path, header: str) -> None:
    """From 22:30 over two midnights: the time of day goes back where the date goes on."""
    lines = [header]
    for minutes in range(0, 3000, 100):
        at = datetime(2024, 6, 5, 22, 30) + timedelta(minutes=minutes)  # noqa: DTZ001 - as written
        lines.append(f"{at:%d/%m/%Y},{at:%H:%M:%S},1.0,{4 - minutes / 10_000:.3f}")
    path = tmp_path / "logger.csv"
    path.write_text("\n".join(lines) + "\n")
    series = read(path)
    assert series.table["Time [s]"].to_pylist() == [6000.0 * i for i in range(30)]
    assert series.header["start_time"] == "2024-06-05T22:30:00+00:00"
    taken = [d.evidence for d in series.decisions if d.code == "time_taken"]
    assert taken == ["dates of the rows", "columns of the file"]


def test_a_running_time_beside_a_date_stays_one(tmp_path: Path) -> None:
    rows = [f"0{5 + i // 10}/06/2024,{i * 3},1.0,{4 - i / 100:.2f}" for i in range(30)]
    path = tmp_path / "logger.csv"
    path.write_text("\n".join(["Date,Time (h),Current (A),Voltage (V)", *rows]) + "\n")
    series = read(path)
    assert series.table["Time [s]"].to_pylist() == [10_800.0 * i for i in range(30)]


PLAIN_TABLES = {
    "a lab's table": "Test Time (s),Current (A),Voltage (V),Mode",
    "German": "Zeit [s],Strom [A],Spannung [V],Zustand",
}


@pytest.mark.parametrize("header", PLAIN_TABLES.values(), ids=PLAIN_TABLES)
def test_rows_that_stand_twice_are_left_out(tmp_path: Path, header: str) -> None:
    rows = [f"{10 * i},1.0,{3 + i / 500:.3f},C" for i in range(30) for _ in range(2)]
    path = tmp_path / "cell.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    series = read(path)
    assert time(series) == [10.0 * i for i in range(30)]
    assert [d.rows for d in series.decisions if d.code == "rows_left_out"] == [30]


@pytest.mark.parametrize("header", PLAIN_TABLES.values(), ids=PLAIN_TABLES)
def test_rows_in_no_order_are_refused_for_that(tmp_path: Path, header: str) -> None:
    rows = [f"{10 * (i * 7 % 30)},1.0,{3 + i * 7 % 30 / 500:.3f},C" for i in range(30)]
    path = tmp_path / "cell.csv"
    path.write_text("\n".join([header, *rows[::-1]]) + "\n")
    with pytest.raises(UnreadableError, match="sort the rows by time") as caught:
        read(path)
    assert caught.value.cause == "rows_out_of_order"
