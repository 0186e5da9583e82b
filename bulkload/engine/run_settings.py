"""The settings of a run that its journal keeps: a retry prepares each file in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bulkload.journal.codec import checks_as_json, checks_from_json, prepare_options_from_json
from bulkload.settings import RunLimits, RunSettings
from bulkload.worker.pool import PoolLimits


def kept_settings(settings: RunSettings) -> dict[str, Any]:
    """Return the settings that the journal keeps, as values of JSON."""
    return {
        "checks": checks_as_json(settings.checks),
        "recipe": asdict(settings.prepare_options),
        "attaches_raw": settings.attaches_raw,
        "existing": settings.existing.value,
        "is_waiting": settings.is_waiting,
        "sends_provenance": settings.sends_provenance,
    }


def with_kept_settings(kept: Mapping[str, Any], settings: RunSettings) -> RunSettings:
    """Return settings with those that a journal kept."""
    return replace(
        settings,
        checks=checks_from_json(kept["checks"]),
        prepare_options=prepare_options_from_json(kept["recipe"]),
        attaches_raw=kept["attaches_raw"],
        # Journals of before do not have it.
        sends_provenance=kept.get("sends_provenance", True),
    )


def pool_limits(limits: RunLimits) -> PoolLimits:
    """Return what the workers of a run may take."""
    return PoolLimits(
        workers=limits.workers_in_memory,
        time_limit_s=limits.time_limit_s,
        memory_limit_bytes=limits.worker_memory_bytes,
    )
