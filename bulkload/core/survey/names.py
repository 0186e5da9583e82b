"""The name of a measurement: what its file is called, without what other fields hold already."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bulkload.core.survey.proposal import Draft, Sureness
from bulkload.core.survey.vocabulary import GENERAL, words

_ENDS: Final = " _-.+~,;#()[]{}&@="
_GAP: Final = re.compile(r"([ _.+~,;-])[ _.+~,;-]*\Z")


def assign_names(drafts: Sequence[Draft]) -> None:
    """Name each measurement, so that no two of a cell have one name."""
    for draft in drafts:
        draft.proposal.measurement = _label(draft)
    kept = [draft for draft in drafts if draft.proposal.upload is not False]
    for tell in _DISTINCTIONS:
        for group in _clashing(kept):
            _distinguish(group, tell)
    for group in _clashing(kept):
        whole = [_without_cell(draft) for draft in group]
        if len(set(whole)) == len(group):
            for draft, name in zip(group, whole, strict=True):
                draft.proposal.measurement = name
    for group in _clashing(kept):
        for draft in group:
            draft.proposal.doubt(
                Sureness.OPEN,
                f"several files would be {draft.proposal.measurement!r} of this cell: rename them, "
                "or write no in column upload",
            )


def _distinguish(group: Sequence[Draft], tell: Callable[[Draft], str]) -> None:
    values = [tell(draft) for draft in group]
    if len(set(values)) > 1:
        for draft, value in zip(group, values, strict=True):
            name = draft.proposal.measurement
            draft.proposal.measurement = f"{name} {value}".strip() if value else name


def _label(draft: Draft) -> str:
    last = len(draft.parts) - 1
    removed = [(start, end) for part, start, end, _ in draft.spans if part == last]
    label = without(draft.stem, removed)
    if label and not set(words(label)) <= GENERAL:
        return label
    return _below_cell(draft) or _above_cell(draft) or label or "test"


def _without_cell(draft: Draft) -> str:
    last = len(draft.parts) - 1
    cells = [(a, b) for part, a, b, field in draft.spans if part == last and field == "cell"]
    return without(draft.stem, cells) or draft.stem


def _above_cell(draft: Draft) -> str:
    """Return the nearest folder above the cell that no other field holds and that says a thing."""
    taken = {part for part, _, _, _ in draft.spans}
    for level in range(len(draft.folder) - 1, -1, -1):
        part = draft.parts[level]
        if level not in taken and not set(words(part)) <= GENERAL:
            return part
    return ""


def _below_cell(draft: Draft) -> str:
    """Return the deepest folder below the cell that says something of the test."""
    levels = [part for part, _, _, field in draft.spans if field == "cell"]
    lowest = max((level for level in levels if level < len(draft.folder)), default=-1)
    for level in range(len(draft.folder) - 1, lowest, -1):
        removed = [(start, end) for part, start, end, _ in draft.spans if part == level]
        label = without(draft.parts[level], removed)
        if label and not set(words(label)) <= GENERAL:
            return label
    return ""


def without(text: str, removed: Iterable[tuple[int, int]]) -> str:
    """Return a name without some stretches; the separators around each become one."""
    kept, at = "", 0
    for start, end in sorted(removed):
        if start > at:
            kept = _joined(kept, text[at:start])
        at = max(at, end)
    return _joined(kept, text[at:]).strip(_ENDS)


def _joined(before: str, after: str) -> str:
    gap = _GAP.search(before)
    core = after.lstrip(" _.+~,;-")
    if not before.strip(_ENDS):
        return core
    if not core.strip(_ENDS):
        return before
    separator = gap[1] if gap else (after[: len(after) - len(core)][:1] or " ")
    return before.rstrip(" _.+~,;-") + separator + core


def _folder_below(draft: Draft) -> str:
    below = _below_cell(draft)
    return "" if below in draft.proposal.measurement else below


def _temperature(draft: Draft) -> str:
    value = draft.proposal.temperature_degc
    return "" if value is None else f"{value:g}degC"


#: What distinguishes measurements of one name, in the order in which it is tried.
_DISTINCTIONS: Final[tuple[Callable[[Draft], str], ...]] = (
    _temperature,
    lambda draft: draft.proposal.start_time[:10],
    _folder_below,
    lambda draft: draft.proposal.start_time[11:].replace(":", ""),
    lambda draft: f"channel {draft.proposal.channel}" if draft.proposal.channel else "",
    lambda draft: draft.proposal.facts.path.rpartition(".")[2],
)


def _clashing(drafts: Iterable[Draft]) -> list[list[Draft]]:
    groups: dict[tuple[str, str, str], list[Draft]] = defaultdict(list)
    for draft in drafts:
        one = draft.proposal
        if one.cell:
            groups[one.spec, one.cell, one.measurement.casefold()].append(draft)
    return [group for group in groups.values() if len(group) > 1]
