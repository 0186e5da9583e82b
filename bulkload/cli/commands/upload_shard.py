"""``bulkload upload JOB --shard K/N``: some parts of a planned job, as a scheduler's task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bulkload.cli.jobs.ending import EndOptions
from bulkload.cli.jobs.folder import last_upload_of, studio_of, target_in
from bulkload.cli.jobs.output_paths import check_writable
from bulkload.cli.jobs.run import carry_out
from bulkload.cli.options.command_line import this_command
from bulkload.cli.options.lanes import LaneOptions
from bulkload.cli.options.run_output import RunOutput
from bulkload.cli.options.shared import check_dialects
from bulkload.core.existing import Existing
from bulkload.engine.request import JobRequest
from bulkload.engine.run_settings import with_kept_settings
from bulkload.errors import SettingsError
from bulkload.journal.parts import JobLayout, part_folder, read_layout
from bulkload.lanes.budget import parse_shard
from bulkload.lanes.request import with_lanes
from bulkload.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Shard:
    """What a task of a scheduler is to run."""

    #: The folder of a planned job, in the place of a source.
    sources: Sequence[str]
    lane_options: LaneOptions
    #: Whether no option is given that holds for the whole job.
    is_as_planned: bool


def upload_shard(
    shard: Shard,
    asked: RunSettings,
    summary: Path | None,
    end_options: EndOptions,
    output: RunOutput,
) -> int:
    """Run the parts of a shard; return the exit code.

    What ``asked`` says of delivery adds to what the plan keeps.
    """
    lane_options = shard.lane_options
    number, count = parse_shard(lane_options.shard or "")
    check_writable({"--summary": summary})
    if not shard.is_as_planned or lane_options.parts is not None:
        raise SettingsError(
            "--shard runs a job as it was planned: give options on sources, checks, reading and "
            "target to `bulkload plan`, and a report to `bulkload report`"
        )
    job_dir, layout = _job_of(shard.sources)
    parts = range(number, layout.parts, count)
    if any(not part_folder(job_dir, part).is_dir() for part in parts):
        raise SettingsError(
            f"{job_dir} does not hold all parts of the shard {lane_options.shard}: plan it again, "
            "or copy them here"
        )
    last = last_upload_of(job_dir)
    assert last is not None
    kept = last.settings
    settings = with_kept_settings(kept, asked)
    settings = replace(
        settings,
        existing=Existing(kept["existing"]) if asked.existing is Existing.REUSE else asked.existing,
        is_waiting=kept["is_waiting"] and asked.is_waiting,
        sends_provenance=settings.sends_provenance and asked.sends_provenance,
        attaches_raw=settings.attaches_raw or asked.attaches_raw,
    )
    check_dialects(settings.prepare_options)
    target = target_in(job_dir)
    job = JobRequest(job_dir=job_dir, target=target, settings=settings, command=this_command())
    ending = end_options.ending()
    with ending.following(job_dir), studio_of(target) as studio:
        request = with_lanes(
            job,
            layout,
            lanes=lane_options.count(),
            studio=studio,
            make_plan=lambda planner, _: planner.as_planned(),
            shard=parts,
        )
        return carry_out(request, output, summary=summary, ending=ending)[0]


def _job_of(sources: Sequence[str]) -> tuple[Path, JobLayout]:
    """Return the job folder that is named in the place of a source, and its layout."""
    layout = read_layout(Path(sources[0])) if len(sources) == 1 else None
    if layout is None:
        raise SettingsError(
            "--shard takes the folder of a planned job of several parts: plan it with `bulkload "
            "plan SOURCE --parts N --job JOB`, then run `bulkload upload JOB --shard K/N`"
        )
    return Path(sources[0]), layout
