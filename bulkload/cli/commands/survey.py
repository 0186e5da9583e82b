"""``bulkload survey``: look at an archive as it is, and propose a plan with evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.commands.survey_database import survey_database
from bulkload.cli.live.view import shown_live
from bulkload.cli.options.shared import SheetArguments
from bulkload.cli.output.console import counted, say, show_problems
from bulkload.cli.output.json_documents import AsJson, SurveyDocument, print_document
from bulkload.cli.output.json_lines import SurveyedFile
from bulkload.clock import SystemClock
from bulkload.core.issues import Severity
from bulkload.core.snapshot import StageName
from bulkload.core.survey.content import ContentKind
from bulkload.core.survey.proposal import SURENESS_WORDS, Proposal, Sureness
from bulkload.core.survey.propose import Knowledge, Survey
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.databases.engines.urls import looks_like_url
from bulkload.engine.progress import Progress
from bulkload.errors import PlanError, SettingsError
from bulkload.sources.sheets.stated import StatedSheets, read_sheets
from bulkload.sources.writers import WRITERS
from bulkload.surveying.earlier_plan import EarlierPlan
from bulkload.surveying.plan_file import base_of, plan_path, write_survey
from bulkload.surveying.surveyor import default_workers, survey_sources
from bulkload.surveying.toml import write_survey_toml

#: Examples shown of each warning, and layouts of each folder.
EXAMPLES: Final = 3
SHOWN_LAYOUTS: Final = 3


def survey(
    *sources: Annotated[str, Parameter(negative=())],
    sheet_arguments: SheetArguments = SheetArguments(),
    out: Path | None = None,
    toml: Path | None = None,
    workers: int | None = None,
    as_json: AsJson = False,
) -> int:
    """Look at an archive as it is, and propose a plan with evidence; sends nothing.

    Opens the beginning of each file. Exits with 3 where a person has to settle something.

    Parameters
    ----------
    sources
        Folders, zip archives, or the URL of a database. A plan among them keeps its rows: only
        files that it does not have are proposed.
    out
        Write a plan (.xlsx, .csv or .parquet). Each file is a row, with guesses and their
        evidence; correct it, and give it to `upload`.
    toml
        Write the layouts as a bulkload.toml. It has comments.
    workers
        Processes that look at files. One for each core by default.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    if not sources:
        raise SettingsError("name at least one source: a folder, or a zip archive")
    if looks_like_url(sources[0]):
        return survey_database(sources[0], toml)
    console = Console(quiet=as_json)
    options = sheet_arguments.sheet_options()
    stated, problems = read_sheets(options)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    # Each cell that was not understood, all at once: a person corrects them in one go.
    for problem in errors:
        say(console, printable(problem.message), style="bold")
    others = [problem for problem in problems if problem.severity is not Severity.ERROR]
    show_problems(console, others, len(others))
    paths, earlier = _sources(sources, out)
    progress = Progress(SystemClock(), [StageName.PLAN, StageName.LOOK])

    def on_look(done: int, of: int) -> None:
        progress.planned = of
        progress.stages.done[StageName.LOOK] = progress.counts["looked at"] = done

    with shown_live(Console(stderr=True), progress.snapshot):
        found = survey_sources(
            paths,
            _knowledge(stated, sheet_arguments),
            workers=workers or default_workers(),
            on_found=progress.found,
            on_look=on_look,
        )
    if not found.proposals:
        raise PlanError(f"no file was found in {', '.join(sources)}: name a folder with data files")
    whole = found
    if earlier.rows and out is not None:
        found = earlier.new_in(whole, lambda path: plan_path(path, paths, base_of(out)))
        say(
            console,
            f"{counted(len(earlier.rows), 'row')} of the plan stay as they are; the new ones are:",
        )
    _show(console, found, stated)
    if out is not None:
        _keep(console, out, sources)
        rows = write_survey(out, found, paths, stated.cells, earlier)
        say(console, printable(f"{rows:,} rows written to {out}: correct it, then upload it"))
    if toml is not None:
        write_survey_toml(
            toml, whole, paths, options, lambda name: stated.known.whole(name) or name
        )
        say(console, printable(f"layouts written to {toml}"))
    is_open = any(one.sureness is Sureness.OPEN or one.upload is None for one in found.proposals)
    code = ExitCode.PARTIAL if is_open or errors else ExitCode.ARRIVED
    return print_document(_document(found, out, code)) if as_json else code


def _sources(sources: Sequence[str], out: Path | None) -> tuple[list[Path], EarlierPlan]:
    """Return what is surveyed, and the plan among the sources."""
    plans = [source for source in map(Path, sources) if source.suffix.lower() in WRITERS]
    paths = [source for source in map(Path, sources) if source not in plans]
    if not plans:
        return paths, EarlierPlan()
    if len(plans) > 1 or not paths or out is None or base_of(out) != base_of(plans[0]):
        raise SettingsError(
            "a plan is surveyed again with the folders that it is of, and one at a time: "
            f"bulkload survey {plans[0]} FOLDER --out {plans[0]}"
        )
    return paths, EarlierPlan.read(plans[0])


