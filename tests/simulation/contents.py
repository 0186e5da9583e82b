"""What the measurements of a scenario hold: made once a process and shared by scenarios."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from bulkload.core.digest import content_digest
from bulkload.tables.frames import to_frame
from tests.simulation.memory_additions import parquet, read_table

#: Different measurements there are.
CONTENTS: Final = 48
#: Rows that a source has more when it has grown, and seconds between two rows.
GROWTH: Final = 15
INTERVAL_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Rows of a measurement: prepared once, sent as often as it takes."""

    data: bytes = field(repr=False)
    rows: int
    columns: tuple[str, ...]
    content_digest: str
    #: What the source held before it grew, and its new rows; None where it did not grow.
    earlier: Content | None = None
    new_rows: bytes = field(default=b"", repr=False)
    #: Rejected by the worker: never to be sent.
    is_bad: bool = False

    @property
    def sha256(self) -> str:
        """Return the hash of the spooled bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def is_in(self, stored: bytes | None) -> bool:
        """Return whether stored bytes are these rows: rows that were appended differ in form."""
        if stored == self.data:
            return True
        is_parquet = stored is not None and stored.startswith(b"PAR1")
        return is_parquet and bool(read_table(stored or b"").equals(read_table(self.data)))


#: Content of a source that no reader can read.
BAD: Final = Content(data=b"", rows=0, columns=(), content_digest="", is_bad=True)


@lru_cache(CONTENTS)
def content(number: int) -> Content:
    """Return the content of a measurement, different for each number."""
    return _content(number, 20 + number)


@lru_cache(CONTENTS)
def grown_content(number: int) -> Content:
    """Return the content of a measurement whose source has grown."""
    return _content(number, 20 + number + GROWTH, content(number))


def _content(number: int, rows: int, earlier: Content | None = None) -> Content:
    table = pa.table(
        {
            "Time [s]": np.arange(rows) * INTERVAL_S,
            "Voltage [V]": 3.8 - 0.001 * np.arange(rows) - 1e-4 * number,
            "Current [A]": np.full(rows, 0.5),
        }
    )
    return Content(
        data=parquet(table),
        rows=rows,
        columns=tuple(table.column_names),
        content_digest=content_digest(to_frame(table)),
        earlier=earlier,
        new_rows=b"" if earlier is None else parquet(table.slice(earlier.rows)),
    )
