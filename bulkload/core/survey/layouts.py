"""The same as layouts, with figures: which pattern the paths of each folder follow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bulkload.core.path_layout import Layout, LayoutError
from bulkload.core.survey.marks import temperature_of
from bulkload.core.survey.proposal import Draft, Sureness

#: Paths that must share a pattern for it to count as a habit, not as a misfit among others.
HABIT: Final = 3
#: What stands between the parts of a name.
_SEPARATORS: Final = " _-."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedLayout:
    """A pattern that the paths of one folder follow, or of several whose names are in it."""

    #: The top folder below the source, empty for files in the source itself and for several.
    folder: str
    text: str
    fitting: int
    total: int
    #: As a ``--layout`` it gives, for every path that fits, the very fields of the proposal.
    is_exact: bool

    @property
    def is_parsable(self) -> bool:
        """Whether it can be written as a ``--layout`` at all."""
        return _parsed(self.text) is not None


def assign_layouts(drafts: Sequence[Draft]) -> list[ProposedLayout]:
    """Write each path as a pattern, and return the patterns of each folder with their figures."""
    by_folder: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        draft.proposal.layout = _pattern(draft)
        by_folder[draft.parts[0] if draft.folder else ""].append(draft)
    found: list[ProposedLayout] = []
    for folder, members in sorted(by_folder.items()):
        counts = Counter(draft.proposal.layout for draft in members)
        for text, count in counts.most_common():
            fitting = [draft for draft in members if draft.proposal.layout == text]
            found.append(
                ProposedLayout(
                    folder=folder, text=text, fitting=count, total=len(members),
                    is_exact=_is_exact(text, fitting),
                )
            )  # fmt: skip
        _note_misfits(members, counts)
    return _joined(found)


def _joined(found: Iterable[ProposedLayout]) -> list[ProposedLayout]:
    """Count a pattern of several folders once: their names are fields of it."""
    by_text: dict[str, ProposedLayout] = {}
    for one in found:
        first = by_text.get(one.text)
        by_text[one.text] = one if first is None else replace(
            first, folder="", fitting=first.fitting + one.fitting, total=first.total + one.total,
            is_exact=first.is_exact and one.is_exact,
        )  # fmt: skip
    return list(by_text.values())


def _note_misfits(members: Iterable[Draft], counts: Counter[str]) -> None:
    common = counts.most_common(1)[0][1]
    for draft in members:
        count = counts[draft.proposal.layout]
        draft.proposal.evidence.append(f"layout: {count} of {counts.total()} paths fit")
        if count < HABIT <= common and draft.proposal.upload is not False:
            draft.proposal.doubt(
                Sureness.LIKELY, "its name is written differently from those beside it"
            )


def _pattern(draft: Draft) -> str:
    folders = [_component(draft, index) for index in range(len(draft.folder))]
    return "/".join((*folders, _stem(draft) + ".*"))


def _component(draft: Draft, index: int) -> str:
    text = draft.parts[index]
    spans = sorted((start, end, field) for part, start, end, field in draft.spans if part == index)
    if not spans:
        return text if index == 0 else "*"
    shown, at = "", 0
    for start, end, field in spans:
        if start < at:
            continue
        shown += _between(text[at:start]) + f"{{{field}}}"
        at = end
    return shown + _between(text[at:])


def _between(text: str) -> str:
    """Write what stands between fields as a pattern; its outer separators end the fields."""
    core = text.strip(_SEPARATORS)
    return text.replace(core, "*", 1) if core else text


def _stem(draft: Draft) -> str:
    """Write the file's name as a pattern: what no field holds is the measurement's name."""
    last, text = len(draft.parts) - 1, draft.stem
    above = {field for part, _, _, field in draft.spans if part != last}
    spans = sorted((start, end, field) for part, start, end, field in draft.spans if part == last)
    pieces: list[str] = []
    at, is_named = 0, False
    for start, end, field in [*spans, (len(text), len(text), "")]:
        if start < at:
            continue
        between = text[at:start]
        core = between.strip(_SEPARATORS + "+")
        if core:
            lead, tail = between[: between.index(core)], between[between.index(core) + len(core) :]
            pieces.append(lead + ("*" if is_named else "{measurement}") + tail)
            is_named = True
        else:
            pieces.append(between)
        if field:
            pieces.append("*" if field in above else f"{{{field}}}")
            above.add(field)
        at = end
    return "".join(pieces)


def _is_exact(text: str, drafts: Iterable[Draft]) -> bool:
    """Return whether a layout reads every path as the proposal does."""
    layout = _parsed(text)
    return layout is not None and all(_agrees(layout, draft) for draft in drafts)


def _parsed(text: str) -> Layout | None:
    try:
        return Layout.parse(text)
    except LayoutError:
        return None


def _agrees(layout: Layout, draft: Draft) -> bool:
    path = draft.proposal.facts.path.split("/")
    fields = layout.match(path)
    if fields is None:
        return False
    one = draft.proposal
    if fields.get("cell", one.cell) != one.cell or fields["measurement"] != one.measurement:
        return False
    if fields.get("spec", one.spec) != one.spec:
        return False
    stated = fields.get("temperature")
    return stated is None or temperature_of(stated) == one.temperature_degc
