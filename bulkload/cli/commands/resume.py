"""``bulkload resume``: go on with a job; its folder knows the sources and the options."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bulkload.cli.jobs.ending import EndOptions
from bulkload.cli.jobs.folder import last_upload_of, studio_of, target_in
from bulkload.cli.jobs.requests import request_of
from bulkload.cli.jobs.run import carry_out
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.kept import source_options_from
from bulkload.cli.options.lanes import LaneOptions
from bulkload.cli.options.run_output import RunOutput
from bulkload.cli.options.shared import LimitOptions, check_dialects
from bulkload.cli.output.help_format import RUN
from bulkload.core.existing import Existing
from bulkload.engine.request import JobRequest
from bulkload.engine.run_settings import with_kept_settings
from bulkload.errors import SettingsError
from bulkload.lanes.budget import check_counts
from bulkload.settings import RunSettings


def resume(
    job_dir: Path,
    *,
    limit_options: LimitOptions = LimitOptions(),
    lanes: Annotated[int | None, Parameter(group=RUN)] = None,
    output: RunOutput = RunOutput(),
    end_options: EndOptions = EndOptions(),
) -> int:
    """Go on with a job, as its last upload was asked for: sources, options and target.

    Reads the sources again, so that files that are new or have grown since go too.

    Parameters
    ----------
    job_dir
        The job's folder.
    lanes
        Processes that deliver, where the job has parts. One for each four cores by default.
    """
    last = last_upload_of(job_dir)
    kept = {} if last is None else last.settings
    if last is None or not kept.get("source_options"):
        command = "" if last is None else f": run {last.command}"
        raise SettingsError(
            f"{job_dir} does not keep the options of its upload, as those of this version do"
            f"{command}"
        )
    settings = replace(
        with_kept_settings(kept, RunSettings(limits=limit_options.limits())),
        existing=Existing(kept["existing"]),
        is_waiting=kept["is_waiting"],
    )
    check_dialects(settings.prepare_options)
    check_counts(lanes=lanes, parts=None)
    sources, options = tuple(kept["sources"]), source_options_from(kept["source_options"])
    target = target_in(job_dir)
    ending = end_options.ending()
    with (
        ending.following(job_dir),
        studio_of(target) as studio,
        options.databases(job_dir) as databases,
    ):
        read = partial(options.read, sources, settings.prepare_options, databases)
        request = request_of(
            JobRequest(
                job_dir=job_dir,
                target=target,
                sources=sources,
                source_options=kept["source_options"],
                settings=settings,
                command=this_command(),
            ),
            read,
            LaneOptions(lanes=lanes),
            studio=studio,
            goes_on=options.go_on,
        )
        return carry_out(request, output, ending=ending)[0]
