"""What is asked of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkload.clock import Clock, SystemClock
from bulkload.engine.live_file import open_live_file
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.progress import Progress
from bulkload.engine.share import Share
from bulkload.engine.spans import RunSpans, recorded_spans
from bulkload.engine.target import Target
from bulkload.journal import Store
from bulkload.journal.journal import Journal, open_journal
from bulkload.settings import RunSettings
from bulkload.worker.pool import PoolLimits, Preparer, open_pool

if TYPE_CHECKING:
    # A command that only plans does without the client, and what that loads.
    from bulkload.client.http.events import WireEvent
    from bulkload.client.studio import AsyncStudio


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What is to be brought into Studio, and how."""

    job_dir: Path
    target: Target
    settings: RunSettings
    #: The command that resumes the run, as typed.
    command: str
    #: Where the plan comes from, as absolute paths or URLs; empty for a plan taken over.
    sources: tuple[str, ...] = ()
    #: The options that say how the sources are read, as values of JSON.
    source_options: Mapping[str, Any] = field(default_factory=dict)
    log_path: Path | None = None
    clock: Clock = field(default_factory=SystemClock)

    def kept_sources(self, store: Store) -> dict[str, Any]:
        """Return what the journal keeps of the sources; those of the plan that is taken over."""
        if self.sources:
            return {"sources": self.sources, "source_options": self.source_options}
        last = store.last_upload()
        kept = {} if last is None else last.settings
        return {
            "sources": kept.get("sources", []),
            "source_options": kept.get("source_options", {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest(JobRequest):
    """What to run, in this process, on the one journal of a folder."""

    #: Writes the plan of a run into the journal; its third argument is called for each entry.
    make_plan: Callable[[Store, int, Callable[[], None]], PlanAccount]
    #: Makes the client; a parameter so that tests can count on their own server.
    open_studio: Callable[[Callable[[WireEvent], None], RunSettings], AsyncStudio]
    #: What takes threads and processes; parameters so that a simulation can do without.
    open_journal: Callable[
        [Path, int, Callable[[], float]], AbstractAsyncContextManager[Journal]
    ] = open_journal
    open_pool: Callable[[PoolLimits, Path], AbstractAsyncContextManager[Preparer]] = open_pool
    open_live_file: Callable[[Path, Progress, Clock], AbstractAsyncContextManager[None]] = (
        open_live_file
    )
    #: Records the run for OpenTelemetry, where the environment asks for it.
    open_spans: Callable[[str], AbstractContextManager[RunSpans | None]] = recorded_spans
    #: What more the run may take when others end.
    share: Share = field(default_factory=Share)
    #: Whether the folder is a part of a job, whose account is written for all parts together.
    is_part: bool = False
