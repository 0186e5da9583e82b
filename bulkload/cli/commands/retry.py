"""``bulkload retry``: only what did not arrive, all or one cause."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bulkload.cli.jobs.ending import EndOptions
from bulkload.cli.jobs.folder import studio_of, target_in
from bulkload.cli.jobs.requests import request_again
from bulkload.cli.jobs.run import carry_out
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.lanes import LaneOptions
from bulkload.cli.options.run_output import RunOutput
from bulkload.cli.options.shared import (
    CheckOptions,
    LimitOptions,
    PrepareArguments,
    check_dialects,
)
from bulkload.cli.output.help_format import READING, RUN, TARGET
from bulkload.clock import SystemClock
from bulkload.core.existing import Existing
from bulkload.core.treatment import Treatment
from bulkload.engine.plan_again import retry_into
from bulkload.engine.request import JobRequest
from bulkload.engine.run_settings import with_kept_settings
from bulkload.errors import SettingsError
from bulkload.journal.whole import WholeJob
from bulkload.lanes.budget import check_counts
from bulkload.settings import RunSettings


@Parameter(name="*", group=READING)
@dataclass(frozen=True, kw_only=True)
class TreatmentOptions:
    """What is chosen for the measurements that are retried, beside what the upload stated.

    Parameters
    ----------
    transform
        Transforms for what is retried, such as reset_time. After those that it has already;
        several with commas.
    skip_check
        Strict checks to leave out for what is retried.
    reader
        Reader for what is retried.
    dialects
        TOML file of formats of your own for what is retried.
    as_planned
        Forget what earlier retries chose for it.
    """

    transform: str = ""
    skip_check: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = ()
    reader: str | None = None
    dialects: Path | None = None
    as_planned: Annotated[bool, Parameter(negative=())] = False

    def treatment(self) -> Treatment:
        """Parse the options; raise ``SettingsError`` for an unknown transform or check."""
        arguments = PrepareArguments(transform=self.transform)
        checks = CheckOptions(skip_check=self.skip_check).checks()
        return Treatment(
            transforms=arguments.transforms(),
            skip_checks=tuple(sorted(checks.skip_checks)),
            reader=self.reader,
            dialects=None if self.dialects is None else str(self.dialects.resolve()),
        )


def retry(
    job_dir: Path,
    *,
    limit_options: LimitOptions = LimitOptions(),
    lanes: Annotated[int | None, Parameter(group=RUN)] = None,
    cause: Annotated[str | None, Parameter(group=RUN)] = None,
    existing: Annotated[Existing | None, Parameter(group=TARGET)] = None,
    wait: Annotated[bool | None, Parameter(group=TARGET)] = None,
    treatment_options: TreatmentOptions = TreatmentOptions(),
    output: RunOutput = RunOutput(),
    end_options: EndOptions = EndOptions(),
) -> int:
    """Upload again only what did not arrive: all of it, or what has one cause.

    Reads the plan from the job folder, so the source is not searched again, with the checks,
    transforms and dialects of the last upload. What is chosen here holds for the measurements
    that are retried, in every later run too, and for no other. A measurement that Studio could
    not process is deleted there first, if this job created it.

    Parameters
    ----------
    job_dir
        The job's folder.
    lanes
        Processes that deliver, where the job has parts. One for each four cores by default.
    cause
        Only what has this cause, such as time_limit. Or what has these findings, joined by +.
        Everything that did not arrive by default.
    existing
        Names that Studio has: reuse, verify or fail. As the last upload was asked by default.
    wait
        Wait for Studio's processing, or not. As the last upload was asked by default.
    """
    target = target_in(job_dir)
    check_counts(lanes=lanes, parts=None)
    with WholeJob(job_dir) as whole:
        last = whole.first_plan()
        if last is None:
            raise SettingsError(
                f"{job_dir} has a journal without an upload; run `bulkload upload` first"
            )
        _, causes = whole.tally(is_waiting=True)
        named = {one.name for one in whole.roots(0)}
    if cause is not None and cause not in {*causes, *named}:
        known = ", ".join(sorted({*causes, *named})) or "none"
        raise SettingsError(f"no job of {job_dir} has the cause {cause}; its causes: {known}")
    treatment = treatment_options.treatment()
    settings = with_kept_settings(
        last.settings,
        RunSettings(
            existing=existing or Existing(last.settings.get("existing", Existing.REUSE)),
            is_waiting=last.settings.get("is_waiting", True) if wait is None else wait,
            limits=limit_options.limits(),
        ),
    )
    for dialects in (settings.prepare_options.dialects, treatment.dialects):
        check_dialects(replace(settings.prepare_options, dialects=dialects))
    ending = end_options.ending()
    with ending.following(job_dir), studio_of(target) as studio:
        make_plan = partial(
            retry_into,
            cause=cause,
            at=SystemClock().now().timestamp(),
            treatment=treatment,
            is_as_planned=treatment_options.as_planned,
        )
        job = JobRequest(job_dir=job_dir, target=target, settings=settings, command=this_command())
        request = request_again(job, make_plan, LaneOptions(lanes=lanes), studio=studio)
        return carry_out(request, output, ending=ending)[0]
