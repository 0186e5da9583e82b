"""What a user may set of a run: every bound with its unit, default and reason.

Bounds that are not settings are in the ``limits.py`` of their package.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from bulkload.core.existing import Existing
from bulkload.core.machine_limits import MachineLimits, cgroup_files, machine_limits
from bulkload.core.plan_items import Checks
from bulkload.core.prepare_result import PrepareOptions
from bulkload.core.systems import system_of

#: One file may take this long to read and validate: the slowest spreadsheets measured take
#: seconds, so ten minutes means that the reader hangs.
TIME_LIMIT_S: Final = 600.0

#: Share of the memory that the job may use which a run takes: its own process and its workers.
MEMORY_SHARE: Final = 0.5

#: Memory that the process of a run takes itself, in bytes: 70 to 100 MiB measured in an upload.
PARENT_BYTES: Final = 128 * 2**20
#: Least memory of one worker, in bytes: its libraries need 90 MiB, a table that is read in chunks
#: 180 MiB more, and the allocator reserves about as much again.
MIN_WORKER_MEMORY_BYTES: Final = 512 * 2**20

#: Requests and PUTs in flight: enough to hide 50 ms of latency behind the work of many cores,
#: few enough for a lab's uplink. The controllers find the level below it.
CONNECTIONS: Final = 32

#: Least open files of a run beside its connections and workers: 20 measured.
OWN_OPEN_FILES: Final = 24
#: Least open files of a worker: its three pipes, and one while it is started.
WORKER_OPEN_FILES: Final = 4
#: Open files that a run makes room for, as a multiple of the least: files that are sent, idle
#: connections, archives and viewers of the page come on top.
OPEN_FILES_ROOM: Final = 4

#: Cells whose parents are looked up ahead of the files being prepared.
CELLS_AHEAD: Final = 8

#: Bytes of prepared measurements that wait on disk for their upload.
SPOOL_LIMIT_BYTES: Final = 4 * 2**30

#: How long a run waits for a server that does not answer before it ends, to be resumed.
OUTAGE_LIMIT_S: Final = 3600.0

#: How long a stopping run waits for open uploads before it ends without them: 10 s less than the
#: 30 s after which Slurm (KillWait) and Kubernetes (terminationGracePeriodSeconds) kill.
GRACE_S: Final = 20.0


@lru_cache(1)
def machine(root: Path = Path("/")) -> MachineLimits:
    """Return what this process may use of the machine; ``root`` is where /proc and /sys lie."""
    # Only where a run needs it: `--help` and `status` do not.
    import psutil

    return machine_limits(
        machine_memory_bytes=psutil.virtual_memory().total,
        machine_cores=os.cpu_count() or 1,
        affinity_cores=_affinity_cores(),
        address_space_bytes=_address_space_bytes(),
        cgroup=_cgroup(root),
        environment=os.environ,
    )


def _affinity_cores() -> int | None:
    if not system_of(sys.platform).has_affinity:
        return None
    return len(os.sched_getaffinity(0))


def _address_space_bytes() -> int | None:
    """Return what ``ulimit -v`` allows, None where there is no limit or no such thing."""
    if not system_of(sys.platform).has_resource_limits:
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def allow_open_files(least: int) -> int | None:
    """Make room for the open files of a run, as far as the system allows it.

    Return the limit where it stays below the least that the run needs, else None.
    """
    if not system_of(sys.platform).has_resource_limits:
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_bound = hard != resource.RLIM_INFINITY
    wanted = min(OPEN_FILES_ROOM * least, hard) if is_bound else OPEN_FILES_ROOM * least
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return hard if is_bound and hard < least else None


def _cgroup(root: Path) -> dict[str, str]:
    """Return the files that limit the process's control groups, empty where there are none."""
    try:
        membership = (root / "proc/self/cgroup").read_text("utf-8")
    except OSError:
        return {}
    found = {}
    for name in cgroup_files(membership):
        with suppress(OSError):
            found[name] = (root / name.lstrip("/")).read_text("utf-8")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What a run may take."""

    #: One a core that the job may use.
    workers: int = field(default_factory=lambda: machine().cores)
    connections: int = CONNECTIONS
    #: Memory of the run and all its workers together, in bytes.
    memory_bytes: int = field(default_factory=lambda: int(machine().memory_bytes * MEMORY_SHARE))
    time_limit_s: float = TIME_LIMIT_S
    spool_limit_bytes: int = SPOOL_LIMIT_BYTES
    cells_ahead: int = CELLS_AHEAD
    outage_limit_s: float = OUTAGE_LIMIT_S
    grace_s: float = GRACE_S

    @property
    def workers_in_memory(self) -> int:
        """Workers that have their least memory, at least one."""
        fitting = (self.memory_bytes - PARENT_BYTES) // MIN_WORKER_MEMORY_BYTES
        return max(1, min(self.workers, fitting))

    @property
    def least_open_files(self) -> int:
        """Files and sockets that the process of a run has open at least when it is at work."""
        return OWN_OPEN_FILES + self.connections + WORKER_OPEN_FILES * self.workers

    @property
    def worker_memory_bytes(self) -> int:
        """Memory that one worker may use, in bytes."""
        share = (self.memory_bytes - PARENT_BYTES) // self.workers_in_memory
        return max(MIN_WORKER_MEMORY_BYTES, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run treats what it uploads."""

    checks: Checks = field(default_factory=lambda: Checks(strict=True))
    prepare_options: PrepareOptions = field(default_factory=PrepareOptions)
    existing: Existing = Existing.REUSE
    #: Whether each measurement says in Studio where it came from.
    sends_provenance: bool = True
    #: Whether a measurement counts only once Studio has processed it.
    is_waiting: bool = True
    #: Whether the original file is stored in Studio too, and linked to its measurement.
    attaches_raw: bool = False
    #: When nothing must be open any more; None for whenever the work is done.
    until: datetime | None = None
    limits: RunLimits = field(default_factory=RunLimits)
