"""The campaign checks over a plan: what all files of a cell show together."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from itertools import groupby

from bulkload.core.campaign import CampaignFinding, FileSummary, check_campaign


def summary_to_text(summary: FileSummary) -> str:
    """Return a file's summary as JSON: a few hundred bytes."""
    values = {field.name: getattr(summary, field.name) for field in fields(summary)}
    start = None if summary.start is None else summary.start.isoformat()
    return json.dumps(values | {"start": start})


def findings(reader: sqlite3.Connection, run: int) -> Iterator[tuple[str, CampaignFinding]]:
    """Yield what the files of each cell of a plan show together, with the cell's names."""
    rows = reader.execute(
        "SELECT spec, cell, summary FROM job WHERE plan_run=? AND summary IS NOT NULL "
        "ORDER BY spec, cell, id",
        (run,),
    )
    for (spec, cell), files in groupby(rows, key=lambda row: (row["spec"], row["cell"])):
        for finding in check_campaign([_summary(row["summary"]) for row in files]):
            yield f"{spec} / {cell}", finding


def _summary(text: str) -> FileSummary:
    values = json.loads(text)
    start = values["start"]
    return FileSummary(
        **values
        | {
            "start": None if start is None else datetime.fromisoformat(start),
            "figures": tuple(map(tuple, values["figures"])),
        }
    )
