"""Neware: binary files (.nda, .ndax) through fastnda, which knows their versions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from bulkload.core import terms
from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, UnreadableError
from bulkload.readers.content import FileContent
from bulkload.readers.dialect import EPOCH, MODE, RECORD, ColumnRule, Dialect, Kind, Sign
from bulkload.readers.file_kinds import NEWARE_ARCHIVE, NEWARE_BINARY
from bulkload.readers.header_fields import grouped, merged
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import Probe
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid
from bulkload.readers.timestamps import iso_of

RECORDS: Final = Dialect(
    name="Neware binary",
    cycler="Neware",
    signature=(("voltage v",), ("current ma",)),
    columns=(
        ColumnRule(RECORD, ("index",)),
        ColumnRule(EPOCH, ("unix time s",)),
        ColumnRule(terms.TIME, ("total time s",), unit="s"),
        ColumnRule(terms.VOLTAGE, ("voltage v",), unit="V"),
        ColumnRule(terms.CURRENT, ("current ma",), unit="mA"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle count",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step count",)),
        ColumnRule(MODE, ("step type",), kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
    time_from_timestamps=True,
)


class NewareBinary(Format):
    """A .nda or .ndax file, through fastnda."""

    name = "neware nda"
    is_decisive = True

    @property
    def version(self) -> str:
        """The version of fastnda."""
        from importlib import metadata

        return f"fastnda {metadata.version('fastnda')}"

    def sniff(self, probe: Probe) -> Evidence:
        """Look at the first bytes for the maker's name, or for an archive of .ndc files."""
        if probe.kind == NEWARE_BINARY:
            return Evidence(fits=("begins with 'NEWARE'",))
        if probe.kind == NEWARE_ARCHIVE:
            return Evidence(fits=("is an archive of .ndc files",))
        return Evidence()

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read all records, in the order of their numbers."""
        try:
            import fastnda
        except ImportError as error:
            raise MissingExtraError("Reading Neware binary files", "cyclers") from error
        with tempfile.TemporaryDirectory(prefix="bulkload-") as folder:
            path = _copy(probe.content, Path(folder), probe.kind)
            try:
                frame = fastnda.read(path, cycle_mode="raw")
                said = fastnda.read_metadata(path)
            except Exception as error:  # a foreign parser: anything may come out
                raise _unknown(probe.name, "fastnda", error) from error
        if frame.height == 0:
            raise UnreadableError(f"{probe.name}: no records in the file", cause="no_rows")
        table = frame.to_arrow()
        columns = {name: table.column(name) for name in table.column_names}
        reading = read_grid(ArrayGrid(columns, probe.name), RECORDS, probe.name, options)
        return replace(reading, header=merged(reading.header, _neware_header(said, table)))


def _copy(content: FileContent, folder: Path, kind: str) -> Path:
    """Write the bytes that were hashed under the suffix that the library goes by."""
    path = folder / ("file.ndax" if kind == NEWARE_ARCHIVE else "file.nda")
    path.write_bytes(content.data)
    return path


def _neware_header(said: Mapping[str, Any], table: pa.Table) -> dict[str, Any]:
    head = said.get("Step", {}).get("Head_Info", {}) if isinstance(said.get("Step"), dict) else {}
    found: dict[str, Any] = {
        "operator": said.get("creator") or _value(head.get("Creator")),
        "notes": said.get("remarks") or _value(head.get("Remark")),
        "barcode_comment": said.get("barcode") or _value(head.get("PN")),
        "procedure": said.get("step_name"),
        "software_version": said.get("client_version"),
    }
    begin = table.column("unix_time_s")[0].as_py() if "unix_time_s" in table.column_names else None
    if begin:
        found["start_time"] = iso_of(float(begin))
    return grouped(found)


def _value(node: Any) -> Any:
    return node.get("Value") if isinstance(node, Mapping) else None


def _unknown(name: str, library: str, error: Exception) -> UnreadableError:
    error_text = " ".join(printable(str(error)).split())[:160]
    return UnreadableError(
        f"{name}: {library} cannot read this version of the format "
        f"({type(error).__name__}: {error_text}); export the test as text",
        cause="unreadable",
    )


FORMAT: Final = NewareBinary()
