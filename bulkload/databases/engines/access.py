"""Access databases: turned into a SQLite copy with the programs of mdbtools, then read as one."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bulkload.databases.engines.base import SnapshotInfo
from bulkload.errors import PlanError

#: Longest that a program may take over one table, in seconds.
EXPORT_TIMEOUT_S: Final = 3600
#: How dates and times come out: as any reader of the copy understands them.
_DATES: Final = ("-D", "%Y-%m-%d %H:%M:%S", "-T", "%Y-%m-%d %H:%M:%S")
#: What statements that come out of a foreign file may do to the copy.
_ALLOWED: Final = frozenset(
    {
        *(sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_READ),
        *(sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_FUNCTION),
        *(sqlite3.SQLITE_SELECT, sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_REINDEX),
    }
)


def sqlite_copy_of(path: Path, to: Path) -> SnapshotInfo:
    """Write every table of an Access database into a SQLite file; raises ``PlanError``.

    Side effects: replaces ``to``.
    """
    if not path.is_file():
        raise PlanError(f"{path}: there is no such file")
    to.unlink(missing_ok=True)
    taken_at = datetime.now(UTC)
    with closing(sqlite3.connect(to, isolation_level=None)) as target:
        target.set_authorizer(_authorise)
        target.execute("BEGIN")
        for statement in _statements(_run("mdb-schema", str(path), "sqlite", "--no-indexes")):
            _execute(target, statement, path)
        for name in _run("mdb-tables", "-1", str(path)).decode("utf-8", "strict").splitlines():
            if name:
                exported = _run("mdb-export", "-I", "sqlite", *_DATES, str(path), name)
                for statement in _statements(exported):
                    _execute(target, statement, path)
        target.execute("COMMIT")
    return SnapshotInfo(
        id=f"export of {taken_at.isoformat(timespec='seconds')}", taken_at=taken_at.isoformat()
    )


def _authorise(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _execute(target: sqlite3.Connection, statement: str, path: Path) -> None:
    try:
        target.execute(statement)
    except sqlite3.Error as error:
        raise PlanError(f"{path}: mdbtools gave what SQLite does not take: {error}") from error


def _statements(script: bytes) -> Iterator[str]:
    lines: list[str] = []
    for line in script.decode("utf-8", "strict").splitlines(keepends=True):
        if not lines and (not line.strip() or line.startswith("--")):
            continue
        lines.append(line)
        if line.rstrip().endswith(";") and sqlite3.complete_statement("".join(lines)):
            yield "".join(lines)
            lines = []


def _run(name: str, *arguments: str) -> bytes:
    program = shutil.which(name)
    if program is None:
        raise PlanError(
            f"an Access database needs the program {name}, which is not on the path; install "
            "mdbtools (apt-get install mdbtools, brew install mdbtools)"
        )
    try:
        done = subprocess.run(  # noqa: S603 - the program's path, and a path as one argument
            [program, *arguments], capture_output=True, check=False, timeout=EXPORT_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise PlanError(f"{name} did not finish within {EXPORT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        error_text = done.stderr.decode("utf-8", "replace").strip()[-200:]
        raise PlanError(f"{name} failed: {error_text}; the database may be damaged")
    return done.stdout
