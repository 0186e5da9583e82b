"""Cells of a table: each function parses the content of one cell.

A cell may be text (everything in a .csv), or what a spreadsheet, a Parquet file, JSON or pandas
make of it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from bulkload.core.sheets.quantities import NotUnderstoodError, read_quantity
from bulkload.core.sheets.rows import UncomputedFormula
from bulkload.core.survey.dates import DateOrder, whole_date
from bulkload.core.terms import MeasurementType
from bulkload.sources import value_checks as values
from bulkload.sources.json_yaml_toml import NotJsonableError, jsonable, parse_json
from bulkload.sources.sheets.appearance import SheetError
from bulkload.sources.value_checks import WrongValueError

#: Whole numbers beyond it have lost digits in a spreadsheet.
_EXACT_WHOLE: Final = 2**53
_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}


def fault_of(cell: Any) -> str | None:
    """Return the fault of a cell that looks otherwise than it is read, None for any other."""
    if isinstance(cell, SheetError):
        return f"shows {cell}, an error of the spreadsheet; correct its formula"
    if isinstance(cell, UncomputedFormula):
        return (
            "holds a formula without a value: open the sheet in a spreadsheet program, save it, "
            "and try again"
        )
    return None


def plain(cell: Any) -> Any:
    """Return a cell as plain Python: pandas, numpy and calamine have types of their own."""
    if isinstance(cell, SheetError | UncomputedFormula):
        return None
    if type(cell).__module__ == "numpy":
        cell = cell.tolist()
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    # NaN, NaT and NA: the values that do not equal themselves, or cannot be compared.
    if isinstance(cell, float) and math.isnan(cell):
        return None
    return None if type(cell).__name__ in ("NaTType", "NAType") else cell


def name(cell: Any) -> str:
    """Return a cell as a name: a spreadsheet holds 1.0 where a person wrote 1."""
    if isinstance(cell, float) and cell.is_integer():
        if abs(cell) >= _EXACT_WHOLE:
            raise WrongValueError("is a number that has lost digits; format the column as text")
        return str(int(cell))
    if isinstance(cell, float):
        return repr(cell)
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    if isinstance(cell, dt.datetime | dt.date):
        return cell.isoformat()
    return values.name(cell)


def path(cell: Any) -> str:
    """Return a cell as a path."""
    found = name(cell)
    if "\0" in found:
        raise WrongValueError("contains a NUL character, which no path may have")
    return found


def kind(cell: Any) -> MeasurementType:
    """Return a cell as what a measurement holds."""
    try:
        return MeasurementType(values.text(cell).strip())
    except ValueError:
        known = ", ".join(MeasurementType)
        raise WrongValueError(f"must be one of {known}") from None


def time(cell: Any, order: DateOrder | None = None) -> str:
    """Return a cell as a date or time in ISO 8601.

    Another form is read where it can mean one day only, or in the order that is declared.
    """
    if isinstance(cell, dt.datetime):
        return values.timestamp(cell.isoformat(timespec="microseconds"))
    if isinstance(cell, dt.date):
        return values.timestamp(cell.isoformat())
    mark = whole_date(cell) if isinstance(cell, str) and not cell[:4].isdigit() else None
    if mark is None:
        return values.timestamp(cell)
    chosen = {one.moment for one in mark.readings if one.order is order}
    moments = chosen or {one.moment for one in mark.readings}
    if len(moments) > 1:
        named = " or ".join(sorted(moments))
        raise WrongValueError(f"can be {named}; give --day-first or --month-first")
    return values.timestamp(moments.pop())


def number(cell: Any, factors: Mapping[str, float] | None = None) -> float:
    """Return a cell as a finite number; ``factors`` are the units that it may be written with."""
    if not isinstance(cell, str):
        return values.number(cell)
    try:
        # Python would take the underscores of 1_000 for digits' separators.
        return values.number(float(cell.replace("_", "?")))
    except ValueError:
        return _written(cell, factors or {})


def _written(cell: str, factors: Mapping[str, float]) -> float:
    """Read a number as people write it: 1,9 or 2000 mAh."""
    try:
        found = read_quantity(cell.replace("_", "?"))
    except NotUnderstoodError as error:
        raise WrongValueError(f"must be a finite number: it {error}") from None
    if found is None:
        raise WrongValueError("must be a finite number")
    if found.unit and found.unit not in factors:
        known = ", ".join(factors) or "no unit"
        raise WrongValueError(f"is in {found.unit}; state it in {known}")
    if found.is_about:
        raise WrongValueError("is only about that number; write what is meant")
    return found.value * factors.get(found.unit, 1.0)


def temperature(cell: Any) -> float:
    """Return a cell as a temperature in degrees Celsius."""
    return number(cell, {"degC": 1.0})


def capacity(cell: Any) -> float:
    """Return a cell as a capacity in A.h, above zero."""
    return values.positive(number(cell, {"A.h": 1.0, "mA.h": 1e-3, "uA.h": 1e-6}))


def voltage(cell: Any) -> float:
    """Return a cell as a voltage in V."""
    return number(cell, {"V": 1.0, "mV": 1e-3})


def electrodes(cell: Any) -> str:
    """Return a cell as the voltage that is taken of three electrodes."""
    return values.electrodes(name(cell).strip().lower())


def flag(cell: Any) -> bool:
    """Return a cell as true or false."""
    word = name(cell) if isinstance(cell, float) else str(cell)
    found = _FLAGS.get(word.strip().lower())
    if found is None:
        raise WrongValueError("must be true or false")
    return found


def texts(cell: Any) -> list[str]:
    """Return a cell as texts: a list, the JSON of one, or text with semicolons between."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = _parsed(cell)
    if isinstance(cell, list | tuple):
        return values.texts(list(cell))
    return [word.strip() for word in name(cell).split(";") if word.strip()]


