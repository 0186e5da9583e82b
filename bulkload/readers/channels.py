"""Columns that no rule of a dialect names: what is measured is kept, what is not is named.

A sensor, an auxiliary voltage, a pressure or a displacement is kept under its own name with its
unit; the first temperature is Studio's ``Temperature [degC]``. What a cycler makes of its other
columns (capacities, rates, powers), its settings and its bookkeeping are left out, and said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from bulkload.core import terms
from bulkload.readers.units import Conversion, Heading, conversion, written_base


class Reason(StrEnum):
    """Why a column of the file is no column of the result."""

    USED = "used for order, dates, steps or sign"
    DERIVED = "made from other columns"
    SETTING = "setting or bookkeeping of the cycler"
    TEXT = "text"
    EMPTY = "no values"
    NO_SENSOR = "no sensor connected: below absolute zero"
    NAMELESS = "no name"
    TWICE = "another column holds the same"


@dataclass(frozen=True, slots=True)
class Channel:
    """A column that is kept: its name in the result and how its values come to its unit."""

    target: str
    change: Conversion
    #: In degC, of the cell or near it: not a set point, a difference, or the chamber's.
    is_temperature: bool = False


#: Parts of a spectrum that a cycler's table has beside, by their folded names.
_SPECTRAL: Final = {
    **dict.fromkeys(("freq", "frequency", "ac freq", "ac frequency"), terms.FREQUENCY),
    **dict.fromkeys(("zre", "z re", "zreal", "z real", "re(z)", "z'", "real z"), terms.Z_RE),
    **dict.fromkeys(("zim", "z im", "zimag", "z imag", "im(z)", "z''", "imag z"), terms.Z_IM),
}

#: A value at or below this is none of a sensor, in degC.
ABSOLUTE_ZERO_DEGC: Final = -273.15

#: Longest name of a column that is kept, in characters; a longer one is no name.
MAX_NAME_CHARS: Final = 100

#: Values that keep their unit.
AS_IT_IS: Final = Conversion(1.0)

#: Names of temperatures, of which the unit may be lost or only a C.
_TEMPERATURE: Final = re.compile(
    r"temp|therm|\btc ?\d|\bt\d*\b|\bt ?(max|min|avg|ave|ambient|cell|surf)|cpu|^aux ?\d*$|温度|℃|°"
)
_NOT_THE_CELLS: Final = re.compile(
    r"set|chamber|oven|room|δ|\?t|delta|ambient|max|min|ave|cpu|circuit|soll|target|limit"
)

#: What a cycler makes from its other columns.
_DERIVED: Final = re.compile(
    r"\b(cap|capacity|capacities|kapazität|energy|energie|ener|charge|discharge|chg|dchg|dis|q|qo"
    r"|ah|wh|mah|mwh|amp ?hr|watt ?hr|mamp ?hr|mwatt ?hr|amphr|watthr|amp hours|watt hours|leistung"
    r"|power|watts?|ahaccu|ahprev|whaccu|ahcha|ahdch|ahstep|ahbal|whstep|whcha|whdch|throughput"
    r"|efficiency|eff|soc|soh|dod|c rate|cap rate|puissance|capacitance|contact resistance"
    r"|loss angle)\b|容量|能量|功率|比能|效率|^d[qvei]\w? ?/|^d[qve]$|/ ?dt\b|^d[vqt] ?d[vqt]\b"
    r"|differential|specific|^c[sp]( ?2)?$|^r$|^r(we|ce|we ce|cmp)$|^p(we|ce|we ce)?$"
    r"|\((y|c|m|permittivity|resistivity|conductivity|delta)\)"
    r"|^\|(y|c|m|energy|permittivity|resistivity|conductivity)\|"
)

#: What is set, counted or noted, not measured.
_SETTING: Final = re.compile(
    r"\b(time|times|date|datetime|datum|uhrzeit|zeit|dauer|step|steps|cycle|cycles|cyc|cyclus|zyklus"
    r"|loop|loops|index|idx|number|no|nr|record|rec|point|pt|line|count|counts|counter|level|control"
    r"|set ?point|setting|range|limit|flag|flags|code|version|mode|state|status|error|changes|inc"
    r"|ox/red|exclude|data|dataset|procedure|command|program|recipe|test|channel|chan|unit|units|id"
    r"|comment|remark|note|label|name|segment|half cycle|jumpto|end status|es|is fc data|technique"
    r"|ns|x|over|ierange|steptime|testtime)\b|^(#|\?|ox)$|工步|循环|序号|时间|日期|状态|模式|通道"
)

#: A sensor by its name: with a unit it is measured, though ``Auxiliary channel TU1 T(°C)`` holds a
#: word of bookkeeping. What was set or bounds something is not.
_SENSOR: Final = re.compile(
    r"\baux|temp|therm|press|druck|sensor|force|kraft|flow|electrode|potential|温度|压力|辅助"
)
_STATED: Final = re.compile(r"\b(set|set ?point|setting|soll|target|limit|range|control)\b")

#: Words at the end of a name that are its unit: ``temperature_2_C``, ``Pressure_Psi``.
_SUFFIXES: Final = frozenset(
    (
        *("degc", "c", "k", "f", "celsius", "kelvin", "v", "mv", "uv", "a", "ma", "ua", "ohm"),
        *("mohm", "psi", "bar", "mbar", "pa", "kpa", "mpa", "n", "kn", "mm", "um", "nm", "hz"),
    )
)

#: Targets whose units are brought to one, the preferred first.
_UNIFIED: Final = (terms.VOLTAGE, terms.CURRENT, "DC resistance [Ohm]", terms.FREQUENCY)


@lru_cache(maxsize=4096)
def channel(name: str, heading: Heading, unit: str | None, *, slash: bool) -> Channel | Reason:
    """Return what a column of this name is, or why it is left out.

    ``unit`` is the one that its header, the row below, or the column beside it states.
    """
    if not heading.base or len(name) > MAX_NAME_CHARS:
        return Reason.NAMELESS
    is_sensor = unit is not None and _SENSOR.search(heading.base) is not None
    is_share = unit is not None and "/" in unit.strip("/") and not is_sensor
    if _DERIVED.search(heading.base) or is_share:
        return Reason.DERIVED
    if _SETTING.search(heading.base) and (not is_sensor or _STATED.search(heading.base)):
        return Reason.SETTING
    base = written_base(name, slash=slash)
    if unit is None:
        base, unit = _suffixed(base)
    if unit is None or not unit.strip():
        return Channel(base, AS_IT_IS)
    return _with_unit(base, heading.base, unit.strip())


def _with_unit(base: str, folded: str, unit: str) -> Channel:
    """Return a channel that states its unit: part of a spectrum, a temperature, or another."""
    spectral = _SPECTRAL.get(folded)
    part = None if spectral is None else conversion(spectral, unit)
    if spectral is not None and part is not None:
        return Channel(spectral, part)
    if _TEMPERATURE.search(folded) or unit[:1] in "°℃º":
        degrees = conversion(terms.TEMPERATURE, unit)
        if degrees is not None:
            is_cells = _NOT_THE_CELLS.search(folded) is None
            return Channel(f"{base} [degC]", degrees, is_cells)
    for target in _UNIFIED:
        change = conversion(target, unit)
        if change is not None:
            return Channel(f"{base} {target[target.index('[') :]}", change)
    return Channel(f"{base} [{unit}]", AS_IT_IS)


def _suffixed(base: str) -> tuple[str, str | None]:
    """Split the unit off a name that ends with one."""
    words = re.split(r"[\s_]+", base)
    if len(words) > 1 and words[-1].lower() in _SUFFIXES:
        return base[: -len(words[-1])].rstrip(" _"), words[-1]
    return base, None
