"""Parts as tasks on Dask: a real cluster on loopback, each worker a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from anyio.from_thread import start_blocking_portal

from bulkload.lanes import dask_cluster, dask_runner, dask_worker
from bulkload.lanes.budget import parts_for_cluster
from bulkload.lanes.dask_worker import Capacity, Site
from bulkload.localstudio import LocalStudio, StudioSettings
from tests.archives import archive
from tests.jobs import Jobs, environment_of, running, until
from tests.lanes.divided import assert_all_arrived, is_lane, rows_of, summary
from tests.lanes.test_cluster import free_port

if TYPE_CHECKING:
    from distributed import Worker

WORKERS = 2

# What is done to the cluster is done in order, by one process.
pytestmark = pytest.mark.xdist_group("dask")


class Cluster:
    """A scheduler and workers, started and killed one by one."""

    def __init__(self, folder: Path, studio: LocalStudio, stack: ExitStack) -> None:
        self.folder = folder
        self.studio = studio
        self._port = free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        self.workers: list[psutil.Process] = []
        self._stack = stack
        host = ("--host", self.address, "--no-dashboard")
        self.scheduler = self._start("scheduler", *host)
        for _ in range(WORKERS):
            self.add_worker()
        until(self._answers, "a scheduler")

    def _answers(self) -> bool:
        with closing(socket.socket()) as one:
            return one.connect_ex(("127.0.0.1", self._port)) == 0

    def _start(self, kind: str, *words: str) -> psutil.Process:
        # As on any machine: a worker has the credentials in its environment.
        environment = os.environ | environment_of(self.studio)
        with (self.folder / f"{kind}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words],
                cwd=self.folder, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return psutil.Process(process.pid)

    def add_worker(self) -> None:
        self.workers.append(
            self._start(
                "worker", self.address, "--host", "tcp://127.0.0.1", "--no-nanny",
                "--no-dashboard", "--nthreads", "1", "--memory-limit", "1GiB",
                "--resources", "bulkload=1", "--local-directory", str(self.folder),
            )
        )  # fmt: skip

    def lanes(self) -> list[psutil.Process]:
        """Return the lanes that the workers have started."""
        alive = [worker for worker in self.workers if worker.is_running()]
        return [one for worker in alive for one in lanes_of(worker)]


def lanes_of(worker: psutil.Process) -> list[psutil.Process]:
    try:
        return [child for child in worker.children() if is_lane(child)]
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        studio = LocalStudio(StudioSettings(data_dir=folder / "studio", latency_s=0.05))
        stack.enter_context(portal.wrap_async_context_manager(studio))
        yield Cluster(folder, studio, stack)


def upload(cluster: Cluster, parts: int) -> list[str]:
    return ["upload", "archive", "--job", "job", "--dask", cluster.address, "--parts", str(parts)]


@pytest.mark.timeout(600)
def test_a_worker_is_killed_and_another_joins_and_everything_arrives_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=8, measurements=3)
    before = cluster.studio.requests.total
    with running(upload(cluster, 6), folder=tmp_path, studio=cluster.studio) as run:
        until(lambda: cluster.studio.requests.total > before + 6, "requests")
        busy = next(worker for worker in cluster.workers if lanes_of(worker))
        busy.kill()
        cluster.add_worker()
        ended = run.wait()
    assert ended.code == 0, ended.out + ended.err
    assert_all_arrived(cluster.studio, tmp_path / "job", made)
    assert summary(tmp_path / "job")["requests"] >= 3 * len(made)
    # The next test finds a Studio without them.
    with running(["rollback", "job", "--yes"], folder=tmp_path, studio=cluster.studio) as run:
        assert run.wait().code == 0


@pytest.mark.timeout(600)
def test_a_run_that_loses_its_scheduler_is_gone_on_with_without_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=4, measurements=3)
    before = cluster.studio.requests.total
    with running(upload(cluster, 4), folder=tmp_path, studio=cluster.studio) as run:
        until(lambda: cluster.studio.requests.total > before + 6, "requests")
        lanes = cluster.lanes()
        cluster.scheduler.kill()
        ended = run.wait()
    assert ended.code == 5, ended.out + ended.err
    assert "was lost; what was delivered is kept" in " ".join(ended.out.split())
    counts = summary(tmp_path / "job")["counts"]
    assert sum(counts.values()) <= summary(tmp_path / "job")["planned"] == len(made)
    assert counts["rejected"] == counts["failed"] == 0
    assert len(rows_of(tmp_path / "job")) == len(made)
    # Workers end with their scheduler, and lanes with their worker.
    until(lambda: not any(lane.is_running() for lane in lanes), "lanes outlive their worker")
    again = ["upload", "archive", "--job", "job", "--lanes", "2", "--workers", "2"]
    with running(again, folder=tmp_path, studio=cluster.studio) as run:
        ended = run.wait()
    assert ended.code == 0, ended.out + ended.err
    assert_all_arrived(cluster.studio, tmp_path / "job", made)


def test_a_cluster_in_this_process_runs_beside_another(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", cells=3, measurements=1)
    jobs.use(studio)
    words = ("upload", "archive", "--job", "job", "--parts", "2", "--lanes", "2")
    with socket.socket() as taken:
        # The port of Dask's dashboard: somebody else's cluster has it, or this one has it here.
        with suppress(OSError):
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        ended = jobs.command(*words, "--dask", "local")
    assert ended.code == 0, ended.out + ended.err
    assert_all_arrived(studio, tmp_path / "job", made)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dask", "tcp://127.0.0.1:1"], "no scheduler of Dask answers there"),
        (["--dask", "tcp://127.0.0.1:1", "--workers", "2"], "the workers of a cluster state"),
        (["--dask", "tcp://127.0.0.1:1", "--local", "here"], "give --dask local"),
        (["--dask", "local", "--shard", "0/2"], "give --dask or --shard"),
        (["--dask", "local", "--parts", "1"], "a job of one part"),
    ],
)
def test_what_a_cluster_cannot_run_is_a_sentence(
    words: list[str], said: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    jobs.environment.setattr(dask_cluster, "CLUSTER_CONNECT_S", 0.5)
    archive(tmp_path / "archive", cells=2, measurements=1)
    jobs.use(studio)
    ended = jobs.command("upload", "archive", "--job", "job", *words)
    assert ended.code == 2, ended.out + ended.err
    assert said in " ".join(ended.err.split())
    assert studio.requests.total == 0


def test_a_source_that_no_worker_sees_ends_the_run_before_anything_is_sent(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    """A worker of another machine is stood in for: one of this machine sees every source."""
    source = archive_elsewhere(tmp_path, jobs)
    jobs.use(studio)
    jobs.environment.setattr(dask_runner, "NO_WORKER_S", 0.5)
    ended = jobs.command("upload", "archive", "--job", "job", "--parts", "2", "--dask", "local")
    assert ended.code == 5, ended.out + ended.err
    said = " ".join(ended.out.split())
    assert f"no worker can run parts; it does not see the source {source}" in said
    assert studio.requests.total == 0
    assert {row.state for row in rows_of(tmp_path / "job").values()} == {"planned"}


def archive_elsewhere(folder: Path, jobs: Jobs) -> Path:
    """Make an archive that the workers of a cluster in this process do not see."""
    archive(folder / "archive", cells=2, measurements=1)
    source = folder / "archive"

    async def look(site: Site, dask_worker: Worker) -> Capacity | str:
        unseen = tuple(f"{one}-elsewhere" for one in site.sources)
        return await real(replace(site, sources=unseen), dask_worker)

    real = dask_worker.look
    jobs.environment.setattr(dask_worker, "look", look)
    return source.with_name("archive-elsewhere")


def test_a_missing_extra_names_the_install_command(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    jobs.environment.setitem(sys.modules, "distributed", None)
    archive(tmp_path / "archive", cells=2, measurements=1)
    jobs.use(studio)
    ended = jobs.command("upload", "archive", "--job", "job", "--dask", "local")
    assert ended.code == 2
    assert "pip install 'bulkload[dask]'" in " ".join(ended.err.split())


def test_a_new_job_for_a_cluster_has_parts_for_one_of_some_size() -> None:
    assert [parts_for_cluster(lanes) for lanes in (None, 1, 2)] == [64, 4, 8]
