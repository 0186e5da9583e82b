"""What the job may use, not what the machine has: real limits on a real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bulkload.localstudio import LocalStudio
from bulkload.settings import machine
from tests.archives import series, specification, write
from tests.jobs import running

MIB = 2**20
GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.mark.parametrize(
    ("membership", "file", "text"),
    [
        ("0::/job\n", "sys/fs/cgroup/job/memory.max", "300000000\n"),
        ("0::/a/b\n", "sys/fs/cgroup/a/memory.max", "300000000\n"),
        ("4:memory:/job\n", "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "300000000\n"),
        ("4:memory:/of/the/host\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "300000000\n"),
    ],
)
def test_the_files_of_a_control_group_are_read(
    membership: str, file: str, text: str, tmp_path: Path
) -> None:
    for name, content in {"proc/self/cgroup": membership, file: text}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = machine(tmp_path)
    assert found.memory_bytes == 300_000_000
    assert found.memory_source == f"/{file}"


def measured(*before: str) -> list[str]:
    code = "from bulkload.settings import machine as m; f = m(); print(f.cores, f.memory_bytes)"
    done = subprocess.run(
        [*before, sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="taskset and ulimit -v are Linux's")
def test_affinity_and_ulimit_of_a_real_process() -> None:
    core = min(os.sched_getaffinity(0))
    assert measured("taskset", "-c", str(core))[0] == "1"
    limit_kib = 16 * 2**20
    words = measured("bash", "-c", f'ulimit -v {limit_kib}; exec "$@"', "bash")
    assert int(words[1]) == min(limit_kib * 1024, psutil.virtual_memory().total)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of 700 MiB, where this system lets one be made."""
    path = GROUPS / f"bulkload-test-{os.getpid()}"
    try:
        path.mkdir()
        (path / "memory.limit_in_bytes").write_text(str(700 * MIB))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield path
    path.rmdir()


def test_good_files_are_created_in_a_small_control_group(
    group: Path, studio: LocalStudio, tmp_path: Path
) -> None:
    specification(tmp_path / "archive/spec 0")
    for number in range(3):
        write(tmp_path / f"archive/spec 0/cell 0/run {number}.csv", series(400_000, seed=number))
    join = f'echo $$ > {group}/cgroup.procs; exec "$@"'
    words = ["upload", "archive", "--job", "job"]
    with running(words, folder=tmp_path, studio=studio, before=["bash", "-c", join, "bash"]) as run:
        ended = run.wait()
    assert ended.counts == {"created": 3}, ended.err
    assert ended.code == 0
