"""``bulkload upload JOB --shard K/N``: some parts of a planned job, as a scheduler's task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bulkload.cli.ending import EndOptions
from bulkload.cli.jobfolder import last_upload_of, studio_of, target_in
from bulkload.cli.lane_options import LaneOptions
from bulkload.cli.options import (
    CheckOptions,
    PrepareArguments,
    SourceOptions,
    check_dialects,
    this_command,
)
from bulkload.cli.output_paths import check_writable
from bulkload.cli.running import carry_out
from bulkload.core.existing import Existing
from bulkload.engine.request import JobRequest
from bulkload.engine.run_settings import with_kept_settings
from bulkload.errors import SettingsError
from bulkload.journal.parts import JobLayout, part_folder, read_layout
from bulkload.lanes.budget import check_counts, parse_shard
from bulkload.lanes.request import with_lanes
from bulkload.settings import RunLimits, RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Options that hold for a whole job, and so not for a shard of it."""

    source_options: SourceOptions
    check_options: CheckOptions
    prepare_arguments: PrepareArguments
    targets: tuple[object, ...]
    others: tuple[object, ...]

    def check_none_given(self) -> None:
        """Raise ``SettingsError`` where one of them is given."""
        is_as_planned = (
            self.source_options == SourceOptions()
            and self.check_options == CheckOptions()
            and self.prepare_arguments == PrepareArguments()
        )
        if not is_as_planned or any(self.targets) or any(self.others):
            raise SettingsError(
                "--shard runs a job as it was planned: give options on sources, checks, reading "
                "and target to `bulkload plan`, and a report to `bulkload report`"
            )


def upload_shard(
    sources: Sequence[str],
    fixed: Fixed,
    lane_options: LaneOptions,
    *,
    limits: RunLimits,
    existing: Existing,
    waits: bool,
    sends_provenance: bool,
    attaches_raw: bool,
    until: datetime | None,
    summary: Path | None,
    end_options: EndOptions,
    is_quiet: bool,
) -> int:
    """Run the parts of a shard; return the exit code. Options add to what the plan keeps."""
    assert lane_options.shard is not None
    number, count = parse_shard(lane_options.shard)
    check_counts(lanes=lane_options.lanes, parts=None)
    check_writable({"--summary": summary})
    fixed.check_none_given()
    job_dir, layout = _job_of(sources)
    parts = range(number, layout.parts, count)
    if any(not part_folder(job_dir, part).is_dir() for part in parts):
        raise SettingsError(
            f"{job_dir} does not hold all parts of the shard {lane_options.shard}: plan it again, "
            "or copy them here"
        )
    last = last_upload_of(job_dir)
    assert last is not None
    kept = last.settings
    settings = replace(
        with_kept_settings(kept, RunSettings(limits=limits, until=until)),
        existing=Existing(kept["existing"]) if existing is Existing.REUSE else existing,
        is_waiting=kept["is_waiting"] and waits,
    )
    settings = replace(
        settings,
        sends_provenance=settings.sends_provenance and sends_provenance,
        attaches_raw=settings.attaches_raw or attaches_raw,
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
        return carry_out(request, summary=summary, report=None, is_quiet=is_quiet, ending=ending)[0]


def _job_of(sources: Sequence[str]) -> tuple[Path, JobLayout]:
    """Return the job folder that is named in the place of a source, and its layout."""
    layout = read_layout(Path(sources[0])) if len(sources) == 1 else None
    if layout is None:
        raise SettingsError(
            "--shard takes the folder of a planned job of several parts: plan it with `bulkload "
            "plan SOURCE --parts N --job JOB`, then run `bulkload upload JOB --shard K/N`"
        )
    return Path(sources[0]), layout
