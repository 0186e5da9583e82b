"""Remote trees: a real S3 wire and a real SSH server, and every way in which they fail."""

from __future__ import annotations

import csv
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bulkload.archives import access, remote, stores
from bulkload.archives.limits import READ_ATTEMPTS, READS_AHEAD
from bulkload.errors import PlanError, UnreadableError
from bulkload.localstudio import LocalStudio
from tests.archived.packing import FORMS, good, put, tarred, zipped
from tests.archived.packing import csv as table
from tests.jobs import Jobs, until

SECRET = "moto-secret-4711"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins as a process does, and waits for no retry."""
    monkeypatch.setattr(remote, "_known", remote._Known())
    monkeypatch.setattr(stores, "_file_systems", {})
    monkeypatch.setattr(stores, "FIRST_RETRY_S", 0.0)
    yield
    access.close_all()


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass(kw_only=True)
class Bucket:
    """A bucket, and what a lab's environment says of it."""

    client: Any
    name: str

    def put(self, members: dict[str, bytes]) -> None:
        for key, data in members.items():
            self.client.put_object(Bucket=self.name, Key=key, Body=data)


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "moto-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    client = boto3.client("s3", endpoint_url=moto, region_name="us-east-1")
    name = f"lab-{abs(hash(request.node.name)) % 10**9}"
    client.create_bucket(Bucket=name)
    return Bucket(client=client, name=name)


