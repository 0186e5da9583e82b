"""What a call of the bulk job asks for: sources on disk, options, target, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from bulkload.bulk.frames import Frames, write_frames
from bulkload.cli import app
from bulkload.cli.jobs.folder import default_job
from bulkload.cli.options.shared import (
    CheckOptions,
    LimitOptions,
    PrepareArguments,
    SourceOptions,
    duration_s,
)
from bulkload.core.existing import Existing
from bulkload.engine.studios import target_of
from bulkload.settings import RunSettings
from bulkload.sources.jobfile.document import is_job_file

Source = str | Path | pd.DataFrame | Frames

#: Options of a call that say how sources are read, by their names on the command line.
_READING = frozenset(one.name for one in fields(SourceOptions)) - {"sheet_arguments"}


@dataclass(frozen=True, kw_only=True)
class ReadingRequest:
    """Sources as paths, and how they are read and checked."""

    paths: tuple[str, ...]
    options: SourceOptions
    checks: CheckOptions
    prepare: PrepareArguments

    @classmethod
    def of(cls, sources: tuple[Source, ...], given: Mapping[str, Any], folder: Path) -> Self:
        """Return what a call asks for; tables are written into ``folder``.

        Options of a ``bulkload.toml`` among the sources hold where the call states none.
        """
        paths = tuple(
            str(source)
            if isinstance(source, str | Path)
            else str(write_frames(source, folder / str(at)))
            for at, source in enumerate(sources)
        )
        stated = stated_options(sources)
        return cls(
            paths=paths,
            options=_options(stated.get("source_options", SourceOptions()), given, folder),
            checks=stated.get("check_options", CheckOptions()),
            prepare=stated.get("prepare_arguments", PrepareArguments()),
        )


def stated_options(sources: tuple[Source, ...]) -> Mapping[str, Any]:
    """Return the options that a ``bulkload.toml`` among the sources states, as `upload` has them.

    Raises ``JobFileError`` with all that is wrong with the file.
    """
    paths = [str(one) for one in sources if isinstance(one, str | Path)]
    if not any(is_job_file(Path(path)) for path in paths):
        return {}
    _, bound, _ = app.parse_args(["upload", *paths], exit_on_error=False, print_error=False)
    return bound.arguments


def _options(stated: SourceOptions, given: Mapping[str, Any], folder: Path) -> SourceOptions:
    options = dict(given)
    specs = options.get("specs")
    if isinstance(specs, Mapping):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "specs.json"
        path.write_text(json.dumps([{"name": name, **specs[name]} for name in specs]), "utf-8")
        options["specs"] = path
    elif specs is not None:
        options["specs"] = Path(specs)
    for name in ("include", "exclude"):
        if name in options:
            options[name] = tuple(options[name])
    if unknown := sorted(set(options) - _READING):
        raise TypeError(f"unknown option {unknown[0]!r}; there are {', '.join(sorted(_READING))}")
    return replace(stated, **{name: value for name, value in options.items() if value is not None})


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """What is to be uploaded, and where to."""

    reading: ReadingRequest
    job_dir: Path
    local: Path | None
    url: str | None
    project: str | None
    settings: RunSettings

    @classmethod
    def of(cls, sources: tuple[Source, ...], arguments: Mapping[str, Any]) -> Self:
        """Return the request of a call; tables go into the job folder as files."""
        given = dict(arguments)
        stated = stated_options(sources)
        job, local, url, project = (
            given.pop(name, None) or stated.get(name) for name in ("job", "local", "url", "project")
        )
        settings = given.pop("settings", None) or _settings(stated)
        local = None if local is None else Path(local)
        named = [str(one) for one in sources if isinstance(one, str | Path)] or ["tables"]
        target = target_of(url=url, project=project, local=local)
        job_dir = Path(job) if job else default_job(named, target)
        job_dir.mkdir(parents=True, exist_ok=True)
        return cls(
            reading=ReadingRequest.of(sources, given, job_dir / "tables"), job_dir=job_dir,
            local=local, url=url, project=project, settings=settings,
        )  # fmt: skip


def _settings(stated: Mapping[str, Any]) -> RunSettings:
    """Return the settings of a run by the options that a ``bulkload.toml`` states."""
    limits = stated.get("limit_options", LimitOptions()).limits()
    if "outage_limit" in stated:
        limits = replace(limits, outage_limit_s=duration_s(stated["outage_limit"]))
    return RunSettings(
        checks=stated.get("check_options", CheckOptions()).checks(),
        existing=stated.get("existing", Existing.REUSE),
        sends_provenance=stated.get("provenance", True),
        is_waiting=stated.get("wait", True),
        attaches_raw=stated.get("attach_raw", False),
        limits=limits,
    )
