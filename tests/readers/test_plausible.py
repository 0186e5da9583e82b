"""Units that no header states: values that cannot be in the unit taken are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, load_dialects, read

Write = Callable[[str, str], Path]

BARE = "Data_Point,Test_Time,DateTime,Step_Index,Cycle_Index,Current,Voltage"
CAPACITIES = ",Charge_Capacity,Discharge_Capacity"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def arbin(
    current: float = -2.5,
    *,
    header: str = BARE,
    time: float = 1.0,
    seconds: float = 60.0,
    charge: float | None = None,
    rows: int = 40,
) -> str:
    """Write a discharge: its rows ``seconds`` apart by the dates, ``time * seconds`` by the time.

    With ``charge``, a column counts the true charge of 2.5 A in a unit of 1/``charge`` A.h.
    """
    lines = [header + (CAPACITIES if charge else "")]
    for i in range(rows):
        elapsed = seconds * i
        hour, rest = divmod(int(elapsed), 3600)
        date = f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:{rest // 60:02d}:{rest % 60:02d}"
        line = f"{i + 1},{time * elapsed},{date},1,1,{current},{3.9 - i / 100:.2f}"
        counted = f",0,{charge * 2.5 * elapsed / 3600}" if charge else ""
        lines.append(line + counted)
    return "\n".join(lines) + "\n"


def refusal(path: Path, rated: float | None = None) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(path, ReadOptions(rated_capacity=rated))
    assert caught.value.cause == "implausible_unit"
    return str(caught.value)


def test_what_fits_is_read(write: Write) -> None:
    path = write("a.csv", arbin(charge=1.0))
    table = read(path, ReadOptions(rated_capacity=5.0)).table
    assert table["Current [A]"].to_pylist() == [2.5] * 40
    assert table["Time [s]"][-1].as_py() == 39 * 60


def test_milliamperes_are_too_much_for_the_cell(write: Write) -> None:
    path = write("a.csv", arbin(-2500.0))
    words = "currents around 2500 cannot be A for a cell of 5 A.h, and the header states no unit"
    assert words in refusal(path, rated=5.0)
    assert read(path).table.num_rows == 40  # without a rating nothing tells


def test_milliamperes_of_a_slow_test_move_too_much_charge(write: Write) -> None:
    path = write("a.csv", arbin(-250.0, seconds=1800))  # C/20: 250 A is 50 C
    assert "a step of 4875 A.h cannot be of a cell of 5 A.h" in refusal(path, rated=5.0)


@pytest.mark.parametrize("rate", [0.001, 1.0, 90.0])
def test_what_a_cell_can_bear_is_read(write: Write, rate: float) -> None:
    path = write("a.csv", arbin(-5.0 * rate, seconds=1.0))
    assert read(path, ReadOptions(rated_capacity=5.0)).table.num_rows == 40


def test_many_cycles_under_one_step_number_are_no_step(write: Write) -> None:
    lines = arbin(rows=1).splitlines()[:1]
    for i in range(3000):
        current, voltage = (-2.5, 3.6) if i // 60 % 2 else (2.5, 3.8)
        stamp = f"2024-01-{1 + i // 1440:02d} {i // 60 % 24:02d}:{i % 60:02d}:00"
        lines.append(f"{i + 1},{60 * i},{stamp},1,1,{current},{voltage}")
    path = write("a.csv", "\n".join(lines) + "\n")  # 125 A.h in all
    assert read(path, ReadOptions(rated_capacity=5.0)).table.num_rows == 3000


@pytest.mark.parametrize(
    ("current", "charge", "words"),
    [(-2500.0, 1.0, "is 1000 times what"), (-2.5, 1000.0, "is 1/1000 of what")],
    ids=["current in mA", "capacity in mAh"],
)
def test_the_makers_own_charge_disagrees(
    write: Write, current: float, charge: float, words: str
) -> None:
    text = arbin(current, charge=charge)
    assert f"the charge of current over time {words}" in refusal(write("a.csv", text))
    if charge == 1.0:
        stated = text.replace(",Current,", ",Current(mA),")
        assert read(write("b.csv", stated)).table["Current [A]"][0].as_py() == 2.5


@pytest.mark.parametrize(
    ("time", "words"), [(1 / 60, "60 times"), (1 / 3600, "3600 times"), (1000.0, "1/1000 of")]
)
def test_the_dates_show_the_unit_of_time(write: Write, time: float, words: str) -> None:
    path = write("a.csv", arbin(time=time))
    assert f"the time by the dates of the rows is {words} the test time" in refusal(path)


def test_a_pause_is_no_unit(write: Write) -> None:
    lines = arbin().splitlines()
    paused = [line.replace("2024-01-01", "2024-01-09") for line in lines[30:]]
    assert read(write("a.csv", "\n".join([*lines[:30], *paused]) + "\n")).table.num_rows == 40


@pytest.mark.parametrize(
    "header",
    [
        BARE.replace("Current", "Current(A)").replace("Test_Time", "Test_Time(s)"),
        BARE.replace("Current", "Current (mA)").replace("Test_Time", "Test_Time(s)"),
    ],
)
def test_a_stated_unit_is_believed(write: Write, header: str) -> None:
    path = write("a.csv", arbin(-2500.0, header=header))
    assert read(path, ReadOptions(rated_capacity=5.0)).table.num_rows == 40


def test_a_dialect_file_settles_it(write: Write) -> None:
    path = write("a.csv", arbin(-2500.0))
    dialects = write(
        "d.toml",
        """
        [[dialect]]
        name = "arbin in mA"
        sign = "positive is charge"
        [dialect.columns]
        "Time [s]" = { header = "Test_Time", unit = "s" }
        "Voltage [V]" = { header = "Voltage", unit = "V" }
        "Current [A]" = { header = "Current", unit = "mA" }
        """,
    )
    options = ReadOptions(rated_capacity=5.0, dialects=load_dialects(dialects))
    assert read(path, options).table["Current [A]"].to_pylist() == [2.5] * 40


def test_a_dialect_file_may_state_a_pack(write: Write) -> None:
    path = write("a.csv", arbin().replace(",3.", ",390."))
    dialects = write(
        "d.toml",
        """
        [[dialect]]
        name = "pack"
        [dialect.columns]
        "Time [s]" = { header = "Test_Time", unit = "s" }
        "Voltage [V]" = { header = "Voltage", unit = "V" }
        "Current [A]" = { header = "Current", unit = "A" }
        """,
    )
    options = ReadOptions(dialects=load_dialects(dialects))
    assert read(path, options).table["Voltage [V]"][0].as_py() > 300


def test_real_files_are_read_with_any_sensible_rating(shared_data: Path) -> None:
    arbin = shared_data / "cycler" / "arbin"
    for name, rated in (("data.csv", 0.0005), ("FastCharge_000025_CH8.csv", 1.1)):
        assert read(arbin / name, ReadOptions(rated_capacity=rated)).table.num_rows > 0
