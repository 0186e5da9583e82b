"""Vendor files through ``ionworksdata``, imported once a process and only when needed."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bulkload.core.decisions import Decision, DecisionCode
from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, UnreadableError
from bulkload.readers.content import FileContent
from bulkload.readers.file_kinds import TEXT, WORKBOOK
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions

#: Longest error text of the vendor's reader that a refusal quotes, in characters.
QUOTE_CHARS: Final = 200

#: What the headers of the makes hold that only the vendor's package knows, in lower case: its
#: import takes a second, and need not be paid for a file that it cannot know.
_MARKS: Final = ("record id", "run_time", "ecell_v", "ewe_v", "voltage#v")

#: The vendor's readers that guess columns by name alone, or whose make has a page here: a file
#: of that make that its page does not know is one that the vendor's reader misreads.
_GENERIC_READERS: Final = frozenset(
    {
        "csv",
        "parquet",
        "maccor",
        "neware",
        "arbin",
        "novonix",
        "gamry",
        "bdf",
        "biologic mpt",
        "biologic",
    }
)


@dataclass(frozen=True)
class Vendor(Format):
    """The vendor's own reader, for makes that have no page here, or on request."""

    name: str = "ionworksdata"
    #: One of the vendor's readers by name; None: the one that it detects.
    only: str | None = None

    @property
    def version(self) -> str:
        """The version of the vendor's package."""
        from importlib import metadata

        return f"ionworksdata {metadata.version('ionworksdata')}"

    def sniff(self, probe: Probe) -> Evidence:
        """Ask the vendor's detection."""
        if probe.kind not in {TEXT, WORKBOOK}:
            return Evidence()
        if probe.kind == TEXT and not any(mark in probe.text.head().lower() for mark in _MARKS):
            return Evidence()
        try:
            package = _package()
        except MissingExtraError:
            return Evidence()
        with _on_disk(probe.content) as path:
            try:
                name = package.read.detect_reader(str(path))
            except Exception:  # noqa: BLE001  # whatever it trips over, it does not know the file
                return Evidence()
        if name in _GENERIC_READERS:
            return Evidence()
        return Evidence(fits=(f"the vendor's detection calls it {name!r}",))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read a file with the reader that the vendor's package detects."""
        del options
        package, content = _package(), probe.content
        with _on_disk(content) as path, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                name = self.only or package.read.detect_reader(str(path))
                frame = package.read.time_series(str(path), name)
            except Exception as error:
                raise _refused(content.name, error) from error
            header = _header(package, path, name)
        return Reading(
            table=frame.to_arrow(compat_level=None),
            header=header,
            dialect=name,
            decisions=tuple(
                Decision(code=DecisionCode.LIBRARY_WARNING, detail=text, evidence="ionworksdata")
                for text in dict.fromkeys(printable(str(w.message)) for w in caught)
            ),
        )


def _package() -> Any:
    # The vendor's parser starts a thread a core; a child has one core, and its neighbours
    # have the others. Only a value set before its first import counts.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    try:
        import ionworksdata
    except ImportError as error:
        raise MissingExtraError("Reading this format", "cyclers") from error
    return ionworksdata


@contextmanager
def _on_disk(content: FileContent) -> Iterator[Path]:
    """Yield the file itself, or its decompressed copy: the vendor's reader wants a path."""
    if content.compression is None:
        yield content.path
        return
    with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
        path = Path(folder, content.path.with_suffix("").name)
        path.write_bytes(content.data)
        yield path


def _header(package: Any, path: Path, name: str) -> Mapping[str, Any]:
    try:
        found = package.read.metadata(str(path), name)
    except Exception:  # noqa: BLE001  # a header that cannot be read is one that says nothing
        return {}
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in found.items()
    }


def _refused(name: str, error: Exception) -> UnreadableError:
    error_text = " ".join(printable(str(error)).split())[:QUOTE_CHARS]
    if "automatically detect" in error_text:
        return UnreadableError(
            f"{name}: no known cycler format fits its content; name the reader with --reader, "
            "or describe the columns in a dialect file",
            cause="unknown_format",
        )
    return UnreadableError(
        f"{name}: the vendor's reader failed: {type(error).__name__}: {error_text}",
        cause="unreadable",
    )


VENDOR: Final = Vendor()

#: The vendor's readers that have no page here and can be named.
NAMED: Final = tuple(
    Vendor(name=name, only=name) for name in ("repower", "biologic csv", "arbin eis", "parquet")
)
