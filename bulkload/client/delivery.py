"""Settings of the wire: time limits and requests in flight, for a script or a bulk run."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkload.client.http.access import Access
from bulkload.client.http.api_session import Timeouts
from bulkload.client.http.caller import Caller
from bulkload.client.http.events import Observer, unobserved
from bulkload.client.http.limits import DEFAULT_CONNECTIONS
from bulkload.client.http.limits import DEFAULT_OUTAGE_LIMIT_S as OUTAGE_LIMIT_S
from bulkload.client.http.transport import HttpTransport
from bulkload.client.http.wire import Transport
from bulkload.client.storage.limits import DEFAULT_STREAMS
from bulkload.client.storage.storage import Storage
from bulkload.clock import Clock, SystemClock
from bulkload.core.flow.retry import RetryPolicy
from bulkload.core.flow.retry_budget import RetryBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Settings of the wire."""

    #: API requests in flight at most.
    connections: int = DEFAULT_CONNECTIONS
    #: Uploads and downloads in flight at most.
    streams: int = DEFAULT_STREAMS
    #: Seconds that a service that does not answer is waited for: a minute for a person at a
    #: keyboard, an hour for a run at night.
    outage_limit_s: float = OUTAGE_LIMIT_S
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: Whether a wrong proxy, certificate or address, before the first answer of Studio itself, or
    #: of a store, ends the work at once: a run at night must say so, a notebook may wait for its
    #: network.
    ends_on_wrong_setup: bool = False
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=SystemClock)
    #: Hears of every attempt and decision.
    observer: Observer = unobserved

    def open(self, access: Access) -> tuple[Transport, Caller, Storage]:
        """Set up the ways to the API and to storage; retries of both share one budget."""
        budget = RetryBudget()
        transport = HttpTransport(access, timeouts=self.timeouts)
        caller = Caller(
            transport,
            access,
            clock=self.clock,
            observer=self.observer,
            policy=self.policy,
            budget=budget,
            connections=self.connections,
            outage_limit_s=self.outage_limit_s,
            ends_on_wrong_setup=self.ends_on_wrong_setup,
        )
        storage = Storage(
            clock=self.clock,
            observer=self.observer,
            policy=self.policy,
            budget=budget,
            streams=self.streams,
            outage_limit_s=self.outage_limit_s,
            ends_on_wrong_setup=self.ends_on_wrong_setup,
        )
        return transport, caller, storage
