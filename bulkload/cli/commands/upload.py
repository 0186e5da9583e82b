"""``bulkload upload``: the main job; the same command again resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bulkload.cli.jobs.ending import EndOptions
from bulkload.cli.options.lanes import LaneOptions
from bulkload.cli.options.run_output import RunOutput
from bulkload.cli.options.shared import (
    CheckOptions,
    LimitOptions,
    PrepareArguments,
    SourceOptions,
    duration_s,
    moment,
)
from bulkload.cli.output.help_format import OUTPUT, RUN, TARGET
from bulkload.core.existing import Existing
from bulkload.settings import RunSettings


def upload(
    *sources: Annotated[str, Parameter(negative=())],
    source_options: SourceOptions = SourceOptions(),
    check_options: CheckOptions = CheckOptions(),
    prepare_arguments: PrepareArguments = PrepareArguments(),
    limit_options: LimitOptions = LimitOptions(),
    url: Annotated[str | None, Parameter(group=TARGET)] = None,
    project: Annotated[str | None, Parameter(group=TARGET)] = None,
    local: Annotated[Path | None, Parameter(group=TARGET)] = None,
    job: Annotated[Path | None, Parameter(group=RUN)] = None,
    existing: Annotated[Existing, Parameter(group=TARGET)] = Existing.REUSE,
    provenance: Annotated[bool, Parameter(group=TARGET)] = True,
    wait: Annotated[bool, Parameter(group=TARGET)] = True,
    store_steps: Annotated[bool, Parameter(negative=(), group=TARGET)] = False,
    attach_raw: Annotated[bool, Parameter(negative=(), group=TARGET)] = False,
    references: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    report: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    until: Annotated[str | None, Parameter(group=RUN)] = None,
    outage_limit: Annotated[str, Parameter(group=RUN)] = "1h",
    dry_run: Annotated[bool, Parameter(negative=(), group=RUN)] = False,
    summary: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    log_json: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
    output: RunOutput = RunOutput(),
    end_options: EndOptions = EndOptions(),
    lane_options: LaneOptions = LaneOptions(),
) -> int:
    """Upload measurements. Run the same command again to resume.

    Parameters
    ----------
    sources
        Folders, archives, URLs, manifests, or .toml files.
    url
        Address of the API. IONWORKS_API_URL, else the hosted service, by default.
    project
        Id of the project. IONWORKS_PROJECT_ID by default.
    local
        Upload into a local Studio with its data here. It ends with the run; the data stay.
    job
        Folder for journal, log and summary. .bulkload/<name of the first source> by default.
    existing
        Names that Studio has: reuse, verify or fail.
    provenance
        Name the source in test_setup, or not. Its hash and what was changed go with it.
    wait
        Wait for Studio's processing, or not.
    store_steps
        Store the step summary with each time series. Studio derives it by default.
    attach_raw
        Store the original files in Studio too. Each is linked to its measurements.
    references
        Write names and ids of the measurements (.csv). The column db:<id> is how a pipeline
        refers to them.
    report
        Write the report (.html) here too. It is report.html in the job folder anyway.
    until
        Stop by this time, such as 06:00. Or 2026-12-01T06:00; nothing is open then.
    outage_limit
        Longest wait for a server, such as 30m.
    dry_run
        Only read and validate, as `bulkload check` does.
    summary
        Write the summary (.json) here too.
    log_json
        Write the log here, not into the job folder.
    """
    if dry_run:
        from bulkload.cli.commands.check import check

        return check(
            *sources, source_options=source_options, check_options=check_options,
            prepare_arguments=prepare_arguments, limit_options=limit_options,
            as_json=output.as_json,
        )  # fmt: skip
    from bulkload.cli.commands.upload_shard import Shard, upload_shard
    from bulkload.cli.jobs.run import upload_sources  # Not before: --help needs none of it.

    lane_options.check(limit_options, local=local)
    settings = RunSettings(
        checks=check_options.checks(),
        prepare_options=prepare_arguments.prepare_options(source_options, stores_steps=store_steps),
        existing=existing,
        sends_provenance=provenance,
        is_waiting=wait,
        attaches_raw=attach_raw,
        until=None if until is None else moment(until),
        limits=replace(limit_options.limits(), outage_limit_s=duration_s(outage_limit)),
    )
    if lane_options.shard is not None:
        fixed = (
            source_options != SourceOptions(), check_options != CheckOptions(), store_steps, url,
            prepare_arguments != PrepareArguments(), project, local, references, report, job,
        )  # fmt: skip
        shard = Shard(sources, lane_options, is_as_planned=not any(fixed) and not log_json)
        return upload_shard(shard, settings, summary, end_options, output)
    return upload_sources(
        sources, source_options, settings, url=url, project=project, local=local, job=job,
        summary=summary, log_json=log_json, references=references, report=report,
        lane_options=lane_options, end_options=end_options, output=output,
    )  # fmt: skip
