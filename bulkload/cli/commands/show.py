"""``bulkload show``: everything about one file, or about one measurement of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
from cyclopts import Parameter
from rich.console import Console

from bulkload.archives.access import on_disk
from bulkload.cli.commands.detect import describe
from bulkload.cli.commands.show_details import Details, findings_of, header_of, record_of, source_of
from bulkload.cli.commands.show_plot import Plots, plotted
from bulkload.cli.jobs.folder import studio_of, target_in
from bulkload.cli.options.shared import (
    CheckOptions,
    PrepareArguments,
    SheetArguments,
    SourceOptions,
)
from bulkload.cli.output.help_format import READING, RUN
from bulkload.cli.output.json_documents import AsJson, ShowDocument, print_document
from bulkload.cli.output.json_lines import ShownItem
from bulkload.client.http.events import unobserved
from bulkload.core.address import is_elsewhere, is_url
from bulkload.core.lifecycle import SourcePrepared, SourceRejected
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import Prepared, PrepareOptions, PrepareTask
from bulkload.core.tally import ExitCode
from bulkload.core.terms import JobKey
from bulkload.engine.jobs import prepared_event, rejected_event
from bulkload.engine.single_flight import one_error
from bulkload.engine.studios import opener
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import ClientError, SettingsError
from bulkload.journal import JobRow, Store
from bulkload.journal.acceptance import acceptance_of
from bulkload.journal.treatments import treatment_of
from bulkload.journal.whole import WholeJob
from bulkload.readers import ReadOptions, list_members, load_dialects, read
from bulkload.settings import RunSettings
from bulkload.worker.prepare import prepare

#: Status of an answer about what is not there.
NOT_FOUND: Final = 404


def show(
    what: str,
    /,
    *,
    check_options: CheckOptions = CheckOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    day_first: Annotated[bool, Parameter(negative=(), group=READING)] = False,
    month_first: Annotated[bool, Parameter(negative=(), group=READING)] = False,
    job: Annotated[Path | None, Parameter(group=RUN)] = None,
    studio: Annotated[bool, Parameter(negative=(), group=RUN)] = False,
    plot: Annotated[
        tuple[Path, ...] | None, Parameter(consume_multiple=(0, 1), negative=(), group=RUN)
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show everything about one file, or about one measurement of a job.

    A file is read as `bulkload check` reads it: what it is and by what evidence, its columns, what
    was decided and changed, what the checks found, and its header. With --job the journal answers.
    Exits with 3 if the file cannot be sent, or the measurement did not arrive.

    Parameters
    ----------
    what
        A file; with --job a measurement's name, id or file.
    day_first
        Dates such as 03.04.2023 have the day first.
    month_first
        They have the month first.
    job
        Folder of the job whose journal answers.
    studio
        Ask Studio too what it holds. Only with --job.
    plot
        Plot voltage and current, flagged rows marked. Here, or into a file (.png, .svg).
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    console = Console(quiet=as_json)
    drawn = None if plot is None else Plots(console, next(iter(plot), None))
    if job is not None:
        document = _show_journal(console, what, job, asks_studio=studio, plots=drawn)
        return print_document(document) if as_json else document.exit_code
    if studio:
        raise SettingsError("--studio needs --job: the journal knows what a file became in Studio")
    if not is_elsewhere(what) and not Path(what).is_file():
        raise SettingsError(f"{what} is not a file; for a measurement name its job with --job")
    dates = SheetArguments(day_first=day_first, month_first=month_first)
    prepare_options = prepare_arguments.prepare_options(SourceOptions(sheet_arguments=dates))
    with on_disk(what) as path:
        document = _show_file(
            console, what, path, check_options.checks(), prepare_options, plots=drawn
        )
    return print_document(document) if as_json else document.exit_code


def _show_file(
    console: Console,
    what: str,
    path: Path,
    checks: Checks,
    prepare_options: PrepareOptions,
    *,
    plots: Plots | None,
) -> ShowDocument:
    dialects = prepare_options.dialects
    options = ReadOptions(
        reader=prepare_options.reader,
        dialects=() if dialects is None else load_dialects(Path(dialects)),
        day_first=prepare_options.day_first,
        voltage=prepare_options.voltage,
        voltage_window=checks.voltage_window,
        rated_capacity=checks.rated_capacity,
    )
    file = describe(console, what, options)
    if file.reader is None:
        return ShowDocument(what=what, file=file, items=(), exit_code=ExitCode.PARTIAL)
    is_fit = True
    items = []
    for member in list_members(path, options) or (None,):
        key = JobKey("", "", path.stem if member is None else member)
        task = PrepareTask(
            job=UploadJob(key=key, path=what, member=member),
            checks=checks,
            prepare_options=prepare_options,
            spool_path=None,
            plots_whole=plots is not None,
        )
        details = Details(console, "" if member is None else f"test {member}")
        if member is not None:
            details.title()
        answer = prepare(task)
        if isinstance(answer, Prepared):
            source_of(details, prepared_event(answer))
            findings_of(details, answer.warnings)
            series = read(path, replace(options, member=member))
            header_of(details, series.header, answer.header)
            details.section("verdict", ["fit to be uploaded"])
        else:
            is_fit = False
            if answer.provenance:
                source_of(details, rejected_event(path, answer))
            findings_of(details, answer.issues)
            if answer.remedy is not None:
                details.section("would pass with", [str(answer.remedy)])
            details.section("verdict", [f"rejected: {answer.cause}", answer.message])
        items.append(details.item())
        if plots is not None:
            plots.draw(answer.excerpt, f"{path.name}{f', test {member}' if member else ''}")
    code = ExitCode.ARRIVED if is_fit else ExitCode.PARTIAL
    return ShowDocument(what=what, file=file, items=items, exit_code=code)


def _show_journal(
    console: Console, what: str, job_dir: Path, *, asks_studio: bool, plots: Plots | None
) -> ShowDocument:
    states: list[str] = []
    items: list[ShownItem] = []
    with WholeJob(job_dir) as whole:
        for store in whole.stores():
            for row in store.named(what, what if is_url(what) else str(Path(what).resolve())):
                states.append(row.state_text)
                items.append(_show_row(console, store, row, job_dir, asks_studio=asks_studio))
                if plots is not None:
                    plots.draw(plotted(store, row), str(row.key))
    if not states:
        raise SettingsError(
            f"{job_dir} holds no measurement with the name, the id or the file {what}"
        )
    code = ExitCode.ARRIVED if set(states) <= {"ready", "existing"} else ExitCode.PARTIAL
    return ShowDocument(what=what, file=None, items=items, exit_code=code)


def _show_row(
    console: Console, store: Store, row: JobRow, job_dir: Path, *, asks_studio: bool
) -> ShownItem:
    details = Details(console, str(row.key))
    details.title()
    details.section("file", [row.job.place])
    source = store.last_read(row.id)
    if isinstance(source, SourcePrepared) or (source is not None and source.provenance):
        source_of(details, source)
    if isinstance(source, SourcePrepared):
        found = (f"{code}: {message}" for code, message in source.warnings)
        details.section("findings", found)
    if isinstance(source, SourceRejected):
        found = (f"{code}: {message}" for code, message in source.findings)
        details.section("findings", found)
        details.section("would pass with", filter(None, [source.remedy]))
    details.section("chosen by a retry", filter(None, [str(treatment_of(store, row.id))]))
    if (mark := acceptance_of(store, row.id)) is not None:
        details.section("accepted", [f"by {mark.accepted_by}: {mark.reason}"])
    reason = [row.message] if row.message else []
    verdict = [row.state_text, *([row.cause] if row.cause else []), *reason]
    details.section("state", verdict)
    details.section(
        "journal",
        (
            f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC  {name}"
            for at, name in store.history(row.id)
        ),
    )
    if asks_studio:
        _show_studio(details, row, target_in(job_dir))
    return details.item()


def _show_studio(details: Details, row: JobRow, target: Target) -> None:
    if row.measurement_id is None:
        details.section("Studio", ["was given no measurement of this name by this job"])
        return
    with studio_of(target) as running, one_error():
        record = anyio.run(partial(_fetch, target, running, row.measurement_id))
    if record is None:
        details.section("Studio", [f"no longer holds {row.measurement_id}"])
    else:
        record_of(details, record, row.source_sha256)


async def _fetch(
    target: Target, running: RunningStudio | None, measurement_id: str
) -> Mapping[str, Any] | None:
    async with opener(running, target)(unobserved, RunSettings()) as studio:
        try:
            record = await studio.cell_measurement.get(measurement_id)
        except ClientError as error:
            if error.status_code != NOT_FOUND:
                raise
            return None
        return record.model_dump()
