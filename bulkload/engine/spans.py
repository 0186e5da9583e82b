"""Spans of OpenTelemetry: one for a run, for each of its jobs, and for each attempt on the wire.

Off unless the environment asks for it (``OTEL_EXPORTER_OTLP_ENDPOINT`` and others that begin with
``OTEL_``) and the extra ``otel`` is installed. Spans that cannot be sent are dropped.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bulkload.client.http.events import Exchanged, WireEvent
from bulkload.core.lifecycle import Event
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import StageName
from bulkload.core.version import VERSION
from bulkload.engine.jobs import JobContext
from bulkload.engine.limits import SPANS_LIMIT_S
from bulkload.engine.progress import ENDINGS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

#: Outcomes of a job that are errors of its span.
_LOST: Final = frozenset({OutcomeKind.REJECTED, OutcomeKind.FAILED})


@contextmanager
def recorded_spans(command: str) -> Iterator[RunSpans | None]:
    """Record a run where the environment asks for it; yield None where it does not."""
    provider = _provider()
    if provider is None:
        yield None
        return
    spans = RunSpans(provider, command)
    try:
        yield spans
    finally:
        spans.end()
        # A collector that does not answer must not hold up the end of a run.
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(SPANS_LIMIT_S)


def _provider() -> TracerProvider | None:
    """Return what records and sends spans, None where that is not wanted or not installed."""
    asked = [name for name in os.environ if name.startswith("OTEL_")]
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not asked or is_off or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        return None
    # What cannot be sent is dropped; the terminal is not the place to complain of it.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "bulkload")}
    provider = TracerProvider(resource=Resource.create(named | {"service.version": VERSION}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class RunSpans:
    """The spans of one run."""

    def __init__(self, provider: TracerProvider, command: str) -> None:
        from opentelemetry import trace

        self._tracer = provider.get_tracer("bulkload", VERSION)
        self._run = self._tracer.start_span("run", attributes={"bulkload.command": command})
        self._parent = trace.set_span_in_context(self._run)
        #: Of the jobs under way.
        self._jobs: dict[int, Span] = {}

    def moved(self, context: JobContext, stage: StageName) -> None:
        """Note that a job enters a stage; its span begins with the first."""
        span = self._jobs.get(context.id)
        if span is None:
            key = context.job.key
            span = self._jobs[context.id] = self._tracer.start_span(
                "job",
                self._parent,
                attributes={
                    "bulkload.job": context.id,
                    "bulkload.cell": key.cell,
                    "bulkload.measurement": key.measurement,
                },
            )
        span.add_event(str(stage))

    def on_event(self, context: JobContext, event: Event) -> None:
        """End the span of a job that has ended."""
        kind = ENDINGS.get(type(event))
        span = None if kind is None else self._jobs.pop(context.id, None)
        if kind is None or span is None:
            return
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("bulkload.outcome", str(kind))
        if kind in _LOST:
            cause = str(getattr(event, "cause", "processing_failed"))
            span.set_attribute("bulkload.cause", cause)
            span.set_status(Status(StatusCode.ERROR, cause))
        span.end()

    def on_wire(self, event: WireEvent) -> None:
        """Record an attempt, which is over."""
        if not isinstance(event, Exchanged):
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode

        ended = time.time_ns()
        span = self._tracer.start_span(
            f"{event.method} {event.service}",
            self._parent,
            kind=SpanKind.CLIENT,
            start_time=ended - int(event.seconds * 1e9),
            attributes={
                "http.request.method": event.method,
                "url.template": event.endpoint,
                "bulkload.bytes_sent": event.bytes_sent,
            },
        )
        if event.status is not None:
            span.set_attribute("http.response.status_code", event.status)
        if event.cause is not None:
            span.set_attribute("error.type", event.cause)
            span.set_status(Status(StatusCode.ERROR, event.cause))
        span.end(ended)

    def end(self) -> None:
        """End what is open: the run, and jobs that a later run goes on with."""
        for span in self._jobs.values():
            span.end()
        self._jobs.clear()
        self._run.end()
