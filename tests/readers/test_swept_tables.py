"""A table that sweeps a frequency is a spectrum, or refused; never rows of cycling."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.errors import UnreadableError
from bulkload.readers import read

SWEEP = [10.0 ** (4 - 0.25 * i) for i in range(17)]

KNOWN = {
    "parts": "Time (s),Voltage (V),Current (A),Freq (Hz),Zre (Ohm),Zim (Ohm)",
    "German": "Zeit/s,U/V,I/A,Frequenz/Hz,Re(Z)/Ohm,Im(Z)/Ohm",
    "polar": "Time (s),Voltage (V),Current (A),Frequency (Hz),|Z| (Ohm),Phase (deg)",
}

UNKNOWN = {
    "names": "t/s,U/V,I/A,f/Hz,R/mOhm,X/mOhm",
    "admittance": "Time (s),Voltage (V),Current (A),Freq (Hz),G (S),B (S)",
    "angular": "time_s,voltage_V,current_A,omega,Y_re,Y_im",
}


def write(folder: Path, header: str) -> Path:
    path = folder / "sweep.csv"
    rows = [f"{i},3.7,0.0,{hertz:.6g},0.02,-0.01" for i, hertz in enumerate(SWEEP)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("header", KNOWN.values(), ids=KNOWN)
def test_a_sweep_with_its_impedance_is_a_spectrum(tmp_path: Path, header: str) -> None:
    series = read(write(tmp_path, header))
    assert series.provenance["data_type"] == "eis"
    assert {"Frequency [Hz]", "Z_Re [Ohm]", "Z_Im [Ohm]"} <= set(series.table.column_names)
    assert [d.rows for d in series.decisions if d.code == "spectrum_found"] == [17]


@pytest.mark.parametrize("header", UNKNOWN.values(), ids=UNKNOWN)
def test_a_sweep_without_a_known_impedance_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(UnreadableError, match="sweeps 17 frequencies") as caught:
        read(write(tmp_path, header))
    assert caught.value.cause == "missing_column"


def test_a_resistance_at_one_frequency_is_no_sweep(tmp_path: Path) -> None:
    path = tmp_path / "acir.csv"
    rows = [f"{i},{3.7 - i / 100:.2f},1.0,1000,0.02" for i in range(20)]
    path.write_text("\n".join(["Time (s),Voltage (V),Current (A),Freq (Hz),ACIR (Ohm)", *rows]))
    series = read(path)
    assert "data_type" not in series.provenance
    assert "ACIR [Ohm]" in series.table.column_names
