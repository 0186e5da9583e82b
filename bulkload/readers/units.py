"""Units as cyclers write them in their headers, and how to reach Ionworks' units."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from bulkload.core import terms


class Conversion(NamedTuple):
    """value * scale + shift gives the Ionworks unit."""

    scale: float
    shift: float = 0.0


_PREFIXES: Final = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}


def _scaled(*spellings: str, prefixes: str = "num k") -> dict[str, Conversion]:
    """Give each spelling with each prefix; the prefix's case counts (m is milli, M is not)."""
    marks = [mark.strip() for mark in prefixes]
    return {
        mark + spelling: Conversion(_PREFIXES[mark]) for spelling in spellings for mark in marks
    }


_TIME: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "ss.xxx", "ss"), Conversion(1.0)),
    **dict.fromkeys(("ms", "msec", "milliseconds"), Conversion(1e-3)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), Conversion(60.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), Conversion(3600.0)),
    **dict.fromkeys(("d", "day", "days"), Conversion(86400.0)),
}
_CHARGE: Final = {
    **_scaled("ah", "a.h", "a*h", "a h", "ahr", "amp-hr", "amp hr"),
    **dict.fromkeys(("c", "coulomb", "coulombs"), Conversion(1.0 / 3600.0)),
}
_ENERGY: Final = _scaled("wh", "w.h", "w*h", "w h", "whr", "watt-hr", "watt hr")
_TEMPERATURE: Final = {
    **dict.fromkeys(
        ("c", "dc.", "degc", "deg c", "°c", "℃", "celsius", "oc", "deg. c", "⁰c", "ºc"),
        Conversion(1.0),
    ),
    # The degree sign is lost in many an export.
    **dict.fromkeys(("?", "?c", "\ufffd", "\ufffdc", "â°c", "â„ƒ", "°", "deg"), Conversion(1.0)),
    **dict.fromkeys(("k", "kelvin"), Conversion(1.0, -273.15)),
    **dict.fromkeys(("f", "degf", "°f", "℉"), Conversion(5.0 / 9.0, -160.0 / 9.0)),
}
_OHM: Final = _scaled("ohm", "ohms", "ω")

#: What each Ionworks column may be written in.
UNITS: Final = {
    terms.TIME: _TIME,
    **dict.fromkeys(
        (terms.VOLTAGE, terms.WORKING_POTENTIAL, terms.COUNTER_POTENTIAL),
        _scaled("v", "volt", "volts"),
    ),
    terms.CURRENT: _scaled("a", "amp", "amps", "ampere"),
    terms.TEMPERATURE: _TEMPERATURE,
    terms.POWER: _scaled("w", "watt", "watts"),
    terms.CAPACITY: _CHARGE,
    terms.DISCHARGE_CAPACITY: _CHARGE,
    terms.CHARGE_CAPACITY: _CHARGE,
    "Energy [W.h]": _ENERGY,
    terms.DISCHARGE_ENERGY: _ENERGY,
    terms.CHARGE_ENERGY: _ENERGY,
    terms.FREQUENCY: {**_scaled("hz"), "Mhz": Conversion(1e6)},
    terms.Z_RE: _OHM,
    terms.Z_IM: _OHM,
    "Z_Mod [Ohm]": _OHM,
    "DC resistance [Ohm]": _OHM,
    "Z_Phase [deg]": {
        "deg": Conversion(1.0),
        "degree": Conversion(1.0),
        "°": Conversion(1.0),
        "rad": Conversion(57.29577951308232),
    },
}

_MICRO: Final = str.maketrans({"\u00b5": "u", "\u03bc": "u"})
_PREFIXED: Final = re.compile(r"^([mMkKunUN])(?=[AVWaHO\u2126\u03a9\u03c9])(.*)$")

