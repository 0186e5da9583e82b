"""The client of a run: for the target, or for a local Studio that stands in for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bulkload.client.http.events import WireEvent
from bulkload.client.studio import AsyncStudio, Delivery
from bulkload.engine.target import Target
from bulkload.settings import RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStudio:
    """How to reach it."""

    url: str
    project_id: str
    api_key: str = field(repr=False)


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
