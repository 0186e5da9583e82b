"""A survey as ``bulkload.toml``: a source a layout, with the figures as comments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bulkload.core.survey.layouts import ProposedLayout
from bulkload.core.survey.propose import Survey
from bulkload.sources.sheets.stated import SheetOptions
from bulkload.sources.toml_file import JobToml, TomlSource, write_job_toml


def write_survey_toml(
    path: Path, survey: Survey, sources: Sequence[Path], sheets: SheetOptions
) -> None:
    """Write the layouts that a survey proposes, each with how many paths fit it."""
    base = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links in it stay as they are
    remarks: list[tuple[int, str]] = [
        (-1, "Proposed by a survey; correct it. A layout that is marked 'as a plan' gives other"),
        (-1, "names than the survey proposes: run the survey's plan (--out) for those files."),
    ]
    proposed: list[TomlSource] = []
    for one in survey.layouts:
        remarks += [(len(proposed), remark) for remark in _remarks(one)]
        root = sources[0]
        proposed.append(TomlSource(path=_relative(root, base), layout=one.text))
    job = JobToml(
        sources=tuple(proposed),
        cells=None if sheets.cells is None else _relative(sheets.cells, base),
        tests=None if sheets.tests is None else _relative(sheets.tests, base),
        map=dict(sheets.columns),
    )
    write_job_toml(path, job, remarks)


def _remarks(one: ProposedLayout) -> list[str]:
    figures = f"{one.fitting} of {one.total} paths in {one.folder or 'the source'} fit"
    return [figures if one.is_exact else f"{figures}; as a plan"]


def _relative(path: Path, base: Path) -> str:
    whole = Path(os.path.abspath(path))  # noqa: PTH100
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else str(whole)
