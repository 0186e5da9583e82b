"""Tables in memory as a source: written to files beside a manifest that names them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bulkload.sources.writers import write_table

#: Tables, or dicts of arrays, by specification, cell and measurement.
Frames = Mapping[tuple[str, str, str], Any]
MANIFEST: Final = "manifest.csv"


def write_frames(source: pd.DataFrame | Frames, folder: Path) -> Path:
    """Write a table with a manifest's columns, or tables of measurements; return the manifest.

    A table that cannot be written as Parquet is written as text, so that reading it says what is
    wrong with it, and the others are not held up.

    Side effects: files in ``folder``, made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    if isinstance(source, pd.DataFrame):
        table = source.assign(path=[str(Path(path).absolute()) for path in source["path"]])
        table.to_csv(manifest, index=False)
        return manifest
    rows = [
        {
            "spec": spec, "cell": cell, "measurement": measurement,
            "path": str(_write(frame, folder / f"{at:06d}").absolute()),
        }
        for at, ((spec, cell, measurement), frame) in enumerate(source.items())
    ]  # fmt: skip
    write_table(manifest, rows, ("spec", "cell", "measurement", "path"))
    return manifest


def _write(frame: Any, stem: Path) -> Path:
    binary, text = stem.with_suffix(".parquet"), stem.with_suffix(".csv")
    try:
        table = frame.to_pandas() if hasattr(frame, "to_pandas") else pd.DataFrame(frame)
    except (TypeError, ValueError) as error:
        text.write_text(f"not a table: {error}\n", "utf-8")
        return text
    try:
        table.to_parquet(binary, index=False)
    # What Arrow raises for a column of mixed values derives from these two.
    except (TypeError, ValueError):
        binary.unlink(missing_ok=True)
        table.to_csv(text, index=False)
        return text
    return binary
