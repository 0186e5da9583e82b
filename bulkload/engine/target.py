"""Where a job uploads to: kept in its journal, so that no other target takes it for its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkload.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a run uploads to. No secret: credentials come from the environment."""

    url: str | None = None
    project_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the journal keeps."""
        return {"url": self.url, "project": self.project_id}

    def check_same(self, earlier: Mapping[str, Any], job_dir: Path) -> None:
        """Raise ``SettingsError`` for a job folder whose journal is of another target."""
        if any(earlier[name] != value for name, value in self.as_json().items()):
            raise SettingsError(
                f"{job_dir} is the job of another target ({earlier['url']}, project "
                f"{earlier['project']}), so what is done there is not done here; give another "
                "folder with --job"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStudio:
    """How to reach a local Studio that runs as a child process."""

    url: str
    project_id: str
    api_key: str = field(repr=False)