def all_bytes(folder: Path) -> bytes:
    """Return everything that a job folder holds."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_tree_in_s3_goes_in(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, bucket: Bucket
) -> None:
    packed = zipped({"cell 9/run 9.csv": table(9)})
    bucket.put({f"2023/{name}": data for name, data in good().items()})
    bucket.put({"2023/NMC/year.zip": packed, "2023/NMC/cell 0/photo.png": b"\x89PNG not much"})
    bucket.put({"2023/NMC/cell 0/cell.json": b'{"notes": "from the bucket"}'})
    jobs.use(studio)
    url = f"s3://{bucket.name}/2023"
    ended = jobs.upload(url)
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 6}
    paths = {row.measurement: row.path for row in ended.rows.values()}
    assert paths["run 3"] == f"{url}/NMC/cell 1/run 3.csv"
    assert paths["run 9"] == f"{url}/NMC/year.zip!/cell 9/run 9.csv"
    asked = studio.requests.total
    assert jobs.upload(url).counts == {"created": 6}
    assert studio.requests.total == asked
    assert jobs.command("verify", "job", "--all").code == 0
    # A plan names the objects, and is read back.
    assert jobs.command("plan", url, "--out", "plan.csv").code == 0
    with (tmp_path / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        assert set(paths.values()) == {row["path"] for row in csv.DictReader(file)}
    # Nothing of the credentials is anywhere.
    kept = all_bytes(tmp_path / "job") + (tmp_path / "plan.csv").read_bytes()
    assert SECRET.encode() not in kept
    assert b"moto-key" not in kept
    # An object that changed is not taken for what Studio has.
    bucket.put({"2023/NMC/cell 0/run 0.csv": table(50)})
    again = jobs.upload(url)
    assert again.rows["run 0"].cause == "source_changed"


def test_an_archive_in_s3_is_read_in_pieces(
    jobs: Jobs, studio: LocalStudio, bucket: Bucket
) -> None:
    bucket.put({"year.zip": zipped(good()), "week.tgz": tarred(good(), "w:gz")})
    jobs.use(studio)
    for name in ("year.zip", "week.tgz"):
        ended = jobs.upload(f"s3://{bucket.name}/{name}", job=name)
        assert ended.code == 0, ended.out + ended.err
    assert ended.counts in ({"created": 4}, {"existing": 4})


def test_a_bucket_that_is_not_there(jobs: Jobs, bucket: Bucket) -> None:
    ended = jobs.command("plan", "s3://no-such-bucket-here/x")
    assert ended.code == 2
    assert "s3://no-such-bucket-here/x: " in ended.err
    assert "it does not exist, or no longer does" in ended.err


# -- SFTP ----------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Sshd:
    """An SSH server of this user on a port of loopback."""

    port: int
    root: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}{self.root}"


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("openssh-server is not installed")
    home = tmp_path / "ssh"
    home.mkdir(mode=0o700)
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / key], check=True
        )
    shutil.copy(home / "user.pub", home / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nPidFile {home}/pid\n"
        f"AuthorizedKeysFile {home}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    public = (home / "host.pub").read_text().split()
    (home / "known").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    monkeypatch.setattr(
        "fsspec.config.conf",
        {"sftp": {"client_keys": str(home / "user"), "known_hosts": str(home / "known")}},
    )
    command = [program, "-D", "-e", "-f", str(home / "config")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        until(lambda: _answers(port), "sshd answers")
        yield Sshd(port=port, root=tmp_path / "remote", process=process)
        process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_tree_on_an_sftp_server_goes_in(jobs: Jobs, studio: LocalStudio, sshd: Sshd) -> None:
    for name, data in good().items():
        put(sshd.root / name, data)
    put(sshd.root / "NMC" / "cell8.zip", zipped({"run 8.csv": table(8)}))
    jobs.use(studio)
    ended = jobs.upload(sshd.url)
    assert ended.code == 0, ended.out + ended.err
    assert ended.counts == {"created": 5}
    assert ended.rows["run 3"].path == f"{sshd.url}/NMC/cell 1/run 3.csv"
    assert ended.rows["run 8"].cell == "cell8"


def test_a_host_that_nobody_knows_is_not_trusted(
    jobs: Jobs, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sshd.root / "a.csv", b"1")
    empty = put(tmp_path / "nobody", b"")
    conf = {"sftp": {"client_keys": str(tmp_path / "ssh" / "user"), "known_hosts": str(empty)}}
    monkeypatch.setattr("fsspec.config.conf", conf)
    ended = jobs.command("plan", sshd.url)
    assert ended.code == 2
    assert "the key of the host is not known: connect once with ssh" in ended.err


def test_a_key_that_is_not_accepted(
    jobs: Jobs, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "ssh" / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    known = str(tmp_path / "ssh" / "known")
    conf = {"sftp": {"client_keys": str(other), "known_hosts": known, "agent_path": None}}
    monkeypatch.setattr("fsspec.config.conf", conf)
    ended = jobs.command("plan", sshd.url)
    assert ended.code == 2
    assert "the store does not let it be read" in ended.err


# -- A web server that fails as it is told ---------------------------------------------------------


@dataclass(kw_only=True)
class Web:
    """A web server of files, and what it does wrong: a hook a request."""

    files: dict[str, bytes]
    url: str = ""
    #: Path -> what is done instead; True: it was.
    wrong: dict[str, Callable[[http.server.BaseHTTPRequestHandler], bool]] = field(
        default_factory=dict
    )
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web(files={})

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            web.asked.append(f"{self.command} {path}")
            if path in web.wrong and web.wrong[path](self):
                return
            if path.endswith("/") or path == "":
                names = {
                    name[len(path) :].split("/")[0] + ("/" if "/" in name[len(path) :] else "")
                    for name in web.files
                    if name.startswith(path)
                }
                links = "".join(f'<a href="/{path}{name}">{name}</a>' for name in sorted(names))
                self._send(links.encode(), "text/html")
            elif path in web.files:
                self._send(web.files[path], "text/csv")
            else:
                self.send_error(404)

        def _send(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("ETag", f'"{hash(data)}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    yield web
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def fetched(url: str, folder: Path) -> Iterator[bytes]:
    with access.local_copy(url, folder) as (path, _):
        yield path.read_bytes()


def times(
    count: int,
    act: Callable[[http.server.BaseHTTPRequestHandler], None],
    *,
    only_reads: bool = True,
) -> Any:
    """Do something wrong so many times, then nothing."""
    left = [count]

    def hook(handler: http.server.BaseHTTPRequestHandler) -> bool:
        if (handler.command == "HEAD" and only_reads) or not left[0]:
            return False
        left[0] -= 1
        act(handler)
        return True

    return hook


def cut(data: bytes) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Answer with half of the data and close the connection."""

    def act(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", f'"{hash(data)}"')
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    return act


def status(code: int) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    return lambda handler: handler.send_error(code)


def test_a_tree_of_a_web_server_is_listed_once(web: Web, jobs: Jobs) -> None:
    web.files.update({f"lab/{name.replace(' ', '_')}": data for name, data in good().items()})
    ended = jobs.command("plan", f"{web.url}/lab", "--out", "plan.csv")
    assert ended.code == 0, ended.out + ended.err
    assert "4 measurements" in ended.out
    assert len([one for one in web.asked if one == "GET lab/NMC/"]) == 1


def test_a_folder_that_cannot_be_listed_is_named(web: Web, jobs: Jobs) -> None:
    """The library's own walk leaves it out without a word."""
    web.files.update({f"lab/{name.replace(' ', '_')}": data for name, data in good().items()})
    web.wrong["lab/NMC/cell_1/"] = times(99, status(403))
    ended = jobs.command("plan", f"{web.url}/lab", "--out", "plan.csv")
    assert ended.code == 3, ended.out + ended.err
    assert "unreadable_folder" in ended.out
    assert f"{web.url}/lab/NMC/cell_1: cannot be listed: the store does not" in " ".join(
        ended.out.split()
    )


def test_a_reset_in_mid_file_is_tried_again(web: Web, tmp_path: Path) -> None:
    data = table(1)
    web.files["a.csv"] = data
    web.wrong["a.csv"] = times(2, cut(data))
    with fetched(f"{web.url}/a.csv", tmp_path) as found:
        assert found == data


def test_a_short_file_is_never_taken_for_whole(web: Web, tmp_path: Path) -> None:
    data = table(1)
    web.files["a.csv"] = data
    web.wrong["a.csv"] = times(99, cut(data))
    with (
        pytest.raises(UnreadableError, match=f"could not be read, {READ_ATTEMPTS} times") as raised,
        fetched(f"{web.url}/a.csv", tmp_path),
    ):
        pass
    assert raised.value.cause == "remote_unreachable"
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("code", "cause", "says"),
    [
        (403, "remote_forbidden", "a.csv: the store does not let it be read (403)"),
        (404, "vanished", "a.csv: it does not exist, or no longer does"),
        (503, "remote_unreachable", "HTTP 503"),
    ],
)
def test_answers_of_a_store(web: Web, tmp_path: Path, code: int, cause: str, says: str) -> None:
    web.files["a.csv"] = table(1)
    remote.look(f"{web.url}/a.csv")
    web.wrong["a.csv"] = times(99, status(code), only_reads=False)
    with pytest.raises(UnreadableError) as raised, fetched(f"{web.url}/a.csv", tmp_path):
        pass
    assert raised.value.cause == cause
    assert says in str(raised.value)


