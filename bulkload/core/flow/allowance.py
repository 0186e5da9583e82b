"""What a server says that it will still take, before it refuses anything. Pure.

``RateLimit`` (the IETF's draft, ``"default";r=50;t=30``), its older forms (``limit=100,
remaining=50, reset=30``, ``RateLimit-Remaining`` and ``-Reset``), and ``X-RateLimit-Remaining``
and ``-Reset``, whose reset is seconds or a moment. They are advice: what a server refuses is
the last word, and advice that turns out wrong is not taken again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bulkload.core.flow.retry import RETRY_AFTER_CAP_S, parse_http_date

#: A new allowance that is nearer than this, in seconds, is not waited for: limits by the second
#: are found, and kept to, by trying (``core/pacing.py``), and times here are whole seconds.
SHORTEST_S: Final = 5.0
#: A reset above this is a moment, in seconds since 1970, and no number of seconds.
_EARLIEST_MOMENT: Final = 1e9

#: An item of the draft's list, and the same as the drafts before it had it.
_ITEM: Final = re.compile(r";\s*r=(\d{1,9})\b[^,]*?;\s*t=(\d{1,10})\b")
_OLDER: Final = re.compile(r"\bremaining=(\d{1,9})\b.*?\breset=(\d{1,10})\b")
_NUMBER: Final = re.compile(r"\s*(\d{1,10})(?:\.\d+)?\s*(?:[,;].*)?")


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many calls, until so many seconds have passed."""

    remaining: int
    reset_s: float


def parse_allowance(headers: Mapping[str, str], now: datetime) -> Allowance | None:
    """Read what an answer says of further calls, None where it says nothing that is clear.

    ``headers`` have names in lower case. ``now`` is the time where the answer bears none of the
    server's own.
    """
    text = headers.get("ratelimit", "")
    said = _ITEM.findall(text) or _OLDER.findall(text)
    for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
        if said:
            break
        pair = [
            _NUMBER.fullmatch(headers.get(prefix + word, "")) for word in ("remaining", "reset")
        ]
        said = [(pair[0][1], pair[1][1])] if pair[0] and pair[1] else []
    found = [
        Allowance(int(remaining), _seconds(float(reset), headers, now)) for remaining, reset in said
    ]
    # Of several limits the one that bites first.
    return min(found, key=lambda one: (one.remaining, -one.reset_s), default=None)


def _seconds(reset: float, headers: Mapping[str, str], now: datetime) -> float:
    if reset >= _EARLIEST_MOMENT:
        reset -= (parse_http_date(headers.get("date")) or now).timestamp()
    return min(max(reset, 0.0), RETRY_AFTER_CAP_S)


@dataclass(slots=True)
class Advice:
    """Decides when to stop asking because what is left is spoken for."""

    #: Until when nothing is asked, and what was left then; None where nothing is waited for.
    _until: float = 0.0
    _was_left: int | None = None
    #: Set where the wait brought nothing: the server's words say nothing of what it takes.
    _is_distrusted: bool = False

    def pause_s(self, allowance: Allowance, now: float, began: float, in_flight: int) -> float:
        """Give the seconds until more may be asked, by the answer to a call that began then.

        ``in_flight``: calls that are on their way, and will use up as much of what is left.
        """
        if self._was_left is not None and began >= self._until:
            self._is_distrusted = self._is_distrusted or allowance.remaining <= self._was_left
            self._was_left = None
        if self._is_distrusted or allowance.remaining > in_flight:
            return 0.0
        if allowance.reset_s < SHORTEST_S:
            return 0.0
        self._until, self._was_left = now + allowance.reset_s, allowance.remaining
        return allowance.reset_s
