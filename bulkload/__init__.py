"""Move whole archives of battery-cycler tests into Ionworks Studio.

``Studio`` and ``AsyncStudio`` are the client; ``bulkload.validators`` holds the vendor's checks
under their own names; the command ``bulkload`` does the main job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkload.core.version import VERSION
from bulkload.errors import (
    BulkloadError,
    IonworksError,
    MeasurementProcessingError,
    MeasurementValidationError,
)

if TYPE_CHECKING:
    from bulkload.bulk import account, check, plan, read, run, survey, upload
    from bulkload.client.studio import AsyncStudio
    from bulkload.client.sync import Studio

__version__ = VERSION

__all__ = [
    "AsyncStudio",
    "BulkloadError",
    "IonworksError",
    "MeasurementProcessingError",
    "MeasurementValidationError",
    "Studio",
    "__version__",
    "account",
    "check",
    "plan",
    "read",
    "run",
    "survey",
    "upload",
]

_BULK = frozenset(("account", "check", "plan", "read", "run", "survey", "upload"))


def __getattr__(name: str) -> object:
    # The client brings aiohttp and pydantic along: only who asks for it waits for them.
    if name == "AsyncStudio":
        from bulkload.client.studio import AsyncStudio

        return AsyncStudio
    if name == "Studio":
        from bulkload.client.sync import Studio

        return Studio
    if name in _BULK:
        from bulkload import bulk

        return getattr(bulk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
