"""When a run must take up nothing more, so that at its deadline nothing is open."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

#: What closing takes beside the open uploads: the last journal writes and the summary.
CLOSING_S: Final = 2.0

#: An upload under way may take this many times as long as the longest so far.
SAFETY: Final = 1.5

_CLOCK_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})")


def parse_until(text: str, now: datetime) -> datetime:
    """Return the moment that ``--until`` means: ``06:00`` is the next one, or an ISO moment.

    A time without a zone is in that of ``now``. Raises ``ValueError`` for
    anything else, and for a moment that has passed.
    """
    if (match := _CLOCK_TIME.fullmatch(text.strip())) is not None:
        moment = now.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return moment if moment > now else moment + timedelta(days=1)
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.tzinfo)
    if moment <= now:
        raise ValueError(f"{text} has passed")
    return moment


def last_call_s(left_s: float, longest_delivery_s: float) -> float:
    """Return in how many seconds the intake must stop: zero or less means now.

    ``left_s``: until the deadline. ``longest_delivery_s``: from prepared to processed, the
    longest of the run so far.
    """
    return left_s - CLOSING_S - SAFETY * longest_delivery_s
