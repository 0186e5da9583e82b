"""What the commands that take a job folder need of it: its journal, its target, its Studio."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bulkload.archives.stores import refuse_secrets
from bulkload.cli.jobs.local_studio import local_studio
from bulkload.core.address import is_url
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import SettingsError
from bulkload.journal import FILE_NAME, RunRow, find
from bulkload.journal.parts import read_layout
from bulkload.journal.whole import WholeJob

#: Where job folders lie where none is named.
DEFAULT_JOBS: Final = Path(".bulkload")


def absolute(sources: Sequence[str]) -> tuple[str, ...]:
    """Return sources as the journal names them: the same wherever the command is run.

    A URL loses its credentials: they stay in the environment, or are given again.
    """
    return tuple(map(_absolute, sources))


def _absolute(source: str) -> str:
    if is_url(source):
        refuse_secrets(source)
    if "://" not in source:
        return str(Path(source).resolve())
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def default_job(sources: Sequence[str], target: Target) -> Path:
    """Return the job folder of sources and a target for which none is named.

    It has the first source's name. Where a folder of that name is another job's, a digest of
    sources and target follows: two archives, or two projects, never share a journal.
    """
    if not sources:
        raise SettingsError("name at least one source: a folder, or a manifest")
    first = Path(sources[0]).resolve()
    # A folder may have a point in its name; only a file has an ending.
    name = (first.name if first.is_dir() else first.stem) or "job"
    identity = {"sources": list(absolute(sources)), **target.as_json()}
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    folder, own = DEFAULT_JOBS / name, DEFAULT_JOBS / f"{name}-{digest}"
    return folder if not own.exists() and _is_free_for(folder, identity) else own


def _is_free_for(folder: Path, identity: Mapping[str, object]) -> bool:
    """Return whether a folder holds no job, or one of the same sources and target."""
    if find(folder) is None and read_layout(folder) is None:
        return True
    last = last_upload_of(folder)
    return last is None or all(
        last.settings.get(name, value) == value for name, value in identity.items()
    )


def journal_of(job_dir: Path) -> Path:
    """Return a job folder's journal; raise ``SettingsError`` without one."""
    path = find(job_dir)
    if path is None:
        raise SettingsError(
            f"{job_dir} is not a job folder: it has no {FILE_NAME}; "
            "give the folder that --job named"
        )
    return path


def last_upload_of(job_dir: Path) -> RunRow | None:
    """Return the last run of a job that had a plan; of several parts that of the first."""
    with WholeJob(job_dir) as whole:
        return whole.first_plan()


def target_in(job_dir: Path) -> Target:
    """Return the target that a job folder uploads to."""
    with WholeJob(job_dir) as whole:
        last = next((last for store in whole.stores() if (last := store.last_run())), None)
    if last is None:
        raise SettingsError(f"{job_dir} holds a journal without a run")
    values = last.settings
    return Target(url=values["url"], project_id=values["project"])


@contextmanager
def studio_of(target: Target) -> Iterator[RunningStudio | None]:
    """Run the local Studio of a target for the length of the block; None for a remote one."""
    parts = urlsplit(target.url or "")
    if parts.scheme != "file":
        yield None
        return
    with local_studio(Path(url2pathname(parts.path))) as running:
        yield running