_TRAILING_UNIT: Final = re.compile(
    r"^(?P<base>.+?)\s*[(\[\uff08]\s*(?P<unit>[^()\[\]\uff08\uff09]*?)\s*[)\]\uff09](?P<tail>[\s_]*\d*)$"
)
_SLASH_UNIT: Final = re.compile(r"^(?P<base>.+?)\s*/\s*(?P<unit>[^/()]+)$")
#: Newer EC-Lab programs write ``<Ewe/V>`` for ``<Ewe>/V``.
_UNIT_INSIDE: Final = re.compile(r"^<(?P<base>[^<>/]+)/(?P<unit>[^<>/]+)>$")
#: ``Voltage, mV``: only where it is a unit that is known.
_COMMA_UNIT: Final = re.compile(r"^(?P<base>[^,]+?)\s*,\s*(?P<unit>[^,]+)$")
#: A unit that ends the name: ``Voltage_V``, ``Cell_Temperature_C``.
_SUFFIX_UNIT: Final = re.compile(
    r"^(?P<base>.+)[_ ](?P<unit>s|ms|min|h|[mk]?V|[munµ]?A|[mk]?Ah|[mk]?Wh|[mk]?W|C|degC|K"
    r"|m?Ohm|Hz|deg|Degree)$"
)
_SEPARATORS: Final = re.compile(r"[\s_\-.#]+")


def conversion(target: str, unit: str) -> Conversion | None:
    """Return how to reach the target's unit from this one, None where the unit is unknown."""
    return UNITS.get(target, {}).get(_folded(unit))


def is_unit(text: str) -> bool:
    """Return whether a text is a unit of anything that is measured."""
    return any(_folded(text) in known for known in UNITS.values())


def _folded(unit: str) -> str:
    """Lower-case a unit but for its prefix: mAh is milli, MAh is not."""
    plain = unit.strip().translate(_MICRO)
    match = _PREFIXED.match(plain)
    if match is None:
        return plain.lower()
    prefix, rest = match.groups()
    return (prefix if prefix in "mMkn" else prefix.lower()) + rest.lower()


#: Longest name of a column that is looked at, in characters: a longer one is no name.
MAX_NAME_CHARS: Final = 200


class Heading(NamedTuple):
    """A column's header: its name folded for look-up, and its unit as written."""

    base: str
    unit: str | None


def folded_name(name: str) -> str:
    """Fold case and separators: ``Test_Time`` is ``Test Time``, ``-Im(Z)`` is not ``Im(Z)``."""
    plain = name.strip().strip("~\ufeff")
    negated = "-" if plain.startswith("-") else ""
    return negated + _SEPARATORS.sub(" ", plain).strip().lower()


def written_base(name: str, *, slash: bool = False) -> str:
    """Return the name of a column as written, without its unit."""
    plain = name.strip().strip("~\ufeff")
    pattern = _SLASH_UNIT if slash else _TRAILING_UNIT
    match = _UNIT_INSIDE.match(plain) or pattern.match(plain) or _with_comma(plain)
    if match is None:
        return plain
    tail = match.groupdict().get("tail") or ""
    return f"{match['base'].strip()}{tail.rstrip()}"


def split_heading(name: str, *, slash: bool = False, suffix: bool = False) -> Heading:
    """Split ``Current (mA)`` or ``U[V]`` into name and unit.

    With ``slash`` also ``I/mA``, with ``suffix`` also ``I_mA``.
    """
    if len(name) > MAX_NAME_CHARS:
        return Heading(folded_name(name[:MAX_NAME_CHARS]), None)
    return _split_heading(name, slash=slash, suffix=suffix)


def _with_comma(name: str) -> re.Match[str] | None:
    match = _COMMA_UNIT.match(name)
    return match if match is not None and is_unit(match["unit"]) else None


@lru_cache(maxsize=4096)
def _split_heading(name: str, *, slash: bool, suffix: bool) -> Heading:
    inside = _UNIT_INSIDE.match(name.strip())
    if inside is not None:
        return Heading(folded_name(f"<{inside['base']}>"), inside["unit"].strip())
    ending = _SUFFIX_UNIT.match(name.strip()) if suffix else None
    if ending is not None:
        return Heading(folded_name(ending["base"]), ending["unit"])
    pattern = _SLASH_UNIT if slash else _TRAILING_UNIT
    match = pattern.match(name.strip()) or _with_comma(name.strip())
    if match is None:
        return Heading(folded_name(name), None)
    tail = (match.groupdict().get("tail") or "").strip(" _")
    base = folded_name(f"{match.group('base')} {tail}")
    return Heading(base, match.group("unit").strip() or None)
