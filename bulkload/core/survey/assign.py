"""From marks and names to the fields of a row: cell, date, temperature, channel, batch, rate."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from bulkload.core.survey.cells import KnownCells, NamedCell
from bulkload.core.survey.marks import SURE_RATE_BELOW, SURE_TEMPERATURE_FROM, Mark, MarkKind
from bulkload.core.survey.proposal import Draft, Sureness
from bulkload.core.survey.structure import CellGuess, guess_cells, shape
from bulkload.core.survey.vocabulary import BATCH_WORDS, GENERAL, TESTS, has_any, words

_FIELD: Final = re.compile(r"[^_\s-]+")
#: Different cells that a field of the names in a folder must name to be believed.
PLACES_THAT_PROVE: Final = 3
_BATCH: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:" + "|".join(sorted(BATCH_WORDS, key=len, reverse=True)) + r")"
    r"[ _.#-]?(?P<name>[A-Za-z]{0,3}\d[\w-]{0,11}|[A-Z])(?![A-Za-z0-9])",
    re.IGNORECASE,
)


def assign_cells(drafts: Sequence[Draft], known: KnownCells, channels: Mapping[str, str]) -> None:
    """Find the cell of each file: by the sheet's names, else by channel, else by structure.

    ``channels`` gives the cell of a channel that the sheet states for one cell alone.
    """
    unnamed: list[Draft] = []
    for draft in drafts:
        found = known.find(draft.parts) if known else []
        if found:
            _by_sheet(draft, found)
        elif not _by_channel(draft, channels):
            unnamed.append(draft)
    for draft in drafts:
        draft.drop_marks_of_cell()
    if known:
        for draft in _by_place(unnamed, known):
            draft.proposal.doubt(
                Sureness.OPEN, "no name from the sheet of cells is in its path: fill in the cell"
            )
        return
    guesses = guess_cells([draft.parts for draft in unnamed])
    for index, draft in enumerate(unnamed):
        _by_structure(draft, guesses.get(index))
        draft.drop_marks_of_cell()


def _by_sheet(draft: Draft, found: Sequence[NamedCell]) -> None:
    found = _without_lists(found)
    names = {one.name for one in found}
    deepest = max(found, key=lambda one: one.component)
    proposal = draft.proposal
    if len(names) > 1:
        proposal.doubt(Sureness.OPEN, f"its path names several cells: {', '.join(sorted(names))}")
        return
    draft.spans += [(one.component, one.start, one.end, "cell") for one in found]
    if deepest.others:
        proposal.doubt(
            Sureness.OPEN,
            f"{deepest.name} and {', '.join(deepest.others)} of the sheet are written alike",
        )
        return
    proposal.cell = deepest.name
    written = draft.parts[deepest.component][deepest.start : deepest.end]
    where = "file name" if deepest.component == len(draft.parts) - 1 else "folder"
    also = "" if written == deepest.name else f", written {written}"
    proposal.evidence.append(f"cell: {where} names {deepest.name} of the sheet{also}")


def _without_lists(found: Sequence[NamedCell]) -> Sequence[NamedCell]:
    """Leave out folders that list several cells (A1 to A4) where the file's own part names one."""
    by_part: dict[int, set[str]] = defaultdict(set)
    for one in found:
        by_part[one.component].add(one.name)
    single = [one for one in found if len(by_part[one.component]) == 1]
    deepest = max(by_part)
    return single if len(by_part[deepest]) == 1 else found


def _by_place(drafts: Sequence[Draft], known: KnownCells) -> list[Draft]:
    """Take bare numbers and short names for cells where a field of every name is one of the sheet.

    Of every name in a folder, or in the folders that differ in their numbers. Returns the files
    that stay without a cell.
    """
    left = _placed(drafts, known, lambda draft: draft.folder)
    return _placed(left, known, lambda draft: tuple(map(shape, draft.folder)))


