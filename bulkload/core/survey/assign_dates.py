"""From dates in names to the day of a measurement: one order for names that are written alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from bulkload.core.survey.dates import DateOrder, DateVerdict, folder_date, settle
from bulkload.core.survey.marks import Mark, MarkKind
from bulkload.core.survey.proposal import Draft, Sureness
from bulkload.core.survey.structure import shape

#: Folders from the source down that are one person's habit.
NEAR_LEVELS: Final = 2

_Dated = tuple[Draft, int, Mark]


def assign_dates(drafts: Sequence[Draft], declared: DateOrder | None) -> None:
    """Settle, for names that are written alike, the order of day and month, and take the date."""
    groups: dict[object, list[_Dated]] = defaultdict(list)
    for draft in drafts:
        for index, found in enumerate(draft.marks):
            for mark in found:
                if mark.kind is MarkKind.DATE:
                    key = (draft.parts[0] if draft.folder else "", mark.is_weak, shape(mark.text))
                    groups[key].append((draft, index, mark))
    chosen: dict[int, list[tuple[int, Mark, str]]] = defaultdict(list)
    for group in groups.values():
        _settle_group(group, declared, chosen)
    for draft in drafts:
        for index in range(len(draft.folder) - 2):
            year, month, day = draft.folder[index : index + 3]
            moment = folder_date(year, month, day)
            if moment is not None:
                text = f"{year}/{month}/{day}"
                mark = Mark(kind=MarkKind.DATE, start=0, end=len(day), text=text)
                chosen[id(draft)].append((index + 2, mark, moment))
                draft.spans += [(index, 0, len(year), "*"), (index + 1, 0, len(month), "*")]
    for draft in drafts:
        _take_date(draft, chosen.get(id(draft), []))


def _settle_group(
    group: Sequence[_Dated],
    declared: DateOrder | None,
    chosen: dict[int, list[tuple[int, Mark, str]]],
) -> None:
    is_weak = group[0][2].is_weak
    verdict = settle(
        [mark.readings for _, _, mark in group],
        [draft.proposal.facts.days_inside for draft, _, _ in group],
        declared=declared,
        is_weak=is_weak,
    )
    proving = _proving_folders(group, verdict.order)
    for draft, index, mark in group:
        moments = {reading.moment for reading in mark.readings}
        by_order = {reading.order: reading.moment for reading in mark.readings}
        if verdict.order is not None:
            chosen[id(draft)].append((index, mark, by_order[verdict.order]))
            if len(moments) > 1 or is_weak:
                draft.proposal.evidence.append(f"date: {verdict.evidence}")
                _doubt(draft, mark, verdict, is_proved_here=draft.folder[:NEAR_LEVELS] in proving)
        elif len(moments) == 1 and not is_weak:
            chosen[id(draft)].append((index, mark, moments.pop()))
        elif is_weak:
            draft.proposal.warnings.append(f"{mark.text} may be a date; it is not taken for one")
        else:
            readings = " or ".join(sorted(moments))
            draft.proposal.doubt(
                Sureness.OPEN,
                f"{mark.text} can be {readings}: give --day-first or --month-first, or fill in "
                "start_time",
            )
            draft.spans.append((index, mark.start, mark.end, "date"))


def _proving_folders(group: Sequence[_Dated], order: DateOrder | None) -> set[tuple[str, ...]]:
    """Return the folders whose own names prove the order: people differ, a folder seldom does."""
    by_folder: dict[tuple[str, ...], list[_Dated]] = defaultdict(list)
    for one in group:
        by_folder[one[0].folder[:NEAR_LEVELS]].append(one)
    found: set[tuple[str, ...]] = set()
    for folder, members in by_folder.items():
        alone = settle(
            [mark.readings for _, _, mark in members],
            [draft.proposal.facts.days_inside for draft, _, _ in members],
        )
        if alone.order is order:
            found.add(folder)
    return found


def _doubt(draft: Draft, mark: Mark, verdict: DateVerdict, *, is_proved_here: bool) -> None:
    """Warn of a date whose order rests on weaker evidence than its own folder's."""
    if not verdict.is_proved:
        draft.proposal.doubt(Sureness.LIKELY, f"{mark.text}: {verdict.evidence}")
    elif not (is_proved_here or verdict.is_declared) and len(mark.readings) > 1:
        draft.proposal.doubt(
            Sureness.LIKELY,
            f"{mark.text}: only names in other folders prove the order of day and month",
        )


def _take_date(draft: Draft, found: Sequence[tuple[int, Mark, str]]) -> None:
    if not found:
        return
    deepest = max(index for index, _, _ in found)
    at_file = [(mark, moment) for index, mark, moment in found if index == deepest]
    days = {moment[:10] for _, moment in at_file}
    for index, mark, _ in found:
        draft.spans.append((index, mark.start, mark.end, "date"))
    proposal = draft.proposal
    if len(days) > 1:
        inside = days & set(proposal.facts.days_inside)
        if len(inside) != 1:
            proposal.doubt(
                Sureness.OPEN, f"its name states several dates: {', '.join(sorted(days))}"
            )
            return
        days = inside
    day = days.pop()
    # The finest of those that agree: a stamp with the time of day beside a bare date.
    proposal.start_time = max((m for _, m in at_file if m.startswith(day)), key=len)
    others = set(proposal.facts.days_inside)
    if others and day not in others:
        proposal.warnings.append(f"its beginning states {', '.join(sorted(others)[:2])}, not {day}")
