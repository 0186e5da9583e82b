"""What the names of tables and columns say, in the languages of the labs that wrote them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from bulkload.core import terms


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(", "))


#: Last word of a name that is its unit -> the unit as the mapping has it.
_UNITS: Final[Mapping[str, str]] = {
    "ms": "ms",
    "us": "us",
    "s": "s",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "sek": "s",
    "sekunden": "s",
    "min": "min",
    "minutes": "min",
    "h": "h",
    "hr": "h",
    "hours": "h",
    "v": "V",
    "mv": "mV",
    "volt": "V",
    "volts": "V",
    "a": "A",
    "ma": "mA",
    "ua": "uA",
    "amp": "A",
    "amps": "A",
    "ah": "A.h",
    "mah": "mA.h",
    "wh": "W.h",
    "mwh": "mW.h",
    "c": "degC",
    "degc": "degC",
    "celsius": "degC",
    "k": "K",
    "kelvin": "K",
}
#: Units that a quantity may have: a last word that is none of them belongs to the name.
_UNITS_OF: Final[Mapping[str, frozenset[str]]] = {
    terms.TIME: frozenset({"ms", "us", "s", "min", "h"}),
    terms.VOLTAGE: frozenset({"V", "mV"}),
    terms.CURRENT: frozenset({"A", "mA", "uA"}),
    terms.CHARGE_CAPACITY: frozenset({"A.h", "mA.h"}),
    terms.DISCHARGE_CAPACITY: frozenset({"A.h", "mA.h"}),
    terms.TEMPERATURE: frozenset({"degC", "K"}),
}

#: Ionworks column -> what databases call it, folded and without the unit.
_QUANTITIES: Final[Mapping[str, frozenset[str]]] = {
    terms.TIME: _words(
        "time, test time, total time, elapsed, elapsed time, runtime, run time, t, time s, "
        "zeit, testzeit, laufzeit, prufzeit, temps, temps total, tiempo, tiempo total, 时间, "
        "测试时间, 总时间"
    ),
    terms.VOLTAGE: _words(
        "v, u, volt, volts, voltage, cell voltage, potential, test vol, spannung, "
        "zellspannung, tension, voltaje, 电压"
    ),
    terms.CURRENT: _words(
        "i, amp, amps, current, cell current, test cur, strom, zellstrom, courant, "
        "intensite, corriente, 电流"
    ),
    terms.CHARGE_CAPACITY: _words(
        "ah c, charge cap, charge capacity, cap chg, capchg, ladekapazitat, "
        "capacite charge, capacidad carga, 充电容量"
    ),
    terms.DISCHARGE_CAPACITY: _words(
        "ah d, discharge cap, discharge capacity, cap dchg, capdchg, entladekapazitat, "
        "capacite decharge, capacidad descarga, 放电容量"
    ),
    terms.TEMPERATURE: _words(
        "temp, temperature, cell temp, cell temperature, temperatur, zelltemperatur, "
        "temperatura, 温度"
    ),
    terms.STEP_FROM_CYCLER: _words(
        "step, step id, step index, step no, step number, schritt, schritt nr, schrittnr, "
        "etape, paso, 工步, 工步号"
    ),
    terms.CYCLE_FROM_CYCLER: _words(
        "cycle, cycle id, cycle index, cycle no, cycle number, zyklus, zyklus nr, "
        "zyklusnr, ciclo, 循环, 循环号"
    ),
}


class NamedQuantity(NamedTuple):
    """A column that holds a quantity: which, and the unit that its name states."""

    column: str
    unit: str | None
    #: Whether its name is that of a clock, not of a time that begins at zero.
    is_clock: bool = False


#: What a column may be that is no quantity -> its names, folded.
ORDER: Final = _words(
    "n, nr, no, id, index, idx, seq, seq id, rec, record, record id, record no, "
    "data point, datapoint, sample no, meas id, punkt, datenpunkt, zeile, lfd nr, "
    "laufnr, point, punto, numero, 序号, 数据序号"
)
CELL_NAMES: Final = _words(
    "name, cell name, cell, serial, serial no, serial number, barcode, label, cell id, "
    "code, zelle, zellname, zellnummer, seriennummer, bezeichnung, cellule, nom, "
    "celda, nombre, 电池, 电池编号, 编号, 名称"
)
TEST_NAMES: Final = _words(
    "name, test name, label, title, test, protocol, procedure, description, "
    "bezeichnung, versuch, prufung, nom, essai, nombre, ensayo, 名称"
)
SPECIFICATIONS: Final = _words(
    "type, cell type, model, specification, spec, design, chemistry, typ, zelltyp, "
    "modell, chemie, modele, modelo, tipo, 型号, 规格"
)
RATED: Final = _words(
    "cap, capacity, rated capacity, nominal capacity, nominal cap, kapazitat, "
    "kapazitaet, nennkapazitat, nennkapazitaet, capacite nominale, capacidad nominal, "
    "额定容量, 标称容量"
)
#: Names of columns that say when a sample was taken.
CLOCKS: Final = _words(
    "timestamp, time stamp, ts, date time, datetime, dt, epoch, unix time, unixtime, jd, "
    "julian day, julian date, excel time, recorded at, measured at, logged at, created at, "
    "zeitstempel, zeitpunkt, datum zeit, datum uhrzeit, horodatage, date heure, fecha hora, "
    "marca de tiempo, 时间戳, 日期时间"
)
#: Names of the columns of code and value, where a row holds one value.
_CODES: Final = _words(
    "code, type, data type, channel, channel id, kind, quantity, quantity id, variable, "
    "variable id, signal, signal id, parameter, attribute, attribute id, metric, kanal, grosse, "
    "grandeur, magnitud, 类型"
)
_VALUES: Final = _words("value, data value, val, reading, wert, messwert, valeur, valor, 值, 数值")
#: Names of the columns of a table that says what codes mean.
LABELS: Final = _words(
    "name, label, title, description, quantity, variable, signal, parameter, code name, "
    "bezeichnung, grosse, nom, grandeur, nombre, magnitud, 名称"
)
UNIT_NAMES: Final = _words("unit, units, unit name, einheit, unite, unidad, 单位")
#: Names of columns that say which rows are to be taken for gone.
FLAGS: Final = _words(
    "deleted, is deleted, del, removed, is removed, hidden, archived, invalid, is invalid, valid, "
    "is valid, active, is active, deleted at, geloscht, ungultig, gultig, aktiv, supprime, "
    "valide, actif, borrado, eliminado, valido, activo, 删除, 已删除, 有效"
)
STARTS: Final = _words(
    "start, started, start time, start date, begin, began, date, date time, created, "
    "datum, beginn, startzeit, debut, inicio, fecha, 开始时间, 日期"
)
#: Words of a table's or a column's name by which cells are known.
CELL_WORDS: Final = re.compile(r"cell|sample|batter|zell|cellule|celda|电池|probe")
TEST_WORDS: Final = re.compile(
    r"test|meas|experiment|run|versuch|messung|pruf|pruef|essai|ensayo|测试"
)


def folded(name: str) -> str:
    """Return a name's words in lower case, without accents and signs."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", plain).lower()))


