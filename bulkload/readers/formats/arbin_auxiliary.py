"""Auxiliary channels of an Arbin database: sensors whose records stand in a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from bulkload.core import terms
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.channels import ABSOLUTE_ZERO_DEGC, AS_IT_IS, Reason
from bulkload.readers.dialect import RECORD
from bulkload.readers.raw_columns import ColumnUse, Floats, Raw
from bulkload.readers.units import Conversion, conversion

RECORDS: Final = "Auxiliary_Table"
CHANNELS: Final = "Aux_Global_Data_Table"

_NUMBERS: Final = ("Test_ID", "Data_Point", "Auxiliary_Index", "Data_Type", "X")


def add_auxiliary(
    raw: Raw, records: bytes, channels: Sequence[Mapping[str, str]], test_id: str
) -> None:
    """Add the auxiliary channels of one test to its rows, by the number of the record.

    ``records`` is the table as text; ``channels`` says each channel's name and unit. Rows
    without a record of a channel are null there.
    """
    table = _parsed(raw.name, records)
    kept = np.asarray(table["Test_ID"]) == float(test_id)
    if not kept.any() or RECORD not in raw.columns:
        return
    index, kind = np.asarray(table["Auxiliary_Index"]), np.asarray(table["Data_Type"])
    for number, data_type in sorted(set(zip(index[kept], kind[kept], strict=True))):
        rows = kept & (index == number) & (kind == data_type)
        values = _at_records(
            np.asarray(raw.columns[RECORD], dtype=np.float64),
            np.asarray(table["Data_Point"])[rows],
            np.asarray(table["X"])[rows],
        )
        name, unit = _named(channels, int(number), int(data_type))
        raw.uses.append(_keep(raw, name, unit, values))


def _parsed(name: str, records: bytes) -> pa.Table:
    types = dict.fromkeys(_NUMBERS, pa.float64())
    try:
        return pa_csv.read_csv(
            pa.BufferReader(records),
            read_options=pa_csv.ReadOptions(use_threads=False),
            convert_options=pa_csv.ConvertOptions(column_types=types, include_columns=_NUMBERS),
        )
    except (pa.ArrowInvalid, KeyError) as error:
        raise UnreadableError(
            f"{name}: the table {RECORDS} does not hold numbers of records and channels "
            f"({printable(str(error))[:80]}); the database is damaged",
            cause="damaged",
        ) from error


def _at_records(wanted: Floats, points: Floats, values: Floats) -> Floats:
    order = np.argsort(points, kind="stable")
    points, values = points[order], values[order]
    place = np.clip(np.searchsorted(points, wanted), 0, len(points) - 1)
    return np.where(points[place] == wanted, values[place], np.nan)


def _named(
    channels: Sequence[Mapping[str, str]], number: int, data_type: int
) -> tuple[str, str | None]:
    """Return the name and the unit that the database gives a channel."""
    for row in channels:
        same = row.get("Auxiliary_Index"), row.get("Data_Type")
        if same == (str(number), str(data_type)):
            nickname = printable((row.get("Nickname") or "").strip())
            unit = (row.get("Unit") or "").strip() or None
            return nickname or f"Aux {number}", unit
    return f"Aux {data_type}-{number}", None


def _keep(raw: Raw, name: str, unit: str | None, values: Floats) -> ColumnUse:
    change: Conversion = AS_IT_IS
    target = f"{name} [{unit}]" if unit else name
    for quantity, shown in (
        (terms.TEMPERATURE, "degC"),
        (terms.VOLTAGE, "V"),
        (terms.CURRENT, "A"),
    ):
        found = None if unit is None else conversion(quantity, unit)
        if found is not None:
            change, target = found, f"{name} [{shown}]"
            values = values * change.scale + change.shift
            if shown == "degC" and bool((values[np.isfinite(values)] < ABSOLUTE_ZERO_DEGC).all()):
                return ColumnUse(name, "", reason=Reason.NO_SENSOR)
            if shown == "degC" and terms.TEMPERATURE not in raw.columns:
                target = terms.TEMPERATURE
            break
    if target in raw.columns:
        target = f"{name} 2"
    raw.columns[target] = values
    return ColumnUse(name, target, change)
