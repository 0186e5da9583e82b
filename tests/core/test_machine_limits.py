"""Containers, batch systems and shells grant less than the machine has."""

from __future__ import annotations

from typing import Any

import pytest

from bulkload.core.machine_limits import MachineLimits, cgroup_files, machine_limits

GIB = 2**30


def limits(**stated: Any) -> MachineLimits:
    return machine_limits(machine_memory_bytes=64 * GIB, machine_cores=16, **stated)


def files(**texts: str) -> dict[str, str]:
    return {f"/sys/fs/cgroup/{name}": text for name, text in texts.items()}


def test_a_bare_machine_is_all_there_is() -> None:
    assert limits() == MachineLimits(
        memory_bytes=64 * GIB, memory_source="the machine's memory",
        cores=16, cores_source="the machine's cores",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("memory.max", "524288000\n", 524_288_000),
        ("memory.high", "1073741824\n", GIB),
        ("memory.max", "max\n", 64 * GIB),
        ("memory/memory.limit_in_bytes", "2147483648\n", 2 * GIB),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", 64 * GIB),
        ("memory.max", "", 64 * GIB),
        ("memory.max", "137438953472\n", 64 * GIB),
    ],
)
def test_memory_of_a_control_group(name: str, text: str, expected: int) -> None:
    found = limits(cgroup=files(**{name: text}))
    assert found.memory_bytes == expected
    assert (name in found.memory_source) == (expected != 64 * GIB)


@pytest.mark.parametrize(
    ("texts", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 16),
        ({"cpu.max": "garbage"}, 16),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
        ({"cpu/cpu.cfs_quota_us": "300000\n"}, 16),
    ],
)
def test_cores_of_a_control_group(texts: dict[str, str], cores: int) -> None:
    found = limits(cgroup=files(**texts))
    assert found.cores == cores
    is_granted = found.cores_source == f"/sys/fs/cgroup/{next(iter(texts))}"
    assert is_granted == (cores != 16)


def test_the_smallest_of_nested_groups_binds() -> None:
    texts = files(**{"a/memory.max": "max", "memory.max": str(4 * GIB), "a/b/memory.max": "max"})
    assert limits(cgroup=texts).memory_bytes == 4 * GIB


@pytest.mark.parametrize(
    ("environment", "memory_bytes", "cores"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_MEM_PER_NODE": "8192"}, 8 * GIB, 4),
        ({"SLURM_CPUS_ON_NODE": "2", "SLURM_MEM_PER_CPU": "1024"}, 2 * GIB, 2),
        ({"SLURM_MEM_PER_NODE": "0"}, 64 * GIB, 16),
        ({"SLURM_MEM_PER_CPU": "1024"}, 64 * GIB, 16),
        ({"SLURM_CPUS_PER_TASK": "many"}, 64 * GIB, 16),
    ],
)
def test_what_slurm_grants(environment: dict[str, str], memory_bytes: int, cores: int) -> None:
    found = limits(environment=environment)
    assert (found.memory_bytes, found.cores) == (memory_bytes, cores)
    sources = {"the machine's memory", "the machine's cores", *environment}
    assert {found.memory_source, found.cores_source} <= sources
    assert (found.memory_source in environment) == (memory_bytes != 64 * GIB)
    assert (found.cores_source in environment) == (cores != 16)


def test_affinity_and_ulimit() -> None:
    found = limits(affinity_cores=1, address_space_bytes=3 * GIB)
    assert (found.cores, found.cores_source) == (1, "the process's CPU affinity")
    assert (found.memory_bytes, found.memory_source) == (3 * GIB, "ulimit -v")


def test_files_of_version_2_up_to_the_root() -> None:
    names = list(cgroup_files("0::/user.slice/job.scope\n"))
    assert names == [
        "/sys/fs/cgroup/user.slice/job.scope/memory.max",
        "/sys/fs/cgroup/user.slice/job.scope/memory.high",
        "/sys/fs/cgroup/user.slice/job.scope/cpu.max",
        "/sys/fs/cgroup/user.slice/memory.max",
        "/sys/fs/cgroup/user.slice/memory.high",
        "/sys/fs/cgroup/user.slice/cpu.max",
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory.high",
        "/sys/fs/cgroup/cpu.max",
    ]


def test_a_limit_that_is_as_good_as_none_is_none() -> None:
    """A machine with more memory than any: what counts as unlimited is no limit of it either."""
    for name, of in (("memory.max", 2**60), ("memory.max", 2**60 - 1)):
        found = machine_limits(
            machine_memory_bytes=2**62, machine_cores=1, cgroup=files(**{name: str(of)})
        )
        assert (found.memory_bytes == 2**62) == (of == 2**60)


def test_files_of_both_versions_side_by_side() -> None:
    """Lines without limits are passed over; a colon may be part of a group's name."""
    text = "9:name=systemd:/init\n7:memory,pids:/a:b/\n:cpu:relative\n0::/c\n3::/no version 2\n"
    assert cgroup_files(text) == [
        "/sys/fs/cgroup/memory/a:b/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/c/memory.max",
        "/sys/fs/cgroup/c/memory.high",
        "/sys/fs/cgroup/c/cpu.max",
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory.high",
        "/sys/fs/cgroup/cpu.max",
    ]


def test_a_group_of_any_name_is_followed_up() -> None:
    folders = [name.removesuffix("/cpu.max") for name in cgroup_files("0::/A/jobX/\n")[2::3]]
    assert folders == ["/sys/fs/cgroup/A/jobX", "/sys/fs/cgroup/A", "/sys/fs/cgroup"]


def test_files_of_version_1() -> None:
    names = set(cgroup_files("5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n"))
    assert "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes" in names
    assert "/sys/fs/cgroup/memory/memory.limit_in_bytes" in names
    assert "/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us" in names
    assert "/sys/fs/cgroup/cpu/cpu.cfs_period_us" in names


@pytest.mark.parametrize("text", ["", "nonsense", "1:name=systemd:/init", "0::", "3:pids:/x"])
def test_a_membership_without_limits_has_no_files(text: str) -> None:
    assert cgroup_files(text) == []
