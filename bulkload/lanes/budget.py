"""Divide what a run may take among its lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from bulkload.core.plan_items import PlanItem, UploadJob
from bulkload.errors import SettingsError
from bulkload.journal.limits import MAX_PARTS
from bulkload.lanes.limits import CLUSTER_LANES, CORES_A_LANE, MAX_LANES, PARTS_A_LANE, SMALL_JOB
from bulkload.settings import RunLimits, machine

#: In the place of a cluster's address: a scheduler and workers in this process.
LOCAL: Final = "local"


def default_lanes(cores: int) -> int:
    """Return how many lanes a machine is worth: one for each four cores begun."""
    return min(MAX_LANES, max(1, -(-cores // CORES_A_LANE)))


def default_parts(lanes: int) -> int:
    """Return how many parts a new job has for that many lanes: one lane alone needs one."""
    return 1 if lanes == 1 else lanes * PARTS_A_LANE


def parts_of_new_job(lanes: int | None, read: Callable[[], Iterable[PlanItem]]) -> int:
    """Return how many parts a new job has, for the lanes that are asked for.

    Where none are, a small job has one, whatever the machine: its source is looked at for that.
    """
    count = lanes or default_lanes(machine().cores)
    if lanes is None and count > 1:
        jobs = (item for item in read() if isinstance(item, UploadJob))
        if sum(1 for _ in islice(jobs, SMALL_JOB + 1)) <= SMALL_JOB:
            return 1
    return default_parts(count)


def parts_for_cluster(lanes: int | None) -> int:
    """Return how many parts a new job has that goes to a cluster, of so many lanes if known."""
    return (lanes or CLUSTER_LANES) * PARTS_A_LANE


def check_counts(*, lanes: int | None, parts: int | None) -> None:
    """Raise ``SettingsError`` for a number of lanes or parts that no run has."""
    for name, value, most in (("lanes", lanes, MAX_LANES), ("parts", parts, MAX_PARTS)):
        if value is not None and not 1 <= value <= most:
            raise SettingsError(f"--{name} must be from 1 to {most:,}")


def parse_shard(text: str) -> tuple[int, int]:
    """Return a shard such as ``2/8`` as its number, from 0, and how many there are."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise SettingsError(
            f"--shard {text!r} is not a shard; write K/N with K from 0 to N-1, such as 2/8"
        )
    return int(number), int(count)


def divide(limits: RunLimits, lanes: int) -> list[RunLimits]:
    """Return each lane's share: together they take what the run may take, and no more.

    Only a lane needs one worker and one connection at least. The share of the retries that a
    lane may send is a share of its own requests, and needs no division.
    """
    return [
        replace(
            limits,
            workers=_share(limits.workers, lanes, lane),
            connections=_share(limits.connections, lanes, lane),
            memory_bytes=limits.memory_bytes // lanes,
            spool_limit_bytes=max(1, limits.spool_limit_bytes // lanes),
        )
        for lane in range(lanes)
    ]


def _share(total: int, lanes: int, lane: int) -> int:
    """Return an equal share; the first lanes take what is left over."""
    return max(1, total // lanes + (lane < total % lanes))
