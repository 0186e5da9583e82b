"""The databases of one run. Light to load: what reads them is loaded when one is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from bulkload.databases.configuration import SqlSource
    from bulkload.databases.session import Session

#: The folder of a job's databases.
FOLDER: Final = "databases"


class Databases:
    """Opened as the plan meets them, ended with the run."""

    def __init__(self, job_dir: Path, *, allow_writable: bool = False) -> None:
        """``allow_writable`` takes a session that could write where none other is to be had."""
        self.job_dir = job_dir
        self._folder = job_dir / FOLDER
        self._allow_writable = allow_writable
        self._sessions: list[Session] = []

    def open(self, source: SqlSource, name: str) -> Session:
        """Open a database; its measurements' files go into a folder of this name."""
        from bulkload.databases.session import Session

        if self._allow_writable:
            source = source.model_copy(update={"allow_writable": True})
        session = Session(source, (self._folder / name).absolute())
        self._sessions.append(session)
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in self._sessions:
            session.close()


def folders_of(job_dir: Path) -> Mapping[str, Path]:
    """Return the folders of the databases that a job has, by name."""
    folder = job_dir / FOLDER
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path for path in found if path.is_dir()}
