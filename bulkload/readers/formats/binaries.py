"""Binary files through the libraries that know them: BioLogic .mpr, Neware .nda and .ndax."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.errors import MissingExtraError, UnreadableError
from bulkload.readers.content import FileContent, printable
from bulkload.readers.dialect import (
    MODE,
    RECORD,
    RECORD_CHARGE,
    Z_IM_NEGATED,
    ColumnRule,
    Dialect,
    Kind,
    Sign,
)
from bulkload.readers.formats.biologic import EXPORT
from bulkload.readers.metadata import grouped, merged
from bulkload.readers.normalise import read_grid
from bulkload.readers.probe import BIOLOGIC_BINARY, NEWARE_ARCHIVE, NEWARE_BINARY, Probe
from bulkload.readers.raw_columns import Raw
from bulkload.readers.reading import Evidence, Format, Reading, ReadOptions
from bulkload.readers.table_source import ArrayGrid
from bulkload.readers.timestamps import iso_of

NEWARE: Final = Dialect(
    name="Neware binary",
    cycler="Neware",
    signature=(("voltage v",), ("current ma",)),
    columns=(
        ColumnRule(RECORD, ("index",)),
        ColumnRule(terms.TIME, ("total time s",), unit="s"),
        ColumnRule(terms.VOLTAGE, ("voltage v",), unit="V"),
        ColumnRule(terms.CURRENT, ("current ma",), unit="mA"),
        ColumnRule(terms.CYCLE_FROM_CYCLER, ("cycle count",)),
        ColumnRule(terms.STEP_FROM_CYCLER, ("step count",)),
        ColumnRule(MODE, ("step type",), kind=Kind.TEXT),
    ),
    sign=Sign.CHARGE_POSITIVE,
)


class BioLogicBinary(Format):
    """An EC-Lab .mpr file, through galvani (GPL-3.0, an extra of its own)."""

    name = "biologic mpr"
    is_decisive = True

    @property
    def version(self) -> str:
        """The version of galvani."""
        return f"galvani {metadata.version('galvani')}"

    def sniff(self, probe: Probe) -> Evidence:
        """Look at the first bytes for the maker's words."""
        if probe.kind != BIOLOGIC_BINARY:
            return Evidence()
        return Evidence(fits=("begins with 'BIO-LOGIC MODULAR FILE'",))

    def read(self, probe: Probe, options: ReadOptions) -> Reading:
        """Read the records; their columns are those of the text export."""
        try:
            from galvani import BioLogic
        except ImportError as error:
            raise MissingExtraError("Reading BioLogic .mpr files", "biologic") from error
        try:
            file = BioLogic.MPRfile(io.BytesIO(probe.content.data))
        except Exception as error:  # a foreign parser: anything may come out
            raise _unknown(probe.name, "galvani", error) from error
        columns = _fields(file.data)
        reading = read_grid(ArrayGrid(columns, probe.name), BINARY, probe.name, options, _prepare)
        found: dict[str, Any] = {"cycler": "BioLogic"}
        if file.timestamp is not None:
            found["start_time"] = file.timestamp.isoformat() + "+00:00"
        return replace(reading, header=merged(grouped(found), reading.header))


BINARY: Final = replace(
    EXPORT,
    name="EC-Lab binary",
    columns=(*EXPORT.columns, ColumnRule(RECORD_CHARGE, ("dq",), unit="mAh")),
    # EC-Lab counts the oxidation of the working electrode as positive: for a cell, its charge.
    sign=Sign.CHARGE_POSITIVE,
)


def _fields(data: np.ndarray[Any, Any]) -> dict[str, pa.ChunkedArray]:
    names = data.dtype.names or ()
    return {name: pa.chunked_array([pa.array(np.ascontiguousarray(data[name]))]) for name in names}


def _prepare(raw: Raw) -> None:
    """Turn -Im(Z) round, and make the current that some techniques record as charge only."""
    negated = raw.columns.pop(Z_IM_NEGATED, None)
    if negated is not None:
        raw.columns[terms.Z_IM] = -np.asarray(negated, dtype=np.float64)
    charge = raw.columns.pop(RECORD_CHARGE, None)
    if terms.CURRENT in raw.columns or charge is None or terms.TIME not in raw.columns:
        return
    span = np.diff(np.asarray(raw.columns[terms.TIME], dtype=np.float64), prepend=np.nan)
    moved = np.asarray(charge, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        current = np.where(moved == 0.0, 0.0, moved * 3600.0 / span)
    raw.columns[terms.CURRENT] = current
    raw.decide(
        DecisionCode.CURRENT_DERIVED,
        "no current column: the charge of each record over its time, as EC-Lab's own export has it",
        evidence="record charge",
        rows=raw.rows,
    )


class NewareBinary(Format):
    """A .nda or .ndax file, through fastnda."""

    name = "neware nda"
    is_decisive = True

    @property
    def version(self) -> str:
        """The version of fastnda."""
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
        reading = read_grid(ArrayGrid(columns, probe.name), NEWARE, probe.name, options)
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
    words = " ".join(printable(str(error)).split())[:160]
    return UnreadableError(
        f"{name}: {library} cannot read this version of the format "
        f"({type(error).__name__}: {words}); export the test as text",
        cause="unreadable",
    )


BIOLOGIC_FORMAT: Final = BioLogicBinary()
NEWARE_FORMAT: Final = NewareBinary()
