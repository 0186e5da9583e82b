"""Private database servers: started as an ordinary user on loopback, stopped by their id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import adbc_driver_postgresql.dbapi
import pymysql
import pytest

#: How long a server may take to come up, or a program to end, in seconds.
PATIENCE_S = 60.0
LOOK_S = 0.05
#: Where systems keep server programs that are not on everybody's path.
_FURTHER_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin")


def program(name: str) -> str:
    """Find a server's program; the test skips without it, and fails in CI."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders = [os.environ["PATH"], *_FURTHER_FOLDERS, *map(str, versions)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        reason = f"the program {name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def free_port() -> int:
    """Return a loopback port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _ordinary() -> dict[str, Any]:
    """Return the arguments that make a process an ordinary user's."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass(kw_only=True)
class Server:
    """A server of this test run's own."""

    folder: Path
    command: Sequence[str]
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)
    ending_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def start(self) -> None:
        """Start the server and wait until its port answers."""
        log = (self.folder / "server.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=self.folder, **_ordinary()
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(LOOK_S)

    def log(self) -> str:
        """Return what the server wrote."""
        return (self.folder / "server.log").read_text("utf-8", errors="replace")[-3000:]

    def kill(self) -> None:
        """Take the server away as a failure of power would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        """End the server."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.ending_signal)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def _folder() -> Iterator[Path]:
    # Not the test's own folder: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="bl-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if owner := _ordinary():
            os.chown(folder, owner["user"], owner["group"])
        yield folder


def _set_up(command: Sequence[str], folder: Path) -> None:
    """Run a set-up program as an ordinary user; what it said is part of its failure."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd=folder,
        **_ordinary(),
    )
    assert done.returncode == 0, done.stdout + done.stderr


class PostgreSQL(Server):
    """A PostgreSQL of this test run's own."""

    #: "Fast": without waiting for sessions that a test left open.
    ending_signal = signal.SIGINT

    def url(self, database: str, user: str = "owner") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, database: str, *statements: str) -> None:
        """Run statements that change something, each by itself."""
        with (
            adbc_driver_postgresql.dbapi.connect(self.url(database), autocommit=True) as one,
            one.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def ingest(self, database: str, table: str, data: Any) -> None:
        """Add rows of an Arrow table."""
        with (
            adbc_driver_postgresql.dbapi.connect(self.url(database)) as one,
            one.cursor() as cursor,
        ):
            cursor.adbc_ingest(table, data, mode="append")
            one.commit()


class MariaDB(Server):
    """A MariaDB of this test run's own."""

    def url(self, database: str, user: str = "root") -> str:
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str | None = None) -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True
        )

    def run(self, database: str | None, *statements: str) -> None:
        """Run statements that change something."""
        with self.connect(database) as one, one.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL for the length of the block."""
    initdb, postgres = program("initdb"), program("postgres")
    with _folder() as folder:
        data = folder / "data"
        _set_up(
            [initdb, "-D", str(data), "-A", "trust", "-U", "owner", "-E", "UTF8", "--no-sync"],
            folder,
        )
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "shared_buffers": "64MB",
        }
        stated = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [postgres, "-D", str(data), "-p", str(port), *stated]
        server = PostgreSQL(folder=folder, command=command, port=port)
        try:
            server.start()
            _wait_for_postgresql(server)
            yield server
        finally:
            server.stop()


def _wait_for_postgresql(server: PostgreSQL) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            server.run("postgres", "SELECT 1")
        except adbc_driver_postgresql.dbapi.Error:
            assert time.monotonic() < deadline, server.log()
            time.sleep(LOOK_S)
        else:
            return


@contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """Run a MariaDB for the length of the block."""
    install, daemon = program("mariadb-install-db"), program("mariadbd")
    with _folder() as folder:
        data = folder / "data"
        subprocess.run(
            [
                *(
                    install,
                    "--no-defaults",
                    f"--datadir={data}",
                    "--skip-test-db",
                    "--skip-name-resolve",
                ),
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
            cwd=folder,
            **_ordinary(),
        )
        port = free_port()
        command = [
            *(daemon, "--no-defaults", f"--datadir={data}", f"--socket={folder}/socket"),
            *(f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={folder}/pid"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"),
        ]
        server = MariaDB(folder=folder, command=command, port=port)
        try:
            server.start()
            yield server
        finally:
            server.stop()
