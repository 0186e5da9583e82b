"""A table as the Parquet that Studio stores."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

#: As the vendor's client writes it.
COMPRESSION: Final = "zstd"


def encode(table: pa.Table, path: Path) -> None:
    """Write ``table`` to ``path``."""
    pq.write_table(table, path, compression=COMPRESSION)
