"""The scripts for clusters: on a real Slurm of this test's own, on the shell, and as a document."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import PATIENCE_S, Jobs, StartStudio, environment_of, until
from tests.lanes.divided import assert_all_arrived

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "cluster"
PLAN = ("plan", "archive", "--job", "job", "--parts", "6")
PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
NODES = ("n1", "n2", "n3")

# A credential lasts as long as a requeued task waits before it starts again: two minutes, unless
# stated. A task must start within it on a busy machine, too.
CONFIGURATION = """
ClusterName=bulkload
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
CredType=cred/munge
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2
ReturnToService=2
KillWait=30
JobRequeue=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Slurm:
    """A controller and three nodes on this machine, with an authentication of their own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "state").mkdir()
        subprocess.run(["mungekey", "-c", "-k", folder / "munge.key"], check=True)
        names = ("socket", "pid", "log", "seed")
        places = [f"--{name}={folder}/munge.{name}" for name in names]
        places = [one.replace("--pid=", "--pid-file=") for one in places]
        places = [one.replace("--log=", "--log-file=") for one in places]
        places = [one.replace("--seed=", "--seed-file=") for one in places]
        key = f"--key-file={folder}/munge.key"
        self.start(stack, "munged", "--foreground", "--force", "--num-threads=2", key, *places)
        until((folder / "munge.socket").exists, "munged")
        text = CONFIGURATION.format(folder=folder, port=free_port(), user=_user())
        for node in NODES:
            (folder / f"spool-{node}").mkdir()
            text += f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 "
            text += f"Port={free_port()} CPUs=1 RealMemory=100\n"
        (folder / "slurm.conf").write_text(text, "utf-8")
        self.start(stack, "slurmctld", "-D")
        for node in NODES:
            self.nodes[node] = self.start(stack, "slurmd", "-D", "-N", node)
        until(lambda: self.ask("sinfo", "-h", "-N", "-t", "idle").count("idle") == 3, "nodes")

    def start(self, stack: ExitStack, *command: str) -> subprocess.Popen[bytes]:
        log = stack.enter_context((self.folder / f"{command[0]}.out").open("ab"))
        process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        stack.callback(_end, process)
        return process

    def ask(self, *command: str) -> str:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        ).stdout

    def submit(self, folder: Path, studio: LocalStudio, tasks: int) -> None:
        """Submit the script of the repository for a job in a folder."""
        given = environment_of(studio) | {
            "JOB": str(folder / "job"),
            "BULKLOAD": f"{sys.executable} -m bulkload",
            "WAIT_S": "1",
        }
        subprocess.run(
            ["sbatch", f"--array=0-{tasks - 1}", f"--output={folder}/task-%a.out",
             f"--chdir={folder}", SCRIPTS / "slurm_array.sh"],
            env=self.environment | given, check=True, capture_output=True,
        )  # fmt: skip

    def is_idle(self) -> bool:
        return not self.ask("squeue", "-h").strip()


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    missing = [one for one in PROGRAMS if shutil.which(one) is None]
    if missing or sys.platform == "win32":
        reason = f"Slurm is not installed: {', '.join(missing)} (apt-get install slurmctld slurmd)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with ExitStack() as stack:
        yield Slurm(tmp_path_factory.mktemp("slurm"), stack)


@pytest.mark.timeout(900)
def test_a_slurm_array_brings_everything_also_where_tasks_are_requeued(
    slurm: Slurm, jobs: Jobs, start_studio: StartStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=6, measurements=2)
    studio = start_studio(latency_s=0.05)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    slurm.submit(tmp_path, studio, tasks=3)
    until(lambda: studio.requests.total > 12, "requests")
    # One task is taken from its node in the middle, as a preemption does it.
    running = slurm.ask("squeue", "-h", "-r", "-t", "R", "-o", "%i").split()
    assert running, "the array was over before a task could be requeued"
    slurm.ask("scontrol", "requeue", running[0])
    until(slurm.is_idle, "the array", patience_s=3 * PATIENCE_S)
    whole = jobs.command("upload", "archive", "--job", "job", "--lanes", "1")
    told = "".join(one.read_text("utf-8") for one in tmp_path.glob("task-*.out"))
    assert whole.code == 0, whole.out + whole.err + told
    assert_all_arrived(studio, tmp_path / "job", made)


@pytest.mark.timeout(600)
def test_the_loop_over_indices_runs_all_parts_and_ends_with_the_worst_code(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    made = archive(tmp_path / "archive", specs=2, cells=3, measurements=1)
    jobs.use(studio)
    assert jobs.command(*PLAN).code == 0
    environment = os.environ | environment_of(studio)
    environment["BULKLOAD"] = f"{sys.executable} -m bulkload"
    command = [str(SCRIPTS / "index_loop.sh"), "job", "2"]
    refused = subprocess.run(
        command, env=environment | {"IONWORKS_API_KEY": "none"}, cwd=tmp_path, check=False
    )
    assert refused.returncode == 4
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    assert jobs.command("upload", "archive", "--job", "job").code == 0
    assert_all_arrived(studio, tmp_path / "job", made)


def test_the_kubernetes_job_has_the_fields_of_its_published_form() -> None:
    """Written from the API reference of batch/v1 (1.29): names, types and their rules."""
    job: dict[str, Any] = yaml.safe_load((SCRIPTS / "kubernetes_job.yaml").read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert set(spec) <= {
        "activeDeadlineSeconds", "backoffLimit", "backoffLimitPerIndex", "completionMode",
        "completions", "manualSelector", "maxFailedIndexes", "parallelism", "podFailurePolicy",
        "podReplacementPolicy", "selector", "suspend", "template", "ttlSecondsAfterFinished",
    }  # fmt: skip
    assert spec["completionMode"] == "Indexed"
    assert spec["maxFailedIndexes"] <= spec["completions"]
    pod = spec["template"]["spec"]
    # A pod failure policy needs pods that are not started again in place.
    assert pod["restartPolicy"] == "Never"
    containers = {one["name"]: one for one in pod["containers"]}
    codes: dict[str, list[int]] = {}
    for rule in spec["podFailurePolicy"]["rules"]:
        assert rule["action"] in {"FailJob", "FailIndex", "Ignore", "Count"}
        assert ("onExitCodes" in rule) != ("onPodConditions" in rule)
        if (on_codes := rule.get("onExitCodes")) is not None:
            assert on_codes["containerName"] in containers
            assert on_codes["operator"] in {"In", "NotIn"}
            assert 0 not in on_codes["values"]
            codes[rule["action"]] = on_codes["values"]
        for condition in rule.get("onPodConditions", ()):
            assert condition == {"type": "DisruptionTarget", "status": "True"}
    assert codes == {"FailJob": [2, 4], "FailIndex": [1, 3]}
    assert pod["terminationGracePeriodSeconds"] > 20
    argument = containers["bulkload"]["args"][0]
    assert f'"$JOB_COMPLETION_INDEX/{spec["completions"]}"' in argument
    mounts = {one["name"] for one in containers["bulkload"]["volumeMounts"]}
    assert mounts == {one["name"] for one in pod["volumes"]}
