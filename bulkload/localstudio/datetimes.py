"""Moments as the API writes them: ISO 8601 in UTC, of one length, so that text sorts as time."""

from __future__ import annotations

from datetime import UTC, datetime


def now_text() -> str:
    """Return the present moment."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def normalise(text: str) -> str:
    """Return the same moment in the one spelling used here; a naive one counts as UTC.

    Raises ValueError where the text is no moment.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
