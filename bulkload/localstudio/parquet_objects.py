"""What processing does with stored bytes: in a thread, knowing nothing of records or requests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bulkload.core.terms import STEP_COUNT, TIME


class UnfitError(Exception):
    """The stored file cannot be processed; the text is what the client reads."""


def read_series(path: Path) -> Any:
    """Return a time series as a pyarrow Table, or raise `UnfitError` with the server's reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
    except FileNotFoundError as error:
        raise UnfitError("The time series file was never uploaded") from error
    except (pa.ArrowException, OSError) as error:
        raise UnfitError(f"The time series is not a readable Parquet file: {error}") from error
    if STEP_COUNT not in table.column_names:
        raise UnfitError(
            f"The time series has no {STEP_COUNT!r} column; it has {', '.join(table.column_names)}"
        )
    _check_step_count(table)
    return table


def append_rows(path: Path, delta_path: Path, arriving: Path) -> Any:
    """Append an extend's rows to a stored time series, in one step; return the whole table."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    stored, delta = read_series(path), read_series(delta_path)
    if set(stored.column_names) != set(delta.column_names):
        odd = sorted(set(stored.column_names) ^ set(delta.column_names))
        raise UnfitError(f"The columns of the extend differ from the stored ones: {', '.join(odd)}")
    if TIME not in stored.column_names:
        raise UnfitError(f"The time series has no {TIME!r} column to extend")
    last, first = pc.max(stored[TIME]).as_py(), pc.min(delta[TIME]).as_py()
    if last is not None and (first is None or first <= last):
        raise UnfitError(f"The extend starts at {first} s; the stored series ends at {last} s")
    try:
        whole = pa.concat_tables(
            [stored, delta.select(stored.column_names)], promote_options="permissive"
        )
    except pa.ArrowException as error:
        raise UnfitError(f"The extend does not fit the stored columns: {error}") from error
    pq.write_table(whole, arriving, compression="zstd")
    os.replace(arriving, path)  # noqa: PTH105 - pairs with the object store's own move
    return whole


def _check_step_count(table: Any) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[STEP_COUNT]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise UnfitError(f"{STEP_COUNT!r} holds {column.type}, not numbers")
    if pc.any(pc.is_null(column, nan_is_null=True)).as_py():
        raise UnfitError(f"{STEP_COUNT!r} has rows without a value")
