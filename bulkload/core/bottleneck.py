"""Which part of the run set its pace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: A stage that is busy for this share of the run is what the others wait for.
BUSY_SHARE: Final = 0.7

#: A run shorter than this is mostly start-up: it shows nothing.
SHORTEST_RUN_S: Final = 5.0

#: What to change for each bottleneck.
ADVICE: Final[Mapping[str, str]] = {
    "none": "nothing limited the run for long, or it was too short to judge",
    "prepare": "reading and validating used all cores; more cores or more --workers would help",
    "api": "waiting for the API; more --connections or a shorter way to it would help",
    "storage": "sending bytes to storage; the uplink or storage itself is the limit",
    "processing": "waiting for Studio to process the data; nothing on this side would help",
}


def bottleneck(shares: Mapping[str, float], elapsed_s: float) -> str:
    """Return the stage that limited the run: a key of ``ADVICE``.

    ``shares`` gives for ``prepare``, ``api``, ``storage`` and ``processing`` the share (0 to 1)
    of the run during which the stage could not have taken more. The first full stage in the
    order of the data is the limit: those behind it starve, so they are not full.
    """
    if elapsed_s < SHORTEST_RUN_S:
        return "none"
    for stage in ("prepare", "storage", "api"):
        if shares.get(stage, 0.0) >= BUSY_SHARE:
            return stage
    busiest = max(shares, key=lambda stage: shares[stage], default="none")
    return busiest if shares.get(busiest, 0.0) >= BUSY_SHARE / 2 else "none"
