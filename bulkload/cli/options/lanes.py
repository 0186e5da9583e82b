"""Options on lanes and parts."""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import Parameter

from bulkload.cli.output.help_format import RUN
from bulkload.lanes.budget import default_lanes
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
    """

    lanes: int | None = None
    parts: int | None = None
    shard: str | None = None

    def count(self) -> int:
        """Return how many lanes a run has."""
        return self.lanes or default_lanes(machine().cores)
