"""A table as the Parquet that Studio stores."""

from __future__ import annotations

from pathlib import Path
from typing import Final

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


def encode(table: pa.Table, path: Path) -> None:
    """Write ``table`` to ``path``."""
    pq.write_table(
        table.replace_schema_metadata(None),
        path,
        compression=COMPRESSION,
        compression_level=COMPRESSION_LEVEL,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=_repetitive_columns(table),
        # Only types that Parquet itself cannot name need the Arrow schema beside it.
        store_schema=any(_needs_arrow_schema(field.type) for field in table.schema),
    )


def _repetitive_columns(table: pa.Table) -> list[str]:
    """Return the columns that a dictionary makes smaller; in the others it only takes room."""
    stride = max(1, table.num_rows // SAMPLE_ROWS)
    sample = table.take(pa.array(np.arange(0, table.num_rows, stride)))
    return [
        name
        for name, column in zip(sample.column_names, sample.columns, strict=True)
        if not pa.types.is_nested(column.type)
        and not pa.types.is_null(column.type)
        and len(column.unique()) * MIN_REPEATS <= len(column)
    ]


def _needs_arrow_schema(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_dictionary(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_null(kind)
        or (pa.types.is_timestamp(kind) and (kind.tz is not None or kind.unit == "s"))
    )
