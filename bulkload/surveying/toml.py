"""A survey as ``bulkload.toml``: sources with layouts, the figures and the doubts as comments."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bulkload.core.survey.content import ContentKind, kind_by_suffix
from bulkload.core.survey.dates import DateOrder
from bulkload.core.survey.layouts import ProposedLayout
from bulkload.core.survey.proposal import Proposal
from bulkload.core.survey.propose import Survey
from bulkload.core.survey.ways import Ways, runnable_ways
from bulkload.sources.jobfile.writing import Line, ProposedJob, ProposedSource, write_job_file
from bulkload.sources.sheets.stated import SheetOptions

#: What is put before paths of a source, its proposals, and its ways of naming.
_OfSource = tuple[str, list[Proposal], Ways]
_ORDERS: Final = {
    DateOrder.DMY: Line(text="day_first", remark="Dates in names have the day first."),
    DateOrder.MDY: Line(text="month_first", remark="Dates in names have the month first."),
}
#: Files left out that are named one by one: more of them are for the plan (``--out``).
MAX_EXCLUDED: Final = 200
#: What is not uploaded itself and must not be left out: what is in it, or beside it, would be too.
_LOOKED_INTO: Final = frozenset({ContentKind.METADATA, ContentKind.ARCHIVE})
#: Characters that mean something in a pattern.
_SPECIAL: Final = frozenset("\\*?[]!# ")


def write_survey_toml(
    path: Path,
    survey: Survey,
    sources: Sequence[Path],
    sheets: SheetOptions,
    cell_of: Callable[[str], str] = lambda name: name,
) -> None:
    """Write the layouts that a survey proposes, each with how many paths fit it.

    A layout that would read other names than are proposed is written as a comment. Of one that
    most of its paths follow, the few that it would misread are excluded. ``cell_of`` returns the
    cell that a name in a path means.
    """
    base = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links in it stay as they are
    order, found = _best(survey, sources, sheets.order, cell_of)
    job = ProposedJob(
        sources=[
            _source(_relative(source, base), *of_source)
            for source, of_source in zip(sources, found, strict=True)
        ],
        options=[] if order is None else [_ORDERS[order]],
        cells=None if sheets.cells is None else _relative(sheets.cells, base),
        tests=None if sheets.tests is None else _relative(sheets.tests, base),
        map=dict(sheets.columns),
        remarks=(
            "Proposed by a survey. Correct it, and give it to `bulkload plan` or `upload`.",
            "A layout that is a comment reads other names than the survey proposes, or a date",
            "that can be two: run the survey's plan (--out) for those files, and for those that",
            "are excluded because the layout would read something else.",
        ),
    )
    write_job_file(path, job)


def _best(
    survey: Survey,
    sources: Sequence[Path],
    declared: DateOrder | None,
    cell_of: Callable[[str], str],
) -> tuple[DateOrder | None, list[_OfSource]]:
    """Return the ways of each source, and the order of dates with which most files are read."""
    best: tuple[DateOrder | None, list[_OfSource]] | None = None
    for order in (None, *_ORDERS) if declared is None else (declared,):
        found = []
        for source in sources:
            prefix = "" if len(sources) == 1 else f"{source.name}/"
            proposals = [one for one in survey.proposals if one.facts.path.startswith(prefix)]
            layouts = [one for one in survey.layouts if one.text.startswith(prefix)]
            ways = runnable_ways(layouts, proposals, cell_of=cell_of, order=order)
            found.append((prefix, proposals, ways))
        if best is None or _unread(found) < _unread(best[1]):
            best = order, found
    assert best is not None
    return best


def _unread(found: Sequence[_OfSource]) -> int:
    return sum(ways.unread + len(ways.misread) for _, _, ways in found)


def _source(path: str, prefix: str, proposals: Sequence[Proposal], ways: Ways) -> ProposedSource:
    remarks = [f"{ways.unread:,} files fit none of the layouts."] if ways.unread else []
    excluded = [*_excluded(prefix, proposals)]
    if len(excluded) > MAX_EXCLUDED:
        remarks.append(f"{len(excluded):,} files are left out by the survey's plan (--out) only.")
        excluded = []
    # Never left away: without it the file would go under a wrong name.
    excluded += [
        Line(text=_pattern(name, prefix), remark=fault) for name, fault in ways.misread.items()
    ]
    return ProposedSource(
        path=path,
        layouts=[
            *(_line(one, prefix, is_active=True) for one in ways.active),
            *(_line(one, prefix, is_active=False) for one in ways.others),
        ],
        exclude=excluded,
        remarks=remarks,
    )


def _line(one: ProposedLayout, prefix: str, *, is_active: bool) -> Line:
    remark = f"{one.fitting} of {one.total} paths in {one.folder or 'the source'} fit"
    return Line(text=one.text.removeprefix(prefix), remark=remark, is_active=is_active)


def _excluded(prefix: str, proposals: Sequence[Proposal]) -> Iterator[Line]:
    """Yield patterns for the files that are not proposed for upload; an ending where all are."""
    by_ending: dict[str, list[Proposal]] = defaultdict(list)
    for one in proposals:
        by_ending[one.facts.path[one.facts.path.rfind(".") :].lower()].append(one)
    for ending, members in sorted(by_ending.items()):
        left_out = [
            one for one in members if one.upload is False and one.facts.kind not in _LOOKED_INTO
        ]
        rules = sorted({one.rule for one in left_out})
        # An ending that may hold data tomorrow is not left out as a whole.
        is_no_data = kind_by_suffix(ending) not in (None, ContentKind.ARCHIVE)
        if left_out and len(left_out) == len(members) and is_no_data:
            yield Line(text=f"*{ending}", remark=f"{len(members):,} files: {', '.join(rules)}")
            continue
        for one in left_out:
            yield Line(text=_pattern(one.facts.path, prefix), remark=one.rule)


def _pattern(path: str, prefix: str) -> str:
    """Return the pattern that matches one file of a source."""
    name = path.removeprefix(prefix)
    return "/" + "".join(f"\\{c}" if c in _SPECIAL else c for c in name)


def _relative(path: Path, base: Path) -> str:
    whole = Path(os.path.abspath(path))  # noqa: PTH100
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else str(whole)
