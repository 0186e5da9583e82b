"""Files that are larger than the memory: native text and Parquet, read in chunks.

A reader of a manufacturer's format weighs the evidence of all rows (clocks, decimal marks, the
sign of the current) and needs them in one piece. A native file is read as it is: only the types
of its columns hang on later rows, and where one shows that a column is another than was taken,
the file is read again from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.core.decisions import Decision
from bulkload.core.text import printable
from bulkload.core.version import VERSION
from bulkload.errors import UnreadableError
from bulkload.readers.column_types import ColumnTypes
from bulkload.readers.large_text import HeadText, RowStream, Scan, head_text, scan
from bulkload.readers.multi_test import PLAIN, numbering
from bulkload.readers.native import NATIVE, NUMBERS, is_native_parquet, number_column
from bulkload.readers.probe import Probe
from bulkload.readers.reading import ChunkedSeries, NotInChunksError, ReadOptions
from bulkload.readers.registry import chosen, named

#: Rows that are read of a Parquet file at a time.
BATCH_ROWS: Final = 65_536
#: Bytes of a column that are read of a Parquet file at a time.
BUFFER_BYTES: Final = 1 << 20


def open_large(path: Path, options: ReadOptions) -> ChunkedSeries:
    """Open a file to be read in chunks; raises ``NotInChunksError`` where it cannot be."""
    if options.member is not None:
        raise NotInChunksError("one test of several is taken out of it")
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    series: _Series = _LargeParquet(path, options) if is_parquet else _LargeText(path, options)
    if numbering(series.names, PLAIN):
        raise NotInChunksError("a column of it may distinguish several tests")
    return series


class _Series:
    """What native files have in common, however they are stored."""

    header: Mapping[str, Any] = {}

    def __init__(self, path: Path, options: ReadOptions, names: tuple[str, ...]) -> None:
        self.path, self.options, self.names = path, options, names
        self.types = ColumnTypes(printable(path.name), names)

    def chunks(self) -> Iterator[pa.Table]:
        """Read the measurement from its beginning."""
        self.types.begin()
        for table in self._tables():
            yield self.types.apply(table)
        self.types.end()

    def provenance(self) -> Mapping[str, Any]:
        """Return the file, its hash, the reader and what was decided."""
        seen, stated = self._seen(), {}
        for name in ("reader", "data_type", "voltage_window", "rated_capacity", "voltage"):
            if (value := getattr(self.options, name)) is not None:
                stated[name] = value
        if self.options.day_first is not None:
            stated["day_first"] = self.options.day_first
        return {
            "file": self.path.name,
            "size_bytes": seen.size_bytes,
            "mtime_ns": seen.mtime_ns,
            "sha256": seen.sha256,
            "compression": seen.compression,
            "reader": NATIVE.name,
            "reader_version": VERSION,
            "dialect": None,
            "options": stated,
            "decisions": [decision.as_json() for decision in self._decisions()],
            **self._facts(),
        }

    def _tables(self) -> Iterator[pa.Table]:
        raise NotImplementedError

    def _seen(self) -> Scan:
        raise NotImplementedError

    def _decisions(self) -> tuple[Decision, ...]:
        return self.types.decisions

    def _facts(self) -> Mapping[str, Any]:
        return {}


class _LargeText(_Series):
    """A native CSV."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        head = head_text(path)
        reader = chosen(Probe(head.content), options.reader, options.dialects)
        if reader is not NATIVE:
            raise NotInChunksError(f"the reader {reader.name} weighs the evidence of all rows")
        self._head: HeadText = head
        self._scan = scan(path, head)
        super().__init__(path, options, head.layout.names)

    def _tables(self) -> Iterator[pa.Table]:
        stream = RowStream(self.path, self._head, self._scan)
        yield from stream.tables([name for name in self.names if name in NUMBERS])
        if stream.sha256() != self._scan.sha256:
            raise UnreadableError(
                f"{printable(self.path.name)}: the file changed while it was read; wait until "
                "nothing writes to it, and run again",
                cause="source_changing",
            )

    def _seen(self) -> Scan:
        return self._scan

    def _facts(self) -> Mapping[str, Any]:
        delimiter = self._head.layout.delimiter
        return {"encoding": self._scan.encoding, "delimiter": delimiter, "decimal": "."}


class _LargeParquet(_Series):
    """A Parquet file whose columns are Ionworks'."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise NotInChunksError("it is not a readable Parquet file") from error
        name = options.reader
        is_named = name is not None and named(name, options.dialects) is NATIVE
        if not is_named and (name is not None or options.dialects or not is_native_parquet(schema)):
            raise NotInChunksError("its reader needs all rows")
        self._scan = scan(path, None)
        super().__init__(path, options, tuple(schema.names))

    def _tables(self) -> Iterator[pa.Table]:
        name = printable(self.path.name)
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER_BYTES) as file:
            if file.metadata.num_rows == 0:
                raise UnreadableError(f"{name}: the Parquet file has no rows", cause="no_rows")
            for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                table = pa.Table.from_batches([batch])
                for index, column in enumerate(table.column_names):
                    if column in NUMBERS:
                        numbers = number_column(table, index, name)
                        table = table.set_column(index, column, numbers)
                yield table

    def _seen(self) -> Scan:
        return self._scan
