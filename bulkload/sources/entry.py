"""The entries that a folder or a manifest yields, before the metadata beside them is added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkload.core.plan_items import Problem, Skip, UploadJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One measurement that a source holds."""

    #: The path, or the row of the manifest, to name in messages.
    where: str
    #: What the source itself states; a name of the key that it does not state is empty.
    job: UploadJob
    #: The folder of the file, and how far upwards from it metadata is looked for.
    folder: Path
    root: Path
    #: What the layout states; a metadata file takes precedence.
    folder_batch: str | None = None
    folder_date: str | None = None
    #: Size in bytes and time of modification in seconds that the plan saw, None for none.
    seen: tuple[int, float] | None = None
    #: What a file of a job states for paths like this one; everything else takes precedence.
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftFolder:
    """A folder that no later entry lies in or below."""

    path: Path


Found = Iterator[Entry | LeftFolder | Problem | Skip]