def quantities(columns: Sequence[str]) -> dict[str, NamedQuantity]:
    """Return the columns that hold a quantity, the first of each, by Ionworks column."""
    found: dict[str, NamedQuantity] = {}
    for column in columns:
        for target, quantity in _meanings(column):
            found.setdefault(target, quantity)
    if terms.TIME not in found:
        clocks = [one for one in columns if _clock_unit(one) is not None]
        if clocks:
            found[terms.TIME] = NamedQuantity(
                clocks[0], _clock_unit(clocks[0]) or None, is_clock=True
            )
    return found


def _clock_unit(column: str) -> str | None:
    """Return the unit that the name of a clock states, empty for none; None for no clock."""
    whole = folded(column)
    base, _, last = whole.rpartition(" ")
    if whole in CLOCKS:
        return ""
    unit = _UNITS.get(last)
    return unit if base in CLOCKS and unit in _UNITS_OF[terms.TIME] else None


def _meanings(column: str) -> list[tuple[str, NamedQuantity]]:
    """Return what a name may stand for: whole, or with its last word as the unit."""
    whole = folded(column)
    base, _, last = whole.rpartition(" ")
    unit = _UNITS.get(last)
    found = []
    for target, names in _QUANTITIES.items():
        if unit is not None and base in names and unit in _UNITS_OF.get(target, ()):
            found.append((target, NamedQuantity(column, unit)))
        elif whole in names:
            found.append((target, NamedQuantity(column, None)))
    return found


def long_shape(columns: Sequence[str]) -> list[str]:
    """Return the columns of code and value of a table that holds one value a row; none: empty."""
    found = [named(columns, _CODES), named(columns, _VALUES)]
    return [one for one in found if one is not None] if None not in found else []


def unit_of(column: str, allowed: Sequence[str]) -> tuple[str, str | None]:
    """Split the unit off a name, where its last word is one of those allowed."""
    whole = folded(column)
    base, _, last = whole.rpartition(" ")
    unit = _UNITS.get(last)
    return (base, unit) if unit in allowed and base else (whole, None)


def named(columns: Sequence[str], names: frozenset[str]) -> str | None:
    """Return the first column that has one of these names."""
    return next((column for column in columns if folded(column) in names), None)
