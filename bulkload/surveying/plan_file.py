"""A survey as a plan: every file a row, with its guesses, their evidence and how sure they are.

A workbook has the specifications and the cells in sheets of their own; any other form has them in
files beside it. What the plan states is what ``upload`` does: nothing is guessed there.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from bulkload.core.sheets.cell_table import CellTable
from bulkload.core.survey.proposal import SURENESS_WORDS, Proposal
from bulkload.core.survey.propose import Survey
from bulkload.sources.columns import COLUMNS, DECISION_COLUMNS, NOTE_COLUMNS, Cell
from bulkload.sources.plan_sheets import CELLS, SPECIFICATIONS, flat_payload
from bulkload.sources.writers import Sheet, write_table
from bulkload.surveying.earlier_plan import EarlierPlan, columns_of

#: What a person looks at first, then what the plan states, then the evidence.
_FIRST: Final = (*DECISION_COLUMNS, "sureness", "warnings")
PLAN_COLUMNS: Final = (
    *_FIRST,
    *COLUMNS,
    *(column for column in NOTE_COLUMNS if column not in _FIRST),
)
#: Evidence of one row is cut to this many characters: a cell of a spreadsheet has its limit.
MAX_EVIDENCE_CHARACTERS: Final = 2000


def write_survey(
    path: Path,
    survey: Survey,
    sources: Sequence[Path],
    table: CellTable,
    earlier: EarlierPlan,
) -> int:
    """Write a survey as a plan, after the rows of an earlier one; return the number of its rows.

    Paths are relative to the plan's folder where the files lie below it.

    Side effects: the file, and for a form without sheets two files beside it.
    """
    rows = chain(earlier.rows, survey_rows(survey, sources, base_of(path)))
    sheets = {
        name: earlier.with_rows(name, sheet) for name, sheet in _sheets(survey, table).items()
    }
    return write_table(path, rows, columns_of(PLAN_COLUMNS, earlier.rows), sheets)


def base_of(plan: Path) -> Path:
    """Return the folder from which the paths of a plan count."""
    return Path(os.path.abspath(plan)).parent  # noqa: PTH100 - links in it stay as they are


def survey_rows(survey: Survey, sources: Sequence[Path], base: Path) -> Iterator[dict[str, Cell]]:
    """Yield the rows of a proposed plan; paths below ``base`` are relative to it."""
    return (_row(one, sources, base) for one in survey.proposals)


def _row(proposal: Proposal, sources: Sequence[Path], base: Path) -> dict[str, Cell]:
    facts = proposal.facts
    modified = dt.datetime.fromtimestamp(facts.modified_s, dt.UTC).isoformat(timespec="seconds")
    return {
        "upload": None if proposal.upload is None else "yes" if proposal.upload else "no",
        "rule": proposal.rule or None,
        "sureness": SURENESS_WORDS[proposal.sureness],
        "warnings": _joined(proposal.warnings),
        "spec": proposal.spec or None,
        "cell": proposal.cell or None,
        "batch": proposal.batch or None,
        "measurement": proposal.measurement or None,
        "path": plan_path(facts.path, sources, base),
        "start_time": proposal.start_time or None,
        "ambient_temperature_degc": proposal.temperature_degc,
        "channel": proposal.channel or None,
        "evidence": _joined(proposal.evidence),
        "kind": facts.kind.value,
        "vendor": facts.vendor or None,
        "size_bytes": float(facts.size_bytes),
        "modified": modified if facts.modified_s else None,
        "rate": proposal.rate or None,
        "part": None if proposal.part is None else float(proposal.part),
        "layout": proposal.layout or None,
        "copy_of": proposal.copy_of or None,
        "other_form_of": proposal.other_form_of or None,
        "goes_on_from": _continued(proposal, sources, base),
    }


def _continued(proposal: Proposal, sources: Sequence[Path], base: Path) -> str | None:
    """Return the file that a part goes on from, as the column ``continues`` would have it."""
    return plan_path(proposal.continues, sources, base) if proposal.continues else None


def _joined(sentences: Sequence[str]) -> str | None:
    return "; ".join(dict.fromkeys(sentences))[:MAX_EVIDENCE_CHARACTERS] or None


def plan_path(shown: str, sources: Sequence[Path], base: Path) -> str:
    """Return where a path of the survey lies, as a path from the plan's folder where it can be."""
    first = sources[0]
    # Of several sources each path begins with the name of its own.
    top = shown.partition("/")[0]
    if len(sources) > 1:
        root = next((source for source in sources if source.name == top), first).parent
    else:
        root = first if first.is_dir() else first.parent
    whole = os.path.abspath(root / shown)  # noqa: PTH100 - links in it stay as they are
    if Path(whole).is_relative_to(base):
        return Path(whole).relative_to(base).as_posix()
    return whole


def _sheets(survey: Survey, table: CellTable) -> dict[str, Sheet]:
    """Return the sheets of specifications and cells; what is stated nowhere has rows to fill in."""
    specs: dict[str, dict[str, Any]] = {
        name: dict(payload) for name, payload in table.specifications.items()
    }
    cells: dict[str, dict[str, Cell]] = {}
    for record in table.cells.values():
        row: dict[str, Cell] = {"cell": record.name, "spec": record.spec, "batch": record.batch}
        for key in ("date_manufactured", "notes"):
            row[key] = record.payload.get(key)
        row |= dict(
            flat_payload(
                record.payload.get("measured_properties", {}), "measured_properties", in_ah=True
            )
        )
        cells[record.name] = row
    for one in survey.proposals:
        if one.upload is False or not one.cell:
            continue
        if one.spec:
            specs.setdefault(one.spec, {"name": one.spec})
        cells.setdefault(one.cell, {"cell": one.cell, "spec": one.spec, "batch": one.batch})
    spec_rows = [dict(flat_payload(payload, "", in_ah=True)) for payload in specs.values()]
    wanted = ("name", "form_factor", "capacity [A.h]", "voltage_min [V]", "voltage_max [V]")
    spec_columns = dict.fromkeys([*wanted, *(key for row in spec_rows for key in row)])
    cell_columns = dict.fromkeys(
        ["cell", "spec", "batch", *(key for row in cells.values() for key in row)]
    )
    return {
        SPECIFICATIONS: Sheet(tuple(spec_columns), spec_rows),
        CELLS: Sheet(tuple(cell_columns), list(cells.values())),
    }
