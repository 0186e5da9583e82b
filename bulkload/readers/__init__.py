"""File to table, in the child process: no network, no journal.

``read(path, options)`` gives one measurement's :class:`TimeSeries` in Ionworks columns and
units, with what the file's header says and where every value comes from; a file that cannot
be read right is refused with :class:`bulkload.errors.UnreadableError`, never half read.

``detect`` says what a file is and by what evidence; ``list_members`` names the tests in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers.content import FileContent, load
from bulkload.readers.date_order import DateClues
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Format, Reading, ReadOptions, TimeSeries
from bulkload.readers.registry import Candidate, Detection, chosen, detect_probe
from bulkload.readers.start_time import with_start
from bulkload.readers.user_dialects import load_dialects

__all__ = [
    "Candidate",
    "Detection",
    "ReadOptions",
    "TimeSeries",
    "detect",
    "list_members",
    "load_dialects",
    "read",
]


#: What Arrow says where no memory is left for the stack of a thread.
_NO_THREAD: Final = "Failed to launch worker thread"

#: What code raises on data that is not as it should be.
_NONSENSE: Final = (
    ValueError,
    LookupError,
    ArithmeticError,
    pa.ArrowException,
)


def read(path: Path, options: ReadOptions | None = None) -> TimeSeries:
    """Read one measurement from a file, or raise ``UnreadableError`` with the reason."""
    options = options or ReadOptions()
    probe = Probe(load(path))
    with _refusing_nonsense(probe):
        reader = chosen(probe, options.reader, options.dialects)
        options = replace(options, clues=DateClues(probe))
        reading = with_start(reader.read(probe, options), options)
    return TimeSeries(
        table=reading.table,
        header=reading.header,
        provenance=_provenance(probe.content, options, reader, reading),
        decisions=reading.decisions,
    )


def detect(path: Path, options: ReadOptions | None = None) -> Detection:
    """Return which readers fit a file's content, with the evidence, and which one is chosen."""
    options = options or ReadOptions()
    probe = Probe(load(path))
    with _refusing_nonsense(probe):
        return detect_probe(probe, options.dialects)


def list_members(path: Path, options: ReadOptions | None = None) -> Sequence[str]:
    """Name the tests in a file: each is read with ``ReadOptions.member``. Empty: one test."""
    options = options or ReadOptions()
    probe = Probe(load(path))
    with _refusing_nonsense(probe):
        return tuple(chosen(probe, options.reader, options.dialects).members(probe))


@contextmanager
def _refusing_nonsense(probe: Probe) -> Iterator[None]:
    """Turn what a reader trips over in a damaged file into a refusal of that file."""
    try:
        yield
    except MemoryError:
        # Arrow's is a kind of its other errors too, and no fault of the content.
        raise
    except _NONSENSE as error:
        if isinstance(error, pa.ArrowException) and _NO_THREAD in str(error):
            raise MemoryError from error
        error_text = " ".join(printable(str(error)).split())[:160]
        raise UnreadableError(
            f"{probe.name}: the reader for its format cannot parse its content "
            f"({type(error).__name__}: {error_text}); copy or export the file again",
            cause="nonsense",
        ) from error


def _provenance(
    content: FileContent, options: ReadOptions, reader: Format, reading: Reading
) -> dict[str, Any]:
    stated = {
        name: value
        for name in (
            "reader",
            "member",
            "data_type",
            "voltage_window",
            "rated_capacity",
            "voltage",
            "day_first",
        )
        if (value := getattr(options, name)) is not None
    }
    return {
        "file": content.path.name,
        "size_bytes": content.size_bytes,
        "mtime_ns": content.mtime_ns,
        "sha256": content.sha256,
        "compression": content.compression,
        "reader": reader.name,
        "reader_version": reader.version,
        "dialect": reading.dialect,
        "options": stated,
        "decisions": [decision.as_json() for decision in reading.decisions],
        **reading.facts,
    }
