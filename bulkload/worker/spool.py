"""The files of prepared measurements until they are uploaded."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio

from bulkload.archives.access import safe_name

#: Ending of the folder in which a job's copy lies.
_COPIES: Final = ".source"


class Spool:
    """The folder of prepared files, with a bound on the bytes that wait in it."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Empty the folder of what a run that died left in it.

        Side effects: creates ``folder`` where it does not exist.
        """
        shutil.rmtree(folder, ignore_errors=True)
        # Not removed: it may be a mount point.
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._sizes: dict[int, int] = {}
        #: Jobs that have one file, as most have: to look for others costs more than to delete it.
        self._single: set[int] = set()
        self._total_bytes = 0
        self._changed = anyio.Event()

    def grow(self, limit_bytes: int) -> None:
        """Let more bytes wait from now on."""
        self._limit_bytes = limit_bytes
        self._notify()

    def path(self, job: int) -> Path:
        """Return the path of a job's prepared file. Names are numbers: no text from outside."""
        return self.folder / f"{job}.parquet"

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def wait_for_room(self) -> None:
        """Wait until the files that wait are below the limit.

        The size of the next file is not known yet, so that each worker may pass the limit by one.
        """
        while self._total_bytes >= self._limit_bytes:
            await self._changed.wait()

    def add(self, job: int, size_bytes: int, *, is_only_file: bool = False) -> None:
        """Count what was written; ``is_only_file`` says that nothing lies beside the file."""
        self._sizes[job] = size_bytes
        if is_only_file:
            self._single.add(job)
        self._total_bytes += size_bytes

    def remove(self, job: int) -> None:
        """Delete a job's files, whatever became of it."""
        path = self.path(job)
        names = [path]
        if job in self._single:
            self._single.remove(job)
        else:
            names += [steps_path(path), extension_path(path)]
            shutil.rmtree(path.with_suffix(_COPIES), ignore_errors=True)
        for one in names:
            # Windows keeps a file that an abandoned upload still reads: it goes with the folder.
            with suppress(PermissionError):
                one.unlink(missing_ok=True)
        self._total_bytes -= self._sizes.pop(job, 0)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def steps_path(spool: Path) -> Path:
    """Return the path of the steps of a spooled time series."""
    return spool.with_suffix(".steps.parquet")


def copy_path(spool: Path, source: str) -> Path:
    """Return the path of the copy of a source that is not a file of its own."""
    return spool.with_suffix(_COPIES) / safe_name(source)


def extension_path(spool: Path) -> Path:
    """Return the path of the new rows of a spooled time series that has grown."""
    return spool.with_suffix(".extend.parquet")
