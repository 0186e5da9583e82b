"""The layouts of a survey as ways of naming that can be run: what they read is what is proposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bulkload.core.layouts import Layouts, Way
from bulkload.core.path_layout import Layout
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.dates import Order, date_of
from bulkload.core.survey.layouts import ProposedLayout
from bulkload.core.survey.marks import temperature_of
from bulkload.core.survey.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Ways:
    """The layouts to be tried one after the other, and those that cannot be run so."""

    active: tuple[ProposedLayout, ...]
    #: They read other names out of some path than the survey proposes.
    others: tuple[ProposedLayout, ...]
    #: Files to be uploaded that no active layout reads.
    unread: int


def runnable_ways(
    layouts: Sequence[ProposedLayout],
    proposals: Sequence[Proposal],
    *,
    cell_of: Callable[[str], str] = lambda name: name,
    order: Order | None = None,
) -> Ways:
    """Choose the layouts that, tried in turn, read every path as it is proposed.

    ``cell_of`` returns the cell that a name in a path means, by the sheet of cells.
    """
    data = [
        (one.facts.path.split("/"), one)
        for one in proposals
        if one.facts.kind is ContentKind.DATA and one.upload is not False
    ]
    needed = {one.layout for _, one in data}
    parsed = {
        one.text: (one, Layout.parse(one.text))
        for one in layouts
        if one.is_parsable and one.text in needed
    }
    ordered = sorted(parsed, key=lambda text: (-_literal(text), text))
    while True:
        ways = Layouts(tuple(parsed[text][1] for text in ordered))
        wrong, unread = set[str](), 0
        for path, proposal in data:
            way = ways.first(path)
            unread += way is None
            if way is not None and not _agrees(way, path, proposal, cell_of, order):
                wrong.add(way.text)
        if not wrong:
            break
        ordered = [text for text in ordered if text not in wrong]
    active = tuple(parsed[text][0] for text in ordered)
    others = tuple(one for one in layouts if one.text in needed and one.text not in ordered)
    return Ways(active, others, unread)


def _literal(text: str) -> int:
    """Return how many characters a layout states itself: the more, the fewer paths it fits."""
    is_inside, count = False, 0
    for character in text:
        is_inside = character == "{" or (is_inside and character != "}")
        count += not is_inside and character not in "}*"
    return count


def _agrees(
    way: Way,
    path: Sequence[str],
    proposal: Proposal,
    cell_of: Callable[[str], str],
    order: Order | None,
) -> bool:
    fields = way.match(path)
    if fields is None:
        return False
    # Without the field nothing says which cell it is.
    if proposal.cell and "cell" not in fields:
        return False
    stated = {
        "measurement": fields["measurement"]
        + (f" part {fields['part']}" if "part" in fields else ""),
        "cell": cell_of(fields["cell"]) if "cell" in fields else "",
        "spec": fields.get("spec", proposal.spec),
        "batch": fields.get("batch", proposal.batch),
    }
    if any(getattr(proposal, name) != value for name, value in stated.items()):
        return False
    try:
        day = date_of(fields["date"], order) or "" if "date" in fields else proposal.start_time
    except ValueError:
        return False
    temperature = fields.get("temperature")
    return day == proposal.start_time and (
        proposal.temperature_degc
        == (proposal.temperature_degc if temperature is None else temperature_of(temperature))
    )
