"""What a raw value means: its unit's way to the Ionworks unit, a factor before it included."""

from __future__ import annotations

import re
from typing import Final

from bulkload.core import terms
from bulkload.readers.units import UNITS, Conversion, conversion

_FACTOR: Final = re.compile(r"(?P<factor>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s+(?P<unit>\S.*)")
_BRACKETED: Final = re.compile(r".+\[(?P<unit>[^\[\]]+)\]\Z")

#: Units that databases use and cyclers' files do not, by the Ionworks unit they lead to.
_FURTHER: Final = {
    "A.h": {"A.s": 1 / 3600, "mA.s": 1e-3 / 3600, "C": 1 / 3600, "coulomb": 1 / 3600},
    "W.h": {"J": 1 / 3600, "joule": 1 / 3600, "W.s": 1 / 3600},
    "s": {"us": 1e-6, "ns": 1e-9},
}


def raw_conversion(name: str, unit: str) -> Conversion | None:
    """Return how a raw value in ``unit`` becomes the column ``name``, None where nothing is known.

    ``0.1 mV`` counts tenths of a millivolt. A column that Ionworks does not name keeps its unit.
    """
    bracketed = _BRACKETED.match(name)
    if bracketed is None:
        return None
    target = bracketed["unit"]
    stated = _FACTOR.fullmatch(unit.strip())
    factor, plain = (1.0, unit.strip()) if stated is None else (float(stated[1]), stated[2])
    further = _FURTHER.get(target, {}).get(plain)
    known = name if name in UNITS else _ALIKE.get(target, name)
    found = Conversion(further) if further is not None else conversion(known, plain)
    if found is None and plain == target:
        found = Conversion(1.0)
    return None if found is None else Conversion(found.scale * factor, found.shift)


#: A column with which each Ionworks unit is known: for further columns of the same unit.
_ALIKE: Final = {
    "degC": terms.TEMPERATURE,
    "V": terms.VOLTAGE,
    "A": terms.CURRENT,
    "s": terms.TIME,
    "A.h": terms.CHARGE_CAPACITY,
    "W.h": terms.CHARGE_ENERGY,
    "W": terms.POWER,
}
