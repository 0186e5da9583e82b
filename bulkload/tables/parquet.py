"""A table as the Parquet that Studio stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: As the vendor's client writes it.
COMPRESSION: Final = "zstd"
#: Level of zstd: the one at which the vendor's client writes. Level 6 takes twice the time and
#: saves no more than a fiftieth.
COMPRESSION_LEVEL: Final = 3

#: Rows, spread over the table, that are looked at to tell whether a column repeats its values.
SAMPLE_ROWS: Final = 512
#: A column is worth a dictionary where each value of the sample occurs this often on average.
MIN_REPEATS: Final = 4

#: Rows in a row group: what a reader of a window has to fetch at least.
ROW_GROUP_ROWS: Final = 262_144


def encode(table: pa.Table, to: Path | pa.NativeFile) -> None:
    """Write ``table`` to a path, or to an open file of Arrow."""
    pq.write_table(
        table.replace_schema_metadata(None),
        to,
        row_group_size=ROW_GROUP_ROWS,
        **_options(table),
    )


def encode_chunks(chunks: Iterable[pa.Table], path: Path) -> int:
    """Write tables of one schema, one behind the other, to ``path``; return the rows.

    Holds one row group. What repeats its values is told by the first one. Raises ``ValueError``
    where there is no table.
    """
    groups = row_groups(chunks)
    first = next(groups, None)
    if first is None:
        raise ValueError("there is nothing to write")
    first = first.replace_schema_metadata(None)
    rows = 0
    with pq.ParquetWriter(path, first.schema, **_options(first)) as writer:
        for group in chain((first,), groups):
            writer.write_table(group.replace_schema_metadata(None), row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
    return rows


def row_groups(chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables of the rows of a row group each, but for the last, of whatever comes in."""
    waiting: list[pa.Table] = []
    count = 0
    for chunk in chunks:
        start = 0
        while count + chunk.num_rows - start >= ROW_GROUP_ROWS:
            taken = ROW_GROUP_ROWS - count
            yield pa.concat_tables([*waiting, chunk.slice(start, taken)]).combine_chunks()
            start, count = start + taken, 0
            waiting.clear()
        if start < chunk.num_rows or not (waiting or start):
            waiting.append(chunk.slice(start))
            count += chunk.num_rows - start
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def stored_chunks(path: Path, start: int = 0) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file from ``start`` on, a row group at a time."""
    with pq.ParquetFile(path) as file:
        begin = 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if begin + rows > start:
                table = file.read_row_group(number, use_threads=False)
                yield table.slice(max(start - begin, 0))
            begin += rows


def _options(table: pa.Table) -> dict[str, Any]:
    """Return how a table is written, of which this is all or the first part."""
    return {
        "compression": COMPRESSION,
        "compression_level": COMPRESSION_LEVEL,
        "use_dictionary": _repetitive_columns(table),
        # Only types that Parquet itself cannot name need the Arrow schema beside it.
        "store_schema": any(_needs_arrow_schema(field.type) for field in table.schema),
    }


def _repetitive_columns(table: pa.Table) -> list[str]:
    """Return the columns that a dictionary makes smaller; in the others it only takes room."""
    stride = max(1, table.num_rows // SAMPLE_ROWS)
    return [
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if not pa.types.is_nested(column.type)
        and not pa.types.is_null(column.type)
        and _repeats(column, stride)
    ]


def _repeats(column: pa.ChunkedArray, stride: int) -> bool:
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if is_number and column.num_chunks == 1 and not column.null_count:
        # As most columns are: numpy takes every n-th value without making an index.
        values = column.chunk(0).to_numpy()[::stride]
        return len(np.unique(values)) * MIN_REPEATS <= len(values)
    sample = column.take(pa.array(np.arange(0, len(column), stride)))
    return len(sample.unique()) * MIN_REPEATS <= len(sample)


def _needs_arrow_schema(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_dictionary(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_null(kind)
        or (pa.types.is_timestamp(kind) and (kind.tz is not None or kind.unit == "s"))
    )
