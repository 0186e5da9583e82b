"""The layouts of a survey as ways of naming that can be run: what they read is what is proposed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bulkload.core.address import layout_parts
from bulkload.core.layouts import Layouts, Way
from bulkload.core.path_layout import Layout
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.dates import DateOrder, date_of
from bulkload.core.survey.layouts import HABIT, ProposedLayout
from bulkload.core.survey.marks import temperature_of
from bulkload.core.survey.proposal import Proposal
from bulkload.core.text import shown

#: Paths that a layout may misread and be run all the same, each of them excluded by name: a person
#: looks at a few; of more the layout is not what the names follow.
MAX_MISREAD: Final = 20


@dataclass(frozen=True, slots=True)
class Ways:
    """The layouts to be tried one after the other, and those that cannot be run so."""

    active: tuple[ProposedLayout, ...]
    #: They read other names out of some path than the survey proposes.
    others: tuple[ProposedLayout, ...]
    #: Files to be uploaded that no active layout reads.
    unread: int
    #: Path -> what an active layout would misread in it: these have to be excluded.
    misread: Mapping[str, str] = field(default_factory=dict)


def runnable_ways(
    layouts: Sequence[ProposedLayout],
    proposals: Sequence[Proposal],
    *,
    cell_of: Callable[[str], str] = lambda name: name,
    order: DateOrder | None = None,
) -> Ways:
    """Choose the layouts that, tried in turn, read every path as it is proposed.

    A layout that several paths follow stays, and the few that it misreads are named.
    ``cell_of`` returns the cell that a name in a path means, by the sheet of cells.
    """
    data = [
        # As the plan reads them: in an archive there are two forms.
        ([*layout_parts(tuple(one.facts.path.split("/")))], one)
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
        right, unread = Counter[str](), 0
        misread: dict[str, dict[str, str]] = defaultdict(dict)
        for forms, proposal in data:
            found = next(((way, one) for one in forms if (way := ways.first(one))), None)
            if found is None:
                unread += 1
                continue
            way, path = found
            fault = _fault(way, path, proposal, cell_of, order)
            if fault is None:
                right[way.text] += 1
            else:
                misread[way.text][proposal.facts.path] = fault
        wrong = [text for text, paths in misread.items() if not _holds(right[text], len(paths))]
        if not wrong:
            break
        # One at a time: its paths go to the next layout that they fit, if there is one.
        ordered.remove(max(wrong, key=lambda text: (len(misread[text]) - right[text], text)))
    active = tuple(parsed[text][0] for text in ordered)
    others = tuple(one for one in layouts if one.text in needed and one.text not in ordered)
    named = {path: fault for paths in misread.values() for path, fault in paths.items()}
    return Ways(active, others, unread, named)


def _holds(right: int, misread: int) -> bool:
    """Return whether a layout is a habit with exceptions, not an exception itself."""
    return right >= HABIT and misread <= MAX_MISREAD


def _literal(text: str) -> int:
    """Return how many characters a layout states itself: the more, the fewer paths it fits."""
    is_inside, count = False, 0
    for character in text:
        is_inside = character == "{" or (is_inside and character != "}")
        count += not is_inside and character not in "}*"
    return count


def _fault(
    way: Way,
    path: Sequence[str],
    proposal: Proposal,
    cell_of: Callable[[str], str],
    order: DateOrder | None,
) -> str | None:
    """Return what a layout misreads in a path that it fits, None where it reads what is proposed.

    Without a field for the cell nothing says which cell it is.
    """
    fields = way.match(path) or {}
    part = f" part {fields['part']}" if "part" in fields else ""
    read: dict[str, object] = {
        "measurement": fields.get("measurement", "") + part,
        "cell": cell_of(fields["cell"]) if "cell" in fields else "",
        "spec": fields.get("spec", proposal.spec),
        "batch": fields.get("batch", proposal.batch),
    }
    if "date" in fields:
        try:
            read["start_time"] = date_of(fields["date"], order) or ""
        except ValueError as error:
            return f"the layout would read the date {shown(fields['date'])}: it {error}"
    if "temperature" in fields:
        read["temperature_degc"] = temperature_of(fields["temperature"])
    for name, value in read.items():
        proposed = getattr(proposal, name)
        if value != proposed:
            label = name.partition("_")[0] if name != "start_time" else "date"
            return f"the layout would read {label} {_said(value)}, proposed is {_said(proposed)}"
    return None


def _said(value: object) -> str:
    return "none" if value in ("", None) else shown(value) if isinstance(value, str) else f"{value}"
