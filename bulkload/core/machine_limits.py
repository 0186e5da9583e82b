"""What a job may use of its machine: the smallest of all limits that bind it.

A container, a batch system or a shell may grant less than the machine has. Each limit comes as
the text of the file or variable that states it, so that a machine of any kind can be described
in a test. Sources: the kernel's ``cgroup-v2.rst`` and ``cgroup-v1/memory.rst``,
``sched_getaffinity(2)``, ``setrlimit(2)``, and the environment that ``sbatch`` documents.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

#: Where the kernel shows control groups.
CGROUP_ROOT: Final = "/sys/fs/cgroup"
#: Version 1 states "no limit" as the largest multiple of a page below 2^63.
UNLIMITED_FROM_BYTES: Final = 2**60
MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit and where it comes from, as a person would look it up."""

    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLimits:
    """What the job may use: memory in bytes, cores as a whole number of at least one."""

    memory_bytes: int
    memory_source: str
    cores: int
    cores_source: str


def cgroup_files(membership: str) -> list[str]:
    """Return the files that may limit a process, given the text of ``/proc/self/cgroup``.

    A limit of any group above binds too, so each group is followed to the root. Inside a
    container the path may be that of the host, of which only the root is visible: it is always
    among the files.
    """
    files: list[str] = []
    for line in membership.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not path.startswith("/"):
            continue
        if number == "0" and not controllers:
            files += _upwards(CGROUP_ROOT, path, ("memory.max", "memory.high", "cpu.max"))
        elif "memory" in controllers.split(","):
            files += _upwards(f"{CGROUP_ROOT}/memory", path, ("memory.limit_in_bytes",))
        elif "cpu" in controllers.split(","):
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            for root in (f"{CGROUP_ROOT}/{controllers}", f"{CGROUP_ROOT}/cpu"):
                files += _upwards(root, path, names)
    return files


def _upwards(root: str, path: str, names: Iterable[str]) -> list[str]:
    """Return the files of these names in a group's folder and all above it."""
    group = path.rstrip("/")
    folders = [group]
    while group:
        group = group.rpartition("/")[0]
        folders.append(group)
    return [f"{root}{folder}/{name}" for folder in folders for name in names]


def machine_limits(
    *,
    machine_memory_bytes: int,
    machine_cores: int,
    affinity_cores: int | None = None,
    address_space_bytes: int | None = None,
    cgroup: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> MachineLimits:
    """Return the smallest of all limits on memory and on cores.

    ``cgroup`` maps the files of :func:`cgroup_files` that exist to their text;
    ``address_space_bytes`` is what ``ulimit -v`` allows, None where it allows everything.
    """
    cgroup, environment = cgroup or {}, environment or {}
    memory = [Bound(value=machine_memory_bytes, source="the machine's memory")]
    cores = [Bound(value=machine_cores, source="the machine's cores")]
    if affinity_cores:
        cores.append(Bound(value=affinity_cores, source="the process's CPU affinity"))
    if address_space_bytes is not None:
        memory.append(Bound(value=address_space_bytes, source="ulimit -v"))
    for path, text in cgroup.items():
        folder, _, name = path.rpartition("/")
        if name in {"memory.max", "memory.high", "memory.limit_in_bytes"}:
            memory += _cgroup_memory(path, text)
        elif name == "cpu.max":
            cores += _quota(path, *[*text.split(), "", ""][:2])
        elif name == "cpu.cfs_quota_us":
            cores += _quota(path, text.strip(), cgroup.get(f"{folder}/cpu.cfs_period_us", ""))
    memory += _slurm_memory(environment)
    cores += _slurm_cores(environment)
    least_memory = min(memory, key=lambda bound: bound.value)
    least_cores = min(cores, key=lambda bound: bound.value)
    return MachineLimits(
        memory_bytes=int(least_memory.value),
        memory_source=least_memory.source,
        # A quota of 1.5 cores keeps two workers busy; one of less than a core still needs one.
        cores=max(1, math.ceil(least_cores.value)),
        cores_source=least_cores.source,
    )


def _cgroup_memory(path: str, text: str) -> list[Bound]:
    value = _whole(text)
    if value is None or value >= UNLIMITED_FROM_BYTES:
        return []
    return [Bound(value=value, source=path)]


def _quota(path: str, quota: str, period: str) -> list[Bound]:
    """Return the cores that a quota of CPU time grants; "max" and -1 grant all."""
    granted, of = _whole(quota), _whole(period)
    if granted is None or not of:
        return []
    return [Bound(value=granted / of, source=path)]


def _slurm_memory(environment: Mapping[str, str]) -> list[Bound]:
    """Return Slurm's memory of this node, which it states in MiB; 0 means all of it."""
    node = _whole(environment.get("SLURM_MEM_PER_NODE", ""))
    if node:
        return [Bound(value=node * MIB, source="SLURM_MEM_PER_NODE")]
    core = _whole(environment.get("SLURM_MEM_PER_CPU", ""))
    cores = _slurm_cores(environment)
    if not core or not cores:
        return []
    return [Bound(value=core * MIB * cores[0].value, source="SLURM_MEM_PER_CPU")]


def _slurm_cores(environment: Mapping[str, str]) -> list[Bound]:
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        if count := _whole(environment.get(name, "")):
            return [Bound(value=count, source=name)]
    return []


def _whole(text: str) -> int | None:
    """Return a number that is written in digits; None for anything else, such as ``max``."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None
