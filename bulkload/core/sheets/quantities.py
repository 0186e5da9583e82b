"""Numbers as people write them: ``1,9 mg/cm2``, ``ca. 2``, ``2000 mAh``, ``25 °C``.

``1,234`` alone is a thousand or one and a bit: the mark is settled by the other numbers of the
sheet, or asked for.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Units as people write them (spelling reduced by :func:`_plain`) -> as they are sent.
_UNITS: Final = {
    "mah": "mA.h", "ah": "A.h", "uah": "uA.h", "as": "A.s", "wh": "W.h", "mwh": "mW.h",
    "kwh": "kW.h", "v": "V", "mv": "mV", "volt": "V", "a": "A", "ma": "mA", "ua": "uA",
    "c": "degC", "degc": "degC", "celsius": "degC", "grad": "degC", "k": "K", "g": "g", "mg": "mg",
    "kg": "kg", "ug": "ug", "gramm": "g", "gram": "g", "mm": "mm", "cm": "cm", "m": "m", "um": "um",
    "nm": "nm", "mm2": "mm**2", "cm2": "cm**2", "m2": "m**2", "cm3": "cm**3", "mm3": "mm**3",
    "mg/cm2": "mg/cm**2", "mgcm-2": "mg/cm**2", "g/cm3": "g/cm**3", "gcm-3": "g/cm**3",
    "mah/cm2": "mA.h/cm**2", "mahcm-2": "mA.h/cm**2", "mah/g": "mA.h/g", "mahg-1": "mA.h/g",
    "wh/kg": "W.h/kg", "wh/l": "W.h/L", "ohm": "Ohm", "mohm": "mOhm", "ω": "Ohm", "mω": "mOhm",
    "%": "%", "h": "h", "min": "min", "s": "s", "ml": "mL", "ul": "uL", "l": "L", "m/l": "mol/L",
    "mol/l": "mol/L", "ul/mah": "uL/(mA.h)", "g/ah": "g/(A.h)", "psi": "psi", "bar": "bar",
    "mpa": "MPa", "kpa": "kPa", "n": "N",
}  # fmt: skip
#: What stands in a cell that says nothing.
NOTHING: Final = frozenset(
    {
        *("", "-", "--", "–", "—", "/", "n/a", "na", "n.a.", "nan", "none", "null", "?", "tbd"),  # noqa: RUF001
        *("k.a.", "k. a.", "s.o.", "n.d.", "nd", "s/d", "无", "unbekannt", "unknown"),
    }
)
_ABOUT: Final = re.compile(
    r"\A(?:ca\.?|circa|about|approx\.?|etwa|env(?:iron)?\.?|aprox\.?|[~≈±约])\s*", re.IGNORECASE
)
#: Thousands: three digits in each group but the first.
_GROUPED: Final = re.compile(
    r"\A[-+]?\d{1,3}([.,])\d{3}(?:\1\d{3})*(?:(?!\1)[.,]\d+)?(?:[eE].*)?\Z"
)
_SIGNED: Final = re.compile(
    r"\A(?P<number>[-+−]?(?:\d[\d\s' ]*(?:[.,][\d\s']*)*|[.,]\d+)(?:[eE][-+]?\d+)?)"  # noqa: RUF001
    r"\s*(?:(?:±|\+/-|\+-)\s*[\d.,]+)?\s*(?P<unit>[^\d\s].*)?\Z"
)


@dataclass(frozen=True, slots=True)
class StatedQuantity:
    """A number as a person wrote it."""

    value: float
    #: As it is sent; empty where the cell states none.
    unit: str = ""
    #: Written with "about", or with a tolerance.
    is_about: bool = False


class NotUnderstoodError(ValueError):
    """A cell that is not a number, or may be two; the message completes "<cell> ..."."""


def unit_of(text: str) -> str | None:
    """Return a unit as it is sent, None where it is not known."""
    return _UNITS.get(_plain(text))


def read_quantity(cell: object, *, comma_is_decimal: bool | None = None) -> StatedQuantity | None:
    """Return the number that a cell holds, None where it says nothing.

    ``comma_is_decimal`` is what the other numbers of the sheet prove; None: nothing. Raises
    ``NotUnderstoodError``.
    """
    if isinstance(cell, bool):
        raise NotUnderstoodError("is true or false, not a number")
    if isinstance(cell, int | float):
        return _finite(float(cell))
    text = unicodedata.normalize("NFKC", str(cell)).strip()
    if text.casefold() in NOTHING:
        return None
    bare = _ABOUT.sub("", text)
    found = _SIGNED.match(bare)
    if found is None:
        raise NotUnderstoodError("is not a number with a unit")
    unit = ""
    if found["unit"]:
        known = unit_of(found["unit"])
        if known is None:
            raise NotUnderstoodError(f"has a unit that is not known: {found['unit'].strip()!r}")
        unit = known
    value = _number(found["number"], comma_is_decimal=comma_is_decimal)
    return StatedQuantity(value, unit, is_about=bare != text or "±" in text or "+/-" in text)


def proves_comma(cells: Iterable[object]) -> bool | None:
    """Return whether a comma is the decimal mark in these cells: True, False, None where open."""
    votes: set[bool] = set()
    for cell in cells:
        if not isinstance(cell, str):
            continue
        for number in re.findall(r"\d[\d.,' ]*\d", cell):
            vote = _vote(number)
            if vote is not None:
                votes.add(vote)
    return votes.pop() if len(votes) == 1 else None


def _vote(number: str) -> bool | None:
    comma, point = number.rfind(","), number.rfind(".")
    if comma >= 0 and point >= 0:
        return comma > point
    at = max(comma, point)
    if at < 0:
        return None
    is_comma = comma >= 0
    if number.count(number[at]) > 1:
        return not is_comma
    # Three digits behind it may be thousands, unless a lone zero stands before it.
    open_case = len(number) - at - 1 == 3 and number[:at].strip(" '") != "0"
    return None if open_case else is_comma


def _number(text: str, *, comma_is_decimal: bool | None) -> float:
    plain = re.sub(r"[\s' ]", "", text).replace("−", "-")  # noqa: RUF001
    mark = _vote(plain.lstrip("+-"))
    if mark is None and "," in plain:
        mark = comma_is_decimal
        if mark is None:
            raise NotUnderstoodError(
                "may be thousands or decimals: write it with a point for the decimals"
            )
    if mark is None and "." in plain and comma_is_decimal:
        raise NotUnderstoodError(
            "may be thousands or decimals: other numbers here have a decimal comma"
        )
    if re.search(r"([.,])\d+\1", plain) and not _GROUPED.match(plain):
        raise NotUnderstoodError("is not a number: its thousands do not have three digits")
    if mark is True:
        plain = plain.replace(".", "").replace(",", ".")
    elif mark is False:
        plain = plain.replace(",", "")
    try:
        return _finite(float(plain)).value
    except ValueError:
        raise NotUnderstoodError("is not a number") from None


def _finite(value: float) -> StatedQuantity:
    if not math.isfinite(value):
        raise NotUnderstoodError("is not a finite number")
    return StatedQuantity(value)


def _plain(unit: str) -> str:
    text = unicodedata.normalize("NFKC", unit).strip(" []()").casefold()
    for written, plain in (("µ", "u"), ("μ", "u"), ("°", ""), ("º", ""), ("^", ""), ("**", "")):
        text = text.replace(written, plain)
    text = text.replace("ω", "ohm").replace("²", "2").replace("³", "3")
    return re.sub(r"[\s.*·⋅]", "", text)
