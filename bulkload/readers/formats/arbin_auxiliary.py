"""Auxiliary channels of an Arbin database: sensors whose records stand in a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.auxiliary import keep_channel, values_at
from bulkload.readers.dialect import RECORD
from bulkload.readers.raw_columns import Raw

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
        values = values_at(
            np.asarray(raw.columns[RECORD], dtype=np.float64),
            np.asarray(table["Data_Point"])[rows],
            np.asarray(table["X"])[rows],
        )
        name, unit = _named(channels, int(number), int(data_type))
        raw.uses.append(keep_channel(raw, name, unit, values))


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
