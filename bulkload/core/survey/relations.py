"""Files that belong together: copies, two forms of one test, and parts of one test."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bulkload.core.survey.marks import MarkKind
from bulkload.core.survey.names import without
from bulkload.core.survey.proposal import Draft, Sureness
from bulkload.core.survey.vocabulary import COPY_FOLDERS, words

#: Endings of the forms in which makers give one test, the one that is proposed first: a maker's
#: text states its units and start and needs no further package, but only where a reader knows it.
FORMS: Final = (
    (".mpt", ".mpr"),
    (".csv", ".txt", ".xlsx", ".xls", ".ndax", ".nda"),
    (".csv", ".xlsx", ".res"),
    (".bdf.parquet", ".parquet", ".bdf.csv", ".csv"),
)
#: What makers' programs add to the name of what they export.
_EXPORTED: Final = re.compile(
    r"[ _-](?:export(?:ed)?|wb[ _]?\d+|channel[ _]?\d+(?:[._]\d+)?)\Z", re.IGNORECASE
)
#: What people add to the name of the file that goes on.
_GOES_ON: Final = re.compile(
    r"[ _.-]+(?:resumed?|restart(?:ed)?|continued?|cont|continuation|fortsetzung|forts|weiter|suite"
    r"|continuacion|continuación|续)\Z",
    re.IGNORECASE,
)
BINARY: Final = frozenset({".mpr", ".nda", ".ndax", ".res"})
#: Reason given for a choice between forms, by the ending that is kept.
_REASONS: Final = {
    ".mpt": "the maker's text states its units and needs no further package",
}


def mark_copies(drafts: Iterable[Draft]) -> None:
    """Keep one of several files of equal content; what speaks of two cells is left to a person."""
    for group in _groups((draft.proposal.facts.digest, draft) for draft in drafts):
        first, *others = sorted(group, key=_originality)
        cells = {draft.proposal.cell for draft in group if draft.proposal.cell}
        for other in others:
            path = first.proposal.facts.path
            other.proposal.copy_of = path
            if len(cells) > 1:
                continue
            other.proposal.leave_out("copy", f"same content as {path}")
            # Whatever its name leaves open: nothing of it is uploaded.
            other.proposal.sureness = Sureness.SURE
            other.proposal.warnings.clear()
        if len(cells) > 1:
            named = " and ".join(sorted(cells))
            for draft in group:
                draft.proposal.upload = None
                draft.proposal.doubt(
                    Sureness.OPEN,
                    f"the same content lies under the cells {named}: say which it is of "
                    "(upload: yes or no)",
                )


def _originality(draft: Draft) -> tuple[bool, bool, int, str]:
    """Sort the file that others are copies of first."""
    marked = any(mark.kind is MarkKind.COPY for mark in draft.marks[-1])
    in_backup = any(set(words(folder)) & COPY_FOLDERS for folder in draft.folder)
    return marked, in_backup, len(draft.proposal.facts.path), draft.proposal.facts.path


def mark_forms(drafts: Iterable[Draft]) -> None:
    """Propose the better of two forms in which a maker gave one test."""
    kept = [draft for draft in drafts if draft.proposal.upload is not False]
    # First within a folder, then over folders (raw/x.nda, export/x.csv) of the same cell.
    for is_wide in (False, True):
        groups = _groups((_form_key(draft, is_wide=is_wide), draft) for draft in kept)
        for group in groups:
            _choose_form([draft for draft in group if draft.proposal.upload is not False])


def _form_key(draft: Draft, *, is_wide: bool) -> tuple[object, ...]:
    stem = _EXPORTED.sub("", draft.stem.casefold())
    if not is_wide:
        return ("", draft.folder, stem)
    cell, vendor = draft.proposal.cell, draft.proposal.facts.vendor
    return (cell, vendor, stem) if cell and vendor else ()


def _choose_form(group: Sequence[Draft]) -> None:
    suffixes = [draft.suffix for draft in group]
    if len(group) < 2 or len(set(suffixes)) < len(group) or not BINARY & set(suffixes):
        return
    order = next((form for form in FORMS if set(suffixes) <= set(form)), None)
    if order is None:
        return
    first, *others = sorted(group, key=lambda draft: order.index(draft.suffix))
    reason = _REASONS.get(first.suffix, "the maker's export is read without a further package")
    first.proposal.evidence.append(
        f"another form of this test: {', '.join(sorted(draft.suffix for draft in others))}; "
        f"this one is proposed: {reason}"
    )
    for other in others:
        other.proposal.other_form_of = first.proposal.facts.path
        other.proposal.leave_out("other_form", f"another form of {first.proposal.facts.path}")


def mark_parts(drafts: Iterable[Draft]) -> None:
    """Mark the files that continue another: by part numbers, or by record numbers."""
    open_drafts = [draft for draft in drafts if draft.proposal.upload is not False]
    for group in _groups((_part_key(draft), draft) for draft in open_drafts):
        ordered = sorted(group, key=lambda draft: draft.proposal.part or 0)
        last = ordered[-1].proposal.part
        for before, after in itertools.pairwise(ordered):
            if (after.proposal.part or 0) - (before.proposal.part or 0) == 1:
                after.proposal.continues = before.proposal.facts.path
                after.proposal.evidence.append(f"part {after.proposal.part} of {last}")
    _by_words(open_drafts)
    _by_records(open_drafts)


def _part_key(draft: Draft) -> tuple[object, ...]:
    found = next((mark for mark in draft.marks[-1] if mark.kind is MarkKind.PART), None)
    if found is None or found.number is None:
        return ()
    draft.proposal.part = int(found.number)
    last = len(draft.parts) - 1
    removed = [(start, end) for part, start, end, _ in draft.spans if part == last]
    rest = without(draft.stem, [*removed, (found.start, found.end)])
    return (draft.folder, draft.proposal.cell, rest.casefold(), draft.suffix)


def _by_words(drafts: Iterable[Draft]) -> None:
    """Join a file called "... cont" to the one of that name without the word."""
    by_name = {(draft.folder, draft.stem.casefold()): draft for draft in drafts}
    for (folder, stem), draft in by_name.items():
        before = by_name.get((folder, _GOES_ON.sub("", stem)))
        if before is not None and before is not draft and not draft.proposal.continues:
            draft.proposal.continues = before.proposal.facts.path
            draft.proposal.evidence.append("its name says that it goes on")


def _by_records(drafts: Iterable[Draft]) -> None:
    """Join files of a cell whose record numbers run on."""
    for group in _groups((_record_key(draft), draft) for draft in drafts):
        ending = {
            draft.proposal.facts.records[1]: draft
            for draft in group
            if draft.proposal.facts.records
        }
        for draft in group:
            records = draft.proposal.facts.records
            before = None if records is None else ending.get(records[0] - 1)
            if before is None or draft.proposal.continues or before is draft:
                continue
            draft.proposal.continues = before.proposal.facts.path
            draft.proposal.doubt(
                Sureness.LIKELY,
                f"its record numbers run on from {before.proposal.facts.path}: it may go on with "
                "that test",
            )


def _record_key(draft: Draft) -> tuple[object, ...]:
    facts = draft.proposal.facts
    if facts.records is None or not draft.proposal.cell or facts.records[0] < 1:
        return ()
    return (draft.proposal.cell, facts.reader)


def _groups(keyed: Iterable[tuple[object, Draft]]) -> Iterator[list[Draft]]:
    """Yield groups of two and more; an empty key is in none."""
    groups: dict[object, list[Draft]] = defaultdict(list)
    for key, draft in keyed:
        if key:
            groups[key].append(draft)
    yield from (group for group in groups.values() if len(group) > 1)
