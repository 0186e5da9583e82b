"""File to table, in the child process: no network, no journal.

``read(path, options)`` gives one measurement's :class:`TimeSeries` in Ionworks columns and
units, with what the file's header says and where every value comes from; a file that cannot
be read right is refused with :class:`bulkload.errors.UnreadableError`, never half read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import bulkload
from bulkload.readers.content import Content, load
from bulkload.readers.native import (
    is_native,
    native_layout,
    parquet_table,
    read_native_parquet,
    read_native_text,
)
from bulkload.readers.series import Reading, ReadOptions, TimeSeries
from bulkload.readers.text import decode
from bulkload.readers.vendor import read_vendor, vendor_version

__all__ = ["ReadOptions", "TimeSeries", "read"]

#: Reader name of files that are in the Ionworks column format already.
NATIVE: Final = "ionworks"

#: Columns that tell a PyProBE Parquet file, whose time, voltage and current bear the same
#: names as Ionworks' but whose current has the other sign.
_PYPROBE: Final = frozenset({"Step", "Event"})

_BINARY_SUFFIXES: Final = frozenset({".res", ".xls", ".xlsx", ".mpr", ".nda", ".ndax"})


def read(path: Path, options: ReadOptions) -> TimeSeries:
    """Read one measurement from a file, or raise ``UnreadableError`` with the reason."""
    content = load(path)
    if options.reader == NATIVE or (options.reader is None and _holds_native(content)):
        reading, reader, version = _read_native(content), NATIVE, bulkload.__version__
    else:
        reading = read_vendor(content, options.reader)
        reader, version = str(reading.dialect), f"ionworksdata {vendor_version()}"
    return TimeSeries(
        table=reading.table,
        header=reading.header,
        provenance=_provenance(content, options, reader, version, reading),
    )


def _holds_native(content: Content) -> bool:
    if content.data.startswith(b"PAR1"):
        names = parquet_table(content).column_names
        return is_native(names) and not set(names) >= _PYPROBE
    if content.suffix in _BINARY_SUFFIXES:
        return False
    return native_layout(decode(content)) is not None


def _read_native(content: Content) -> Reading:
    if content.data.startswith(b"PAR1"):
        return read_native_parquet(content)
    return read_native_text(content)


def _provenance(
    content: Content, options: ReadOptions, reader: str, version: str, reading: Reading
) -> dict[str, Any]:
    stated = {
        name: value
        for name in ("reader", "member", "data_type", "voltage_window")
        if (value := getattr(options, name)) is not None
    }
    return {
        "file": content.path.name,
        "size_bytes": content.size_bytes,
        "mtime_ns": content.mtime_ns,
        "sha256": content.sha256,
        "compression": content.compression,
        "reader": reader,
        "reader_version": version,
        "dialect": reading.dialect,
        "options": stated,
        "remarks": list(reading.remarks),
        **reading.facts,
    }