def tags(cell: Any) -> list[str]:
    """Return a cell as the tags of a measurement."""
    return values.tags(texts(cell))


def checks(cell: Any) -> list[str]:
    """Return a cell as names of strict checks."""
    return values.checks(texts(cell))


def transforms(cell: Any) -> list[str]:
    """Return a cell as names of transforms, in their order."""
    return values.transforms(texts(cell))


def protocol(cell: Any) -> dict[str, Any]:
    """Return a cell as a protocol: an object, the JSON of one, or its name."""
    found = _object(cell)
    return {"name": name(cell)} if found is None else values.protocol(found)


def cycler(cell: Any) -> dict[str, Any]:
    """Return a cell as a test set-up: an object, the JSON of one, or the name of a cycler."""
    found = _object(cell)
    return {"cycler": name(cell)} if found is None else values.mapping(found)


def channel(cell: Any) -> int | str:
    """Return a cell as the channel of a cycler: a number where it is one."""
    found = name(cell)
    is_number = found.isascii() and found.isdigit() and str(int(found[:18])) == found
    return int(found) if is_number else found


def json_object(cell: Any) -> dict[str, Any]:
    """Return a cell as an object, or the JSON of one."""
    found = _object(cell)
    if found is None:
        raise WrongValueError("must be an object of keys and values, as JSON")
    return found


def _object(cell: Any) -> dict[str, Any] | None:
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        cell = _parsed(cell)
    if not isinstance(cell, dict):
        return None
    stated = {key: value for key, value in cell.items() if value is not None}
    try:
        found: dict[str, Any] = jsonable(stated)
    except NotJsonableError as error:
        raise WrongValueError(str(error)) from None
    return found


def _parsed(cell: str) -> Any:
    try:
        return parse_json(cell)
    except json.JSONDecodeError as error:
        raise WrongValueError(f"begins like JSON but is not valid: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise WrongValueError(f"begins like JSON but is not valid: {error}") from None
