"""Trouble on order: which fault strikes which request. A fault is data; `trouble` performs it.

Endpoints have names (``measurement.initiate``, ``storage.put``, ``processing``, ...; see
`routes.ENDPOINTS`). A rule picks them by a glob, and may narrow that to the nth match, to some
number of strikes, or to a probability. Chance comes from the rule's own seed: the same requests
in the same order meet the same trouble.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random


class FaultKind(StrEnum):
    """What goes wrong."""

    #: The request waits ``seconds`` before anything happens.
    LATENCY = "latency"
    #: The answer is ``status``, with ``retry_after`` as it stands; nothing is done before,
    #: unless ``work_done``.
    STATUS = "status"
    #: The answer is 200 with a page of HTML; nothing is done before, unless ``work_done``.
    HTML = "html"
    #: 403 as storage words it when a signed URL has expired.
    EXPIRED_URL = "expired_url"
    #: 403 that no repetition will change.
    QUOTA = "quota"
    #: The work is done; ``fraction`` of the answer arrives, then the connection ends.
    TRUNCATED = "truncated"
    #: The connection is reset before the body is read.
    RESET_BEFORE = "reset_before"
    #: The connection is reset after ``fraction`` of the body; nothing is done.
    RESET_DURING = "reset_during"
    #: The work is done, then the connection is reset instead of an answer.
    RESET_AFTER = "reset_after"
    #: The work is done, then nothing comes for ``seconds``, then the connection is reset.
    SILENCE = "silence"
    #: Storage keeps ``fraction`` of the bytes and answers 200, with the ETag of what it kept.
    DAMAGED = "damaged"
    #: The server does not read the body for ``seconds``.
    SLOW_BODY = "slow_body"
    #: The answer takes ``seconds``, piece by piece.
    SLOW_ANSWER = "slow_answer"
    #: The request arrives twice; the client gets the answer to the second.
    DUPLICATE_DELIVERY = "duplicate_delivery"
    #: The ``Date`` of the answer is ``seconds`` ahead of the true time, or behind it.
    CLOCK_SKEW = "clock_skew"
    #: Every match is reset unread, for as long as the rule stands.
    OUTAGE = "outage"
    #: 429 above ``per_s`` requests a second, with ``retry_after``.
    RATE_LIMIT = "rate_limit"
    #: The new record is invisible to reads for ``seconds``.
    CONSISTENCY_GAP = "consistency_gap"
    #: The upload stays open: its name cannot be initiated again for ``seconds``.
    STALE_UPLOAD = "stale_upload"
    #: Endpoint ``processing``: ``running`` for ``seconds`` more, or for ever where that is zero.
    PROCESSING_STUCK = "processing_stuck"
    #: Endpoint ``processing``: ends as ``failed``.
    PROCESSING_FAILED = "processing_failed"
    #: Endpoint ``processing``: the work is forgotten, the status stays ``pending``.
    PROCESSING_LOST = "processing_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One kind of trouble and whom it strikes."""

    kind: FaultKind
    #: Glob over endpoint names; a leading ``!`` turns it round.
    endpoint: str = "*"
    #: Glob over the path of the request, or over the measurement's name for ``processing``.
    subject: str = "*"
    #: Apply to the nth match only, counted from 1.
    nth: int | None = None
    #: Apply so many times at most.
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    #: Share of a body or an answer that passes.
    fraction: float = 0.5
    status: int = 500
    #: The header's text as it goes out (see `http_date_in`), None for no header.
    retry_after: str | None = None
    #: Requests a second of a ``rate_limit``.
    per_s: float = 0.0
    #: Do the work before a ``status`` or ``html``.
    work_done: bool = False


@dataclass(slots=True)
class ActiveFault:
    """A rule in force, with what it has done so far."""

    rule: FaultRule
    #: Matches seen, and strikes among them.
    seen: int = 0
    struck: int = 0
    _random: Random = field(init=False)
    _tokens: float = field(init=False, default=0.0)
    _filled_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._random = Random(self.rule.seed)  # noqa: S311 - chance that can be replayed
        self._tokens = max(1.0, self.rule.per_s)
        self._filled_at = time.monotonic()

    def strikes(self, endpoint: str, subject: str) -> bool:
        """Decide for one request."""
        rule = self.rule
        if not _matches(rule.endpoint, endpoint) or not fnmatchcase(subject, rule.subject):
            return False
        self.seen += 1
        if rule.nth is not None and self.seen != rule.nth:
            return False
        if rule.times is not None and self.struck >= rule.times:
            return False
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return False
        if rule.kind is FaultKind.RATE_LIMIT and self._takes_token():
            return False
        self.struck += 1
        return True

    def _takes_token(self) -> bool:
        now = time.monotonic()
        burst = max(1.0, self.rule.per_s)
        self._tokens = min(burst, self._tokens + (now - self._filled_at) * self.rule.per_s)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Faults:
    """The rules in force. Change them at any time; the next request meets the change."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []
        self._hidden: dict[str, float] = {}
        self._held: dict[tuple[str, str], float] = {}
        #: Strikes by kind, over all rules there ever were.
        self.struck: Counter[FaultKind] = Counter()

    def add(self, rule: FaultRule) -> ActiveFault:
        """Put a rule in force, after those that stand."""
        active = ActiveFault(rule)
        self._active.append(active)
        return active

    def remove(self, active: ActiveFault) -> None:
        """Take one rule out of force."""
        self._active.remove(active)

    def clear(self) -> None:
        """Take all rules out of force, and let hidden records and held names go."""
        self._active.clear()
        self._hidden.clear()
        self._held.clear()

    def matching(self, endpoint: str, subject: str) -> Sequence[FaultRule]:
        """Return the rules that apply to this request, in the order they were added."""
        if not self._active:
            return ()
        rules = [active.rule for active in self._active if active.strikes(endpoint, subject)]
        self.struck.update(rule.kind for rule in rules)
        return rules

    def hide(self, record_id: str, seconds: float) -> None:
        """Keep a new record from reads for a while."""
        self._hidden[record_id] = time.monotonic() + seconds

    def hides(self, record_id: str) -> bool:
        """Return whether reads must not see this record yet."""
        return bool(self._hidden) and record_id in self.hidden_ids()

    def hidden_ids(self) -> Sequence[str]:
        """Return the records that reads must not see yet."""
        if not self._hidden:
            return ()
        now = time.monotonic()
        self._hidden = {key: until for key, until in self._hidden.items() if until > now}
        return tuple(self._hidden)

    def hold(self, scope: str, name_key: str, seconds: float) -> None:
        """Keep a name from being initiated again for a while."""
        self._held[scope, name_key] = time.monotonic() + seconds

    def holds(self, scope: str, name_key: str) -> bool:
        """Return whether a stale upload still holds this name."""
        return bool(self._held) and self._held.get((scope, name_key), 0.0) > time.monotonic()


def http_date_in(seconds: float) -> str:
    """Return a moment from now as HTTP writes dates, for `FaultRule.retry_after`."""
    return formatdate(time.time() + seconds, usegmt=True)


def _matches(pattern: str, endpoint: str) -> bool:
    if pattern.startswith("!"):
        return not fnmatchcase(endpoint, pattern[1:])
    return fnmatchcase(endpoint, pattern)
