"""Options on lanes and parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from bulkload.cli.options.shared import LimitOptions
from bulkload.cli.output.help_format import RUN
from bulkload.core.plan_items import PlanItem
from bulkload.errors import SettingsError
from bulkload.lanes.budget import (
    LOCAL,
    check_counts,
    default_lanes,
    parts_for_cluster,
    parts_of_new_job,
)
from bulkload.settings import machine


@Parameter(name="*", group=RUN)
@dataclass(frozen=True, kw_only=True)
class LaneOptions:
    """How a job is shared out among processes and machines.

    Parameters
    ----------
    lanes
        Processes that deliver, one a part. One for each four cores by default.
    parts
        Parts of a new job. Four a lane by default, one for a small job; fixed from then on.
    shard
        Run every Nth part of a planned job from K on, as K/N. K is from 0 to N-1.
    dask
        Run the parts on a Dask cluster: its address, or local.
    """

    lanes: int | None = None
    parts: int | None = None
    shard: str | None = None
    dask: str | None = None

    def count(self) -> int:
        """Return how many lanes a run has."""
        return self.lanes or default_lanes(machine().cores)

    def new_parts(self, read: Callable[[], Iterable[PlanItem]]) -> int:
        """Return how many parts a new job has where ``parts`` does not say it."""
        if self.dask is None:
            return parts_of_new_job(self.lanes, read)
        return parts_for_cluster(self.count() if self.dask == LOCAL else None)

    def check(self, limit_options: LimitOptions, *, local: Path | None) -> None:
        """Raise ``SettingsError`` for what a cluster leaves no choice of."""
        check_counts(lanes=self.lanes, parts=self.parts)
        if self.dask is None:
            return
        if self.shard is not None:
            raise SettingsError("give --dask or --shard: each says which machine runs a part")
        if self.dask == LOCAL:
            return
        own = {"--lanes": self.lanes, "--workers": limit_options.workers,
               "--memory": limit_options.memory}  # fmt: skip
        if given := [name for name, value in own.items() if value is not None]:
            raise SettingsError(
                f"{', '.join(given)}: the workers of a cluster state what they have. Start them "
                "with --nthreads, --memory-limit and --resources bulkload=N, the parts at once"
            )
        if local is not None:
            raise SettingsError(
                "--local: that Studio answers on this machine alone; give --dask local"
            )
