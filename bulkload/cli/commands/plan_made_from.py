"""What a written plan carries, so that ``upload plan.xlsx`` needs no option again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bulkload.cli.jobs.folder import absolute
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.shared import PrepareArguments, SourceOptions
from bulkload.clock import SystemClock
from bulkload.core.plan_items import CellMetadata
from bulkload.journal import Store
from bulkload.sources.plan_sheets import Carried


def carried_of(
    store: Store,
    sources: Sequence[str],
    source_options: SourceOptions,
    prepare_arguments: PrepareArguments,
) -> Carried:
    """Return what the plan in a journal needs beside its rows, and what it was made from."""
    cells = [
        CellMetadata(spec=row["spec"], cell=row["cell"], payload=json.loads(row["payload"]))
        for row in store.rows("cells")
    ]
    return Carried(
        specifications={
            row["name"]: json.loads(row["payload"]) for row in store.rows("specifications")
        },
        cells=cells,
        options=dict(_options(source_options, prepare_arguments)),
        made_from=[*_made_from(sources, source_options)],
    )


def _options(
    source_options: SourceOptions, prepare_arguments: PrepareArguments
) -> Iterator[tuple[str, Any]]:
    """Yield the options that say how files are read, where they are not the defaults."""
    for one in fields(prepare_arguments):
        value = getattr(prepare_arguments, one.name)
        if value != one.default:
            yield one.name, str(value.resolve()) if isinstance(value, Path) else value
    for name in ("day_first", "month_first"):
        if getattr(source_options.sheet_arguments, name):
            yield name, True


def _made_from(
    sources: Sequence[str], source_options: SourceOptions
) -> Iterator[tuple[str, str, str]]:
    yield "made", "at", SystemClock().now().isoformat(" ", "seconds")
    yield "made", "command", this_command()
    sheets = source_options.sheet_arguments
    for source in absolute(sources):
        yield "source", source, _described(Path(source))
    for path in (source_options.specs, sheets.cells, sheets.tests):
        if path is not None:
            yield "file", str(path.resolve()), _described(path)


def _described(path: Path) -> str:
    """Return what identifies a file as it is now: its size and SHA-256; of others their kind."""
    if not path.is_file():
        return "folder" if path.is_dir() else ""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{path.stat().st_size:,} bytes, SHA-256 {digest}"
