"""Marks that may part decimals or thousands: settled by the voltage, or rejected, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from bulkload.errors import UnreadableError
from bulkload.readers import ReadOptions, TimeSeries, load_dialects, read

Lay = Callable[[str, str], Path]

#: A plain table, and an export of a manufacturer: what stands in each for time, voltage, current.
PLAIN = "Zeit (s);Spannung ({volt});Strom (mA)"
MACCOR = "Rec#;Cyc#;Step;Test (Sec);Volts ({volt});mAmps;State"
HEADERS = pytest.mark.parametrize("header", [PLAIN, MACCOR])


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def table(header: str, volt: str, voltage: str, current: str, times: str = "{}") -> str:
    """Write six rows of a discharge; ``{}`` in a value is a digit that counts the rows."""
    lines = [header.format(volt=volt)]
    for i in range(1, 7):
        values = [text.format(i) for text in (times, voltage, current)]
        lines.append(";".join(values if header == PLAIN else [str(i), "1", "1", *values, "D"]))
    return "\n".join(lines) + "\n"


def voltages(series: TimeSeries) -> list[float]:
    return [round(v, 6) for v in series.table["Voltage [V]"].to_pylist()]


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(path)
    assert caught.value.cause == "ambiguous_decimal"
    return str(caught.value)


def settled(path: Path, header: str, decimal: str) -> TimeSeries:
    time, volt, amp = (
        header.format(volt="mV").split(";")[-3:]
        if header == PLAIN
        else (*("Test (Sec)", "Volts (mV)", "mAmps"),)
    )
    unit = "" if "(" in amp else ', unit = "mA"'
    dialects = path.parent / "own.toml"
    dialects.write_text(
        f'[[dialect]]\nname = "own"\ndecimal = "{decimal}"\n[dialect.columns]\n'
        f'"Time [s]" = "{time}"\n"Voltage [V]" = "{volt}"\n'
        f'"Current [A]" = {{ header = "{amp}"{unit} }}\n'
    )
    return read(path, ReadOptions(dialects=load_dialects(dialects), reader="own"))


@HEADERS
def test_points_in_millivolts_of_no_cell_are_refused_until_settled(lay: Lay, header: str) -> None:
    path = lay("a.csv", table(header, "mV", "3.{}00", "1.500"))
    message = refusal(path)
    assert "'3.100'" in message
    assert "(0.0031 V or 3.1 V)" in message
    assert "a decimal point or a grouped thousand" in message
    assert voltages(settled(path, header, ","))[0] == 3.1
    assert voltages(settled(path, header, "."))[0] == 0.0031


@HEADERS
@pytest.mark.parametrize(
    ("values", "first"),
    [
        (("V", "3.{}12", "1.500"), 3.112),  # as thousands of no cell
        (("mV", "3.{}12", "0.500"), 0.003112),  # a current that proves the point
        (("mV", "3{}12", "1.500"), 3.112),  # no thousand of the table is grouped
        (("mV", "8{}2.125", "1.500"), 0.812125),
        (("V", "3,{}12", "1,500"), 3.112),  # commas, proved by the voltages
    ],
)
def test_what_is_settled_is_read(
    lay: Lay, header: str, values: tuple[str, str, str], first: float
) -> None:
    series = read(lay("a.csv", table(header, *values)))
    assert voltages(series)[0] == first
    is_comma = "," in values[1]
    assert ("decimal_comma" in {d.code.value for d in series.decisions}) == is_comma


@HEADERS
@pytest.mark.parametrize(
    ("voltage", "current"),
    [
        ("3,{}00", "1,500"),  # an English thousand
        ("8{}0", "1.500"),  # nothing shows how a thousand is written
        ("3,{}00", "1.500"),  # two marks
    ],
)
def test_what_nothing_settles_is_refused(lay: Lay, header: str, voltage: str, current: str) -> None:
    assert "state `decimal` in a dialect file" in refusal(
        lay("a.csv", table(header, "mV", voltage, current))
    )


def test_times_whose_small_numbers_have_no_point_are_not_decimals(lay: Lay) -> None:
    text = "Zeit (s);Spannung (mV);Strom (mA)\n"
    rows = (f"{t};8{i}0;5" for i, t in enumerate(("998", "999", "1.000", "1.001", "1.002")))
    assert "'1.000' in column 'Zeit (s)'" in refusal(lay("a.csv", text + "\n".join(rows) + "\n"))


@pytest.mark.parametrize(("voltage", "first"), [("3,6{}2", 3.612), ("3,{}5", 3.15)])
def test_numbers_that_are_text_in_a_sheet_have_their_commas_too(
    tmp_path: Path, voltage: str, first: float
) -> None:
    assert voltages(read(sheet(tmp_path, "V", voltage)))[0] == first


@pytest.mark.parametrize("voltage", ["3.6{}2", "3,6{}2"])
def test_thousands_that_are_text_in_a_sheet_are_refused(tmp_path: Path, voltage: str) -> None:
    assert "(0.003612 V or 3.612 V)" in refusal(sheet(tmp_path, "mV", voltage))


def sheet(folder: Path, unit: str, voltage: str) -> Path:
    """Write a workbook whose voltages are text."""
    path = folder / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Zeit (s)", f"Spannung ({unit})", "Strom (mA)"])
        for i in range(1, 7):
            page.write_row(i, 0, [i, voltage.format(i), -5])
    return path
