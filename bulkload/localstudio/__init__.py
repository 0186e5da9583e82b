"""A local Studio: a real server that speaks as Ionworks Studio does.

For the demo, a rehearsal, and tests.
"""

from __future__ import annotations

from bulkload.localstudio.faults import FaultKind, FaultRule, Faults, http_date_in
from bulkload.localstudio.server import LocalStudio, serve
from bulkload.localstudio.studio_settings import S3Target, StudioSettings

__all__ = [
    "FaultKind",
    "FaultRule",
    "Faults",
    "LocalStudio",
    "S3Target",
    "StudioSettings",
    "http_date_in",
    "serve",
]
