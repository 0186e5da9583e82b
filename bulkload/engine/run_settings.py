"""How a run treats each file, as its journal keeps it: a retry must treat them the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bulkload.journal.codec import checks_as_json, checks_from_json, prepare_options_from_json
from bulkload.settings import RunSettings


def kept_settings(settings: RunSettings) -> dict[str, Any]:
    """Return what of a run's settings the journal keeps, as values of JSON."""
    return {
        "checks": checks_as_json(settings.checks),
        "recipe": asdict(settings.prepare_options),
        "attaches_raw": settings.attaches_raw,
    }


def with_kept_settings(treatment: Mapping[str, Any], settings: RunSettings) -> RunSettings:
    """Return settings with the treatment that a journal kept."""
    return replace(
        settings,
        checks=checks_from_json(treatment["checks"]),
        prepare_options=prepare_options_from_json(treatment["recipe"]),
        attaches_raw=treatment["attaches_raw"],
    )
