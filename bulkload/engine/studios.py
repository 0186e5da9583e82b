"""The client of a run: for the target, or for a local Studio that stands in for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bulkload.client.http.access import resolve_access
from bulkload.client.http.events import WireEvent
from bulkload.client.studio import AsyncStudio, Delivery, project_of
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import SettingsError
from bulkload.settings import RunSettings


def target_of(*, url: str | None, project: str | None, local: Path | None) -> Target:
    """Return what identifies the target in the journal. A local Studio's port may change.

    Raises ``SettingsError`` if credentials or the project are missing, before anything is read.
    """
    if local is not None:
        return Target(url=local.resolve().as_uri(), project_id=None)
    access = resolve_access(base_url=url)
    project_id = project or project_of(os.environ)
    if not project_id:
        raise SettingsError("no project is named; give --project, or set IONWORKS_PROJECT_ID")
    return Target(url=access.base_url, project_id=project_id)


def opener(
    studio: RunningStudio | None, target: Target
) -> Callable[[Callable[[WireEvent], None], RunSettings], AsyncStudio]:
    """Return the factory of a run's client, for a local Studio or for the target."""

    def open_studio(observer: Callable[[WireEvent], None], settings: RunSettings) -> AsyncStudio:
        delivery = Delivery(
            observer=observer,
            connections=settings.limits.connections,
            outage_limit_s=settings.limits.outage_limit_s,
            ends_on_wrong_setup=True,
        )
        if studio is None:
            return AsyncStudio(base_url=target.url, project_id=target.project_id, delivery=delivery)
        return AsyncStudio(
            api_key=studio.api_key,
            base_url=studio.url,
            project_id=studio.project_id,
            delivery=delivery,
        )

    return open_studio
