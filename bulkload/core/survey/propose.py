"""From what is known of every file to a proposal for each: the whole of the survey's thinking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bulkload.core.survey.assign import (
    assign_batches,
    assign_cells,
    assign_marks,
    assign_specifications,
    assign_temperatures,
)
from bulkload.core.survey.assign_dates import assign_dates
from bulkload.core.survey.cells import KnownCells
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.dates import DateOrder
from bulkload.core.survey.layouts import ProposedLayout, assign_layouts
from bulkload.core.survey.names import assign_names
from bulkload.core.survey.proposal import Draft, FileFacts, Proposal, StatedTest, Sureness
from bulkload.core.survey.relations import mark_copies, mark_forms, mark_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What people have stated beside the files."""

    cells: KnownCells = field(default_factory=lambda: KnownCells(()))
    #: Cell -> specification, and cell -> batch, of the sheet of cells.
    spec_of: Mapping[str, str] = field(default_factory=dict)
    batch_of: Mapping[str, str] = field(default_factory=dict)
    #: Channel -> cell, where the sheet states it for one cell alone.
    channels: Mapping[str, str] = field(default_factory=dict)
    #: Folder -> name of the specification that a ``spec.*`` in it states.
    noted: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    #: What a sheet of tests states, by path, cell and measurement.
    test_of: Callable[[str, str, str], StatedTest | None] = lambda *_: None
    #: The order of day and month, where it is declared.
    order: DateOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Every file with its proposal, and the layouts of the folders."""

    proposals: Sequence[Proposal]
    layouts: Sequence[ProposedLayout]


def propose(files: Sequence[FileFacts], knowledge: Knowledge) -> Survey:
    """Propose a row of the plan for every file, in the order given."""
    proposals = [Proposal(facts=facts) for facts in files]
    drafts = [
        Draft.of(proposal) for proposal in proposals if proposal.facts.kind is ContentKind.DATA
    ]
    for proposal in proposals:
        if proposal.facts.kind is not ContentKind.DATA:
            _leave_out(proposal)
    assign_cells(drafts, knowledge.cells, knowledge.channels)
    assign_batches(drafts)
    assign_marks(drafts)
    assign_dates(drafts, knowledge.order)
    assign_temperatures(drafts)
    for draft in drafts:
        _from_sheet(draft.proposal, knowledge)
    assign_specifications(drafts, knowledge.noted)
    mark_copies(drafts)
    mark_forms(drafts)
    mark_parts(drafts)
    assign_names(drafts)
    for draft in drafts:
        _from_tests(draft.proposal, knowledge)
    layouts = assign_layouts(drafts)
    return Survey(proposals=proposals, layouts=layouts)


def _leave_out(proposal: Proposal) -> None:
    kind = proposal.facts.kind
    proposal.leave_out(kind.name.lower(), proposal.facts.remark or f"{kind.value}, not a test")
    if kind in (ContentKind.UNKNOWN_TABLE, ContentKind.CUT_SHORT, ContentKind.UNREADABLE):
        proposal.doubt(Sureness.LIKELY, "look at it: it may be a test that cannot be read as it is")


def _from_tests(proposal: Proposal, knowledge: Knowledge) -> None:
    """Take from the sheet of tests what it states of the file; it overrides any guess."""
    facts = proposal.facts
    test = knowledge.test_of(facts.path, proposal.cell, proposal.measurement)
    if test is None:
        return
    proposal.evidence.append(f"row {test.row} of the sheet of tests is about this file")
    cell = test.names.get("cell", "")
    proposal.cell = (knowledge.cells.whole(cell) or cell) if cell else proposal.cell
    proposal.spec = test.names.get("spec") or knowledge.spec_of.get(proposal.cell, proposal.spec)
    proposal.batch = test.names.get("batch") or proposal.batch
    proposal.measurement = test.names.get("measurement") or proposal.measurement
    proposal.start_time = test.fields.get("start_time", proposal.start_time)
    protocol = test.fields.get("protocol", {})
    degrees = protocol.get("ambient_temperature_degc", proposal.temperature_degc)
    proposal.temperature_degc = degrees


def _from_sheet(proposal: Proposal, knowledge: Knowledge) -> None:
    """Take from the sheet of cells what it states of the cell."""
    spec = knowledge.spec_of.get(proposal.cell)
    if spec:
        proposal.spec = spec
        proposal.evidence.append("spec: as the sheet of cells has it")
    batch = knowledge.batch_of.get(proposal.cell)
    if batch:
        if proposal.batch and proposal.batch.casefold() != batch.casefold():
            proposal.evidence.append(f"batch: the path names {proposal.batch}")
        proposal.batch = batch
