"""Headers of other countries, programs and spreadsheets: read right, and no two cells as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.readers import list_members, read

#: As EC-Lab writes it; the second line counts seven lines.
EC_LAB = """EC-Lab ASCII FILE
Nb header lines : 7

Galvanostatic Cycling with Potential Limitation
Run on channel : 3

mode\ttime/s\tEwe/V\tI/mA\tcycle number
"""
EC_ROWS = "".join(f"1\t{10 * i}\t3.{50 + i}\t0.5\t1\n" for i in range(8))


def lay(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def plain(header: str, row: str = "{t},{v},-500") -> str:
    return header + "".join("\n" + row.format(t=10 * i, v=3500 + i, n=i) for i in range(8)) + "\n"


@pytest.mark.parametrize(
    "header",
    [
        "Tempo (s),Tensione (mV),Corrente (mA)",
        "Tempo (s),Tensão (mV),Corrente (mA)",
        "Tijd (s),Spanning (mV),Stroom (mA)",
        "時間(s),電圧(mV),電流(mA)",
        "시간(s),전압(mV),전류(mA)",
        "Время (s),Напряжение (mV),Ток (mA)",
    ],
)
def test_plain_tables_of_other_countries_are_read(tmp_path: Path, header: str) -> None:
    table = read(lay(tmp_path, plain(header))).table
    assert table["Voltage [V]"].to_pylist()[:2] == [3.5, 3.501]
    assert abs(table["Current [A]"][0].as_py()) == 0.5


def test_units_behind_a_comma_are_units(tmp_path: Path) -> None:
    text = plain("Time, min;Voltage, mV;Current, mA", "{t};{v};-500")
    table = read(lay(tmp_path, text)).table
    assert table["Time [s]"].to_pylist()[:2] == [0.0, 600.0]
    assert table["Voltage [V]"][0].as_py() == 3.5


@pytest.mark.parametrize(
    "column", ["Probe", "Akku", "Zelle Nr.", "Muestra", "Échantillon", "电芯编号", "Seriennummer"]
)
@pytest.mark.parametrize(
    "header", ["{},Zeit (s),Spannung (mV),Strom (mA)", "{},time/s,Ecell/mV,I/mA"]
)
def test_cells_in_one_table_are_told_apart(tmp_path: Path, header: str, column: str) -> None:
    rows = (f"\n{'AB'[i // 4]},{10 * i},{3500 + i},-500" for i in range(8))
    path = lay(tmp_path, header.format(column) + "".join(rows) + "\n")
    assert len(list_members(path)) == 2


def test_rows_of_two_files_that_their_names_distinguish_are_two_tests(tmp_path: Path) -> None:
    rows = (f"\n{'ab'[i // 4]}.csv,{10 * i},{3500 + i},-500" for i in range(8))
    path = lay(tmp_path, "Source file,Time (s),Voltage (mV),Current (mA)" + "".join(rows) + "\n")
    assert list_members(path) == ("Source file a.csv", "Source file b.csv")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Frequenz [Hz];Realteil [Ohm];Imaginärteil [Ohm]", "{};0.5;-0.1"),
        ("Frecuencia (Hz);Parte real (mOhm);Parte imaginaria (mOhm)", "{};500;-100"),
        ("Fréquence/Hz;Partie réelle/Ohm;Partie imaginaire/Ohm", "{};0.5;-0.1"),
        ("频率(Hz);阻抗实部(Ω);阻抗虚部(Ω)", "{};0.5;-0.1"),
    ],
)
def test_spectra_of_other_countries_are_spectra(tmp_path: Path, header: str, row: str) -> None:
    lines = [header, *(row.format(10.0**-i) for i in range(6))]
    series = read(lay(tmp_path, "\n".join(lines) + "\n"))
    assert series.provenance["data_type"] == "eis"
    assert series.table["Z_Im [Ohm]"][0].as_py() == -0.1


@pytest.mark.parametrize("lines", [5, 7, 9])
def test_an_old_count_of_header_lines_hides_no_header(tmp_path: Path, lines: int) -> None:
    text = EC_LAB.replace("lines : 7", f"lines : {lines}")
    series = read(lay(tmp_path, text + EC_ROWS, "a.mpt"))
    assert series.table.num_rows == 8
    assert series.header["test_setup"]["channel_number"] == "3"


@pytest.mark.parametrize("name", ["a.mpt", "a.csv"])
def test_lines_may_end_as_on_the_first_macintosh(tmp_path: Path, name: str) -> None:
    text = EC_LAB + EC_ROWS if name == "a.mpt" else plain("Zeit (s),Spannung (mV),Strom (mA)")
    assert read(lay(tmp_path, text.replace("\n", "\r"), name)).table.num_rows == 8


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("日期,电压(mV),电流(mA)", "2024年6月5日 10:0{n}:00,{v},-500"),
        (
            "DataPoint,Step Index,Step Type,Date,Voltage(mV),Current(mA)",
            "{n},1,CC Chg,2024年06月05日 10:0{n}:00,{v},500",
        ),
    ],
)
def test_chinese_dates_are_dates(tmp_path: Path, header: str, row: str) -> None:
    series = read(lay(tmp_path, plain(header, row)))
    assert series.header["start_time"] == "2024-06-05T10:00:00+00:00"
    assert series.table["Time [s]"][-1].as_py() == 420.0


def test_a_start_above_a_plain_table_is_found(tmp_path: Path) -> None:
    text = "Betreiber: x;;;\nStart: 05.06.2024 10:00:00;;;\n\n"
    path = lay(tmp_path, text + plain("Zeit (s);Spannung (mV);Strom (mA);", "{t};{v};-500;"))
    assert read(path).header["start_time"] == "2024-06-05T10:00:00+00:00"


PLAIN_MODES = "Zeit (s),Modus,Strom (A),Spannung (V)"
NEWARE_MODES = "DataPoint,Date,Step Index,Step Type,Current(A),Voltage(V)"


@pytest.mark.parametrize("header", [PLAIN_MODES, NEWARE_MODES])
@pytest.mark.parametrize(
    ("charge", "discharge"),
    [
        ("Laden", "Entladen"),
        ("CC Ladung", "CC Entladung"),
        ("Charge", "Décharge"),
        ("CHARGE CC", "DECHARGE CC"),
        ("Carga", "Descarga"),
        ("Carica", "Scarica"),
        ("恒流充电", "恒流放电"),
    ],
)
def test_modes_of_other_countries_sign_magnitudes(
    tmp_path: Path, header: str, charge: str, discharge: str
) -> None:
    lines = [header]
    for i in range(10):
        time = str(i) if header == PLAIN_MODES else f"{i + 1},2024-06-05 10:00:0{i},{1 + i // 5}"
        volts = 3.5 + 0.01 * i if i < 5 else 3.6 - 0.01 * i
        lines.append(f"{time},{charge if i < 5 else discharge},1,{volts:.2f}")
    series = read(lay(tmp_path, "\n".join(lines) + "\n"))
    assert series.table["Current [A]"].to_pylist() == [-1.0] * 5 + [1.0] * 5
    assert "signed by the mode column" in " ".join(series.remarks)


@pytest.mark.parametrize("header", ["t/s;U/V;I/mA;T/K", "t [s];U [V];I [mA];T [K]"])
def test_letters_in_two_cases_are_two_columns_by_their_units(tmp_path: Path, header: str) -> None:
    table = read(lay(tmp_path, plain(header, "{t};3,{v};-500;298,15"))).table
    assert table["Time [s]"].to_pylist()[:2] == [0.0, 10.0]
    assert table["Temperature [degC]"][0].as_py() == 25.0


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Frequency (Hz),|Z| (Ohm),Phase (deg),Voltage (V)", "{},0.5,-90,3.7"),
        ("freq/Hz,Re(Z)/Ohm,Im(Z)/Ohm,Ewe/V", "{},0.0,-0.5,3.7"),
    ],
)
def test_a_spectrum_may_have_a_voltage_beside(tmp_path: Path, header: str, row: str) -> None:
    lines = [header, *(row.format(10.0**-i) for i in range(6))]
    series = read(lay(tmp_path, "\n".join(lines) + "\n"))
    assert series.provenance["data_type"] == "eis"
    assert round(series.table["Z_Im [Ohm]"][0].as_py(), 9) == -0.5
    assert 3.7 in (column[0].as_py() for column in series.table.columns)