def _placed(
    drafts: Sequence[Draft], known: KnownCells, group_of: Callable[[Draft], tuple[str, ...]]
) -> list[Draft]:
    groups: dict[tuple[str, ...], list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[group_of(draft)].append(draft)
    left: list[Draft] = []
    for members in groups.values():
        fields = [list(_FIELD.finditer(draft.stem)) for draft in members]
        places = [
            at
            for at in range(min(map(len, fields)))
            if all(map(partial(_cell_at, known, at), members, fields))
            and len({found[at][0] for found in fields}) >= PLACES_THAT_PROVE
        ]
        if len(places) != 1:
            left += members
            continue
        for draft, found in zip(members, fields, strict=True):
            field = found[places[0]]
            draft.proposal.cell = _cell_at(known, places[0], draft, found)
            draft.spans.append((len(draft.parts) - 1, field.start(), field.end(), "cell"))
            draft.proposal.evidence.append(
                f"cell: field {places[0] + 1} of all {len(members)} names here is one of the sheet"
            )
            draft.proposal.doubt(
                Sureness.LIKELY, f"{field[0]} is taken for the cell {draft.proposal.cell!r}"
            )
    return left


def _cell_at(known: KnownCells, at: int, draft: Draft, fields: Sequence[re.Match[str]]) -> str:
    """Return the cell that a field of a name stands for, empty for none."""
    field = fields[at]
    # C10 is a rate, whatever cell it would shorten.
    is_marked = any(
        mark.start < field.end() and field.start() < mark.end for mark in draft.marks[-1]
    )
    return known.whole(field[0]) or (not is_marked and known.abbreviated(field[0])) or ""


def _by_channel(draft: Draft, channels: Mapping[str, str]) -> bool:
    found = [mark.text for part in draft.marks for mark in part if mark.kind is MarkKind.CHANNEL]
    cell = channels.get(found[0]) if len(set(found)) == 1 else None
    if cell is None:
        return False
    draft.proposal.cell = cell
    draft.proposal.evidence.append(f"cell: the sheet states channel {found[0]} for {cell} alone")
    draft.proposal.doubt(Sureness.LIKELY, "known by its channel only: channels are used again")
    return True


def _by_structure(draft: Draft, guess: CellGuess | None) -> None:
    proposal = draft.proposal
    if guess is None:
        proposal.doubt(Sureness.OPEN, "nothing in its path names the cell: fill it in")
        return
    proposal.cell = guess.name
    draft.spans.append((guess.component, guess.start, guess.end, "cell"))
    stem, last = draft.stem, len(draft.parts) - 1
    if guess.component != last:
        place = stem.casefold().find(guess.name.casefold())
        if place >= 0:
            draft.spans.append((last, place, place + len(guess.name), "cell"))
    proposal.evidence.append(f"cell: {guess.evidence}")
    if not guess.is_sure:
        proposal.doubt(Sureness.LIKELY, "the cell follows from the structure of the names alone")


def assign_batches(drafts: Sequence[Draft]) -> None:
    """Take the batch that a folder or a name states with its word (batch, lot, Charge, ...)."""
    for draft in drafts:
        for index, part in enumerate(draft.parts):
            found = _BATCH.search(part)
            if found is not None and not draft.proposal.batch:
                draft.proposal.batch = found["name"]
                draft.spans.append((index, found.start(), found.end(), "batch"))
                draft.proposal.evidence.append(f"batch: {part[found.start() : found.end()]!r}")


def assign_marks(drafts: Sequence[Draft]) -> None:
    """Take channels and rates as they are written, a channel of a folder too."""
    for draft in drafts:
        for index in reversed(range(len(draft.parts))):
            for mark in draft.marks[index]:
                if mark.kind is MarkKind.CHANNEL and not draft.proposal.channel:
                    draft.proposal.channel = mark.text
                    draft.spans.append((index, mark.start, mark.end, "channel"))
        rates = [mark.text for mark in draft.marks[-1] if mark.kind is MarkKind.RATE]
        draft.proposal.rate = draft.proposal.rate or next(iter(rates), "")


_TEMPERATURES: Final = frozenset(
    (MarkKind.TEMPERATURE, MarkKind.RATE, MarkKind.RATE_OR_TEMPERATURE, MarkKind.MAYBE_TEMPERATURE)
)


def assign_temperatures(drafts: Sequence[Draft]) -> None:
    """Take temperatures; ``5C`` to ``12C`` only where its siblings settle what it is."""
    groups: dict[object, list[float]] = defaultdict(list)
    key_of = _group_key
    for draft in drafts:
        for index, found in enumerate(draft.marks):
            for mark in found:
                if mark.number is not None and mark.kind in _TEMPERATURES:
                    groups[key_of(draft, index, mark)].append(mark.number)
    for draft in drafts:
        _take_temperature(draft, lambda d, i, m: groups[key_of(d, i, m)])


def _group_key(draft: Draft, index: int, mark: Mark) -> tuple[object, ...]:
    """Name the place of a mark: the same component, as many marks and separators before it."""
    before = draft.parts[index][: mark.start]
    top = draft.parts[0] if draft.folder else ""
    return (top, index, len(draft.parts), before.count("_"), before.count("-"), before.count(" "))


def _take_temperature(
    draft: Draft, siblings: Callable[[Draft, int, Mark], Sequence[float]]
) -> None:
    found = [
        (index, mark)
        for index, in_part in enumerate(draft.marks)
        for mark in in_part
        if _is_temperature(draft, mark, siblings(draft, index, mark))
    ]
    if not found:
        return
    deepest = max(index for index, _ in found)
    at_deepest = [mark for index, mark in found if index == deepest]
    values = {mark.number for mark in at_deepest}
    draft.spans += [(index, mark.start, mark.end, "temperature") for index, mark in found]
    proposal = draft.proposal
    if len(values) > 1:
        named = ", ".join(sorted(mark.text for mark in at_deepest))
        proposal.doubt(Sureness.OPEN, f"its path states several temperatures: {named}")
        return
    if any(mark.is_weak for mark in at_deepest):
        proposal.doubt(Sureness.OPEN, f"the hyphen before {at_deepest[0].text} may be a minus")
        return
    proposal.temperature_degc = values.pop()
    if {mark.number for _, mark in found} != {proposal.temperature_degc}:
        proposal.doubt(Sureness.LIKELY, "a folder above it states another temperature")


def _is_temperature(draft: Draft, mark: Mark, siblings: Sequence[float]) -> bool:
    if mark.kind is MarkKind.MAYBE_TEMPERATURE:
        return _is_usual(draft, mark, siblings)
    if mark.kind is not MarkKind.RATE_OR_TEMPERATURE:
        return mark.kind is MarkKind.TEMPERATURE
    kind = _settled(draft, mark, siblings)
    if kind is MarkKind.RATE:
        draft.proposal.rate = draft.proposal.rate or mark.text
    elif kind is None:
        draft.proposal.doubt(
            Sureness.OPEN,
            f"{mark.text} can be a rate or a temperature: fill in ambient_temperature_degc if it "
            "is one",
        )
    return kind is MarkKind.TEMPERATURE


def _is_usual(draft: Draft, mark: Mark, siblings: Sequence[float]) -> bool:
    """Take T25 for a temperature where nothing else states one, and warn of it."""
    if any(one.kind is MarkKind.TEMPERATURE for part in draft.marks for one in part):
        return False
    if not any(value >= SURE_TEMPERATURE_FROM or value < 0 for value in siblings):
        draft.proposal.warnings.append(f"{mark.text} may be a temperature; it is not taken for one")
        return False
    draft.proposal.doubt(Sureness.LIKELY, f"{mark.text} is taken for {mark.number:g} °C")
    return True


def _settled(draft: Draft, mark: Mark, siblings: Sequence[float]) -> MarkKind | None:
    """Settle ``10C`` by what else its own path states, then by the names beside it."""
    others = [one for part in draft.marks for one in part if one is not mark]
    if any(one.kind is MarkKind.TEMPERATURE for one in others):
        return MarkKind.RATE
    if any(one.kind is MarkKind.RATE and not one.is_weak for one in others):
        return MarkKind.TEMPERATURE
    hot = sum(abs(value) >= SURE_TEMPERATURE_FROM for value in siblings)
    slow = sum(0 < value < SURE_RATE_BELOW for value in siblings)
    if hot and not slow:
        return MarkKind.TEMPERATURE
    if slow and not hot:
        return MarkKind.RATE
    return None


def assign_specifications(drafts: Sequence[Draft], noted: Mapping[tuple[str, ...], str]) -> None:
    """Find the specification: of a ``spec.*`` file, else the folder above the cells.

    ``noted`` gives the name that a folder's ``spec.*`` states.
    """
    for draft in drafts:
        if draft.proposal.spec:
            continue
        chain = [draft.folder[:depth] for depth in range(len(draft.folder), -1, -1)]
        named = next((noted[folder] for folder in chain if folder in noted), None)
        if named is not None:
            draft.proposal.spec = named
            draft.proposal.evidence.append("spec: a spec file beside the data names it")
            continue
        _folder_above(draft)


def _folder_above(draft: Draft) -> None:
    cells = [part for part, _, _, field in draft.spans if field == "cell"]
    # Above a cell that is a folder of its own; the folder of many cells' files may be anything.
    level = min(cells, default=0) - 1 if min(cells, default=0) < len(draft.folder) else -1
    while level >= 0 and _is_general(draft, level):
        level -= 1
    if not draft.proposal.cell:
        # It follows from the cell, which is asked for already.
        return
    if level < 0:
        draft.proposal.doubt(Sureness.OPEN, "nothing states the specification: fill it in")
        return
    draft.proposal.spec = draft.parts[level]
    draft.spans.append((level, 0, len(draft.parts[level]), "spec"))
    draft.proposal.evidence.append("spec: the folder above its cell")
    draft.proposal.doubt(Sureness.LIKELY, "the specification is the name of a folder")


def _is_general(draft: Draft, level: int) -> bool:
    part = draft.parts[level]
    marked = any(mark.start == 0 and mark.end == len(part) for mark in draft.marks[level]) or any(
        place == level for place, _, _, _ in draft.spans
    )
    return marked or not words(part) or has_any(part, GENERAL | TESTS)