def test_a_file_that_changed_since_it_was_listed(web: Web, tmp_path: Path) -> None:
    web.files["a.csv"] = table(1)
    remote.look(f"{web.url}/a.csv")
    web.files["a.csv"] = table(2)
    with (
        pytest.raises(UnreadableError, match="the file changed since it was listed") as raised,
        fetched(f"{web.url}/a.csv", tmp_path),
    ):
        pass
    assert raised.value.cause == "source_changing"


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PlanError, match=f"could not be read, {READ_ATTEMPTS} times"):
        remote.tree_of(f"http://127.0.0.1:{port}/lab")


def test_what_fails_costs_itself_and_is_retried(
    jobs: Jobs, studio: LocalStudio, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.files.update({f"lab/{name.replace(' ', '_')}": data for name, data in good().items()})
    web.wrong["lab/NMC/cell_0/run_0.csv"] = times(1, status(403))
    jobs.use(studio)
    ended = jobs.upload(f"{web.url}/lab")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 3, "rejected": 1}
    row = ended.rows["run_0"]
    assert row.cause == "remote_forbidden"
    assert row.message.startswith(f"{web.url}/lab/NMC/cell_0/run_0.csv: the store does not let")
    assert jobs.command("retry", "job").code == 0
    assert jobs.upload(f"{web.url}/lab").counts == {"created": 4}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sftp://anna:hunter2@host/data", "the URL holds a password"),
        ("https://host/year.zip?X-Amz-Signature=hunter2", "the URL holds a query"),
        ("s3://hunter2@bucket/data", "the URL holds a user or a key"),
    ],
)
def test_a_secret_in_a_url_is_refused_before_anything_is_written(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path, url: str, says: str
) -> None:
    jobs.use(studio)
    for command in (["upload", "--job", "job"], ["plan"], ["check"]):
        ended = jobs.command(*command, url)
        assert ended.code == 2
        assert says in ended.err
        assert "hunter2" not in ended.err + ended.out
    assert b"hunter2" not in all_bytes(tmp_path)


def test_unknown_kinds_of_stores(jobs: Jobs) -> None:
    ended = jobs.command("plan", "nostore://host/x")
    assert (ended.code, "nostore:// is not a kind of store" in ended.err) == (2, True), ended.err


def test_few_are_copied_ahead_of_the_readers() -> None:
    assert READS_AHEAD == 2
    assert FORMS