def _keep(console: Console, out: Path, sources: Sequence[str]) -> None:
    """Keep a plan that is there, which may have been corrected, beside the one to be written."""
    if out.is_file() and str(out) not in sources:
        kept = out.replace(out.with_stem(f"{out.stem}.before"))
        say(
            console,
            printable(
                f"{out} existed, and is now {kept}; to keep its rows, name it among the sources"
            ),
        )


def _document(found: Survey, out: Path | None, code: ExitCode) -> SurveyDocument:
    return SurveyDocument(
        files=[
            SurveyedFile(
                path=one.facts.path,
                size_bytes=one.facts.size_bytes,
                kind=one.facts.kind.value,
                reader=one.facts.reader,
                upload=one.upload,
                rule=one.rule,
                spec=one.spec,
                cell=one.cell,
                measurement=one.measurement,
                sureness=SURENESS_WORDS[one.sureness],
                evidence=one.evidence,
                warnings=one.warnings,
            )
            for one in found.proposals
        ],
        layouts=[
            {"folder": one.folder, "layout": one.text, "fitting": one.fitting, "total": one.total}
            for one in found.layouts
        ],
        out=None if out is None else str(out),
        exit_code=code,
    )


def _knowledge(stated: StatedSheets, arguments: SheetArguments) -> Knowledge:
    cells = stated.cells.cells.values()
    by_channel = Counter(record.channel for record in cells if record.channel)
    return Knowledge(
        cells=stated.known,
        spec_of={record.name: record.spec for record in cells if record.spec},
        batch_of={record.name: record.batch for record in cells if record.batch},
        channels={
            record.channel: record.name for record in cells if by_channel[record.channel] == 1
        },
        test_of=stated.tests.of,
        order=arguments.order(),
    )


def _show(console: Console, found: Survey, stated: StatedSheets) -> None:
    proposals = found.proposals
    total = sum(one.facts.size_bytes for one in proposals)
    say(console, f"{counted(len(proposals), 'file')}, {total / 1e6:,.1f} MB", style="bold")
    kinds = Counter(one.facts.kind for one in proposals)
    for kind, count in kinds.most_common():
        say(console, f"  {count:,} {kind.value}{_examples(proposals, kind)}")
    data = [one for one in proposals if one.facts.kind is ContentKind.DATA]
    vendors = Counter(one.facts.vendor for one in data)
    for vendor, count in vendors.most_common():
        size = sum(one.facts.size_bytes for one in data if one.facts.vendor == vendor)
        say(console, f"  {vendor}: {counted(count, 'file')}, {size / 1e6:,.1f} MB")
    days = sorted(one.start_time[:10] for one in data if one.start_time)
    if days:
        say(console, f"dates in names: {len(days):,} of {len(data):,}, {days[0]} to {days[-1]}")
    named = {one.cell for one in data if one.cell}
    if stated.known:
        say(
            console,
            f"{len(named & set(stated.known.names)):,} of {len(stated.known.names):,} cells of the "
            "sheet found in paths",
        )
    _show_layouts(console, found)
    _show_decisions(console, proposals)
    _show_warnings(console, proposals)


def _examples(proposals: Sequence[Proposal], kind: ContentKind) -> str:
    if kind is ContentKind.DATA:
        return ""
    names = [one.facts.path for one in proposals if one.facts.kind is kind]
    more = f" and {len(names) - EXAMPLES:,} more" if len(names) > EXAMPLES else ""
    return printable(f": {', '.join(names[:EXAMPLES])}{more}")


def _show_layouts(console: Console, found: Survey) -> None:
    by_folder: dict[str, int] = {}
    say(console, "layouts", style="bold")
    for one in found.layouts:
        by_folder[one.folder] = by_folder.get(one.folder, 0) + 1
        if by_folder[one.folder] <= SHOWN_LAYOUTS:
            say(console, printable(f"  {one.text}: {one.fitting} of {one.total} paths fit"))
    for folder, count in by_folder.items():
        if count > SHOWN_LAYOUTS:
            say(console, printable(f"  {folder}: {count - SHOWN_LAYOUTS} more ways of naming"))


def _show_decisions(console: Console, proposals: Sequence[Proposal]) -> None:
    sure = Counter(one.sureness for one in proposals if one.upload is not False)
    told = ", ".join(
        f"{count:,} {SURENESS_WORDS[word]}" for word, count in sorted(sure.items(), reverse=True)
    )
    say(console, f"proposed for upload: {sure.total():,} ({told})", style="bold")
    rules = Counter(one.rule for one in proposals if one.upload is False)
    for rule, count in rules.most_common():
        say(console, f"  left out: {rule} ({count:,})")
    joined = sum(bool(one.continues) for one in proposals)
    if joined:
        say(console, f"  {joined:,} files continue where another ends (column goes_on_from)")


def _show_warnings(console: Console, proposals: Sequence[Proposal]) -> None:
    grouped: dict[str, list[str]] = {}
    for one in proposals:
        for warning in one.warnings:
            grouped.setdefault(_form(warning), []).append(f"{one.facts.path}: {warning}")
    for examples in sorted(grouped.values(), key=len, reverse=True):
        say(console, f"to look at ({len(examples):,})", style="yellow")
        for example in examples[:EXAMPLES]:
            say(console, printable(f"  {example}"))


def _form(warning: str) -> str:
    """Return a warning without what differs from file to file."""
    return " ".join(word for word in warning.split() if word.isalpha())
