"""The state of a run as metrics of Prometheus: served on this machine, and a file at the end.

Names follow Prometheus: base units, ``_total`` for what only grows. A metric is read from the
run's snapshot when it is asked for, so nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.core.limiting import LimitName
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import RunSnapshot, RunState
from bulkload.core.version import VERSION
from bulkload.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

#: What a collector of text files (node_exporter) takes: it is written when the run ends.
FILE_NAME: Final = "metrics.prom"
#: Only programs on this machine may ask: the metrics name hosts and commands.
ADDRESS: Final = "127.0.0.1"


@contextmanager
def served_metrics(
    port: int, snapshot: Callable[[], RunSnapshot], job_dir: Path | None
) -> Iterator[str]:
    """Serve metrics at the yielded URL while the block runs; 0 takes a free port.

    Raises ``MissingExtraError`` and ``SettingsError``. Side effects: ``metrics.prom`` in the job
    folder, where one is given, when the block ends; a disk that does not take it changes nothing.
    """
    try:
        import prometheus_client
    except ModuleNotFoundError as error:
        raise MissingExtraError("--metrics", "metrics") from error
    # A registry of its own: whoever runs bulkload from Python has metrics of their own.
    registry = prometheus_client.CollectorRegistry()
    registry.register(SnapshotCollector(snapshot))
    try:
        server, thread = prometheus_client.start_http_server(port, ADDRESS, registry)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"--metrics {port}: the port cannot be used ({error}); give another one, or 0 for any"
        ) from error
    try:
        yield f"http://{ADDRESS}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        if job_dir is not None:
            with suppress(OSError):
                prometheus_client.write_to_textfile(str(job_dir / FILE_NAME), registry)


class SnapshotCollector:
    """Gives a run's state as metrics, each time it is asked."""

    def __init__(self, snapshot: Callable[[], RunSnapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> list[Metric]:
        """Return nothing: what there is depends on the run."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the run."""
        now = self._snapshot()
        yield from _run(now)
        yield from _counters(now)
        yield from _stages(now)


def _run(now: RunSnapshot) -> Iterator[Metric]:
    from prometheus_client.metrics_core import (
        GaugeMetricFamily,
        InfoMetricFamily,
        StateSetMetricFamily,
    )

    info = {"version": VERSION, "host": now.host}
    yield InfoMetricFamily("bulkload", "The program that runs.", value=info)
    yield StateSetMetricFamily(
        "bulkload_run_state",
        "What the run is doing.",
        value={str(state): now.state is state for state in RunState},
    )
    yield StateSetMetricFamily(
        "bulkload_limited_by",
        "What limits the run.",
        value={str(name): now.limit.name is name for name in LimitName},
    )
    gauges = {
        "run_start_time_seconds": ("When the run began, since 1970.", now.started_at),
        "state_time_seconds": ("When this was the state, since 1970.", now.at),
        "entries_planned": ("Entries of the plan, 0 until it is complete.", now.planned),
        "files_in_hand": ("Measurements under way.", now.files_in_hand),
        "oldest_file_seconds": (
            "How long the oldest measurement under way has been in its stage.",
            max((file.age_s for file in now.files), default=0.0),
        ),
        "pauses": ("What waits for a server.", len(now.pauses)),
    }
    for name, (text, value) in gauges.items():
        yield GaugeMetricFamily(f"bulkload_{name}", text, value=value)
    if now.eta is not None:
        yield GaugeMetricFamily(
            "bulkload_remaining_seconds", "Time to the end, estimated.", value=now.eta.seconds
        )
    if now.exit_code is not None:
        yield GaugeMetricFamily(
            "bulkload_exit_code", "How the run ended.", value=int(now.exit_code)
        )


def _counters(now: RunSnapshot) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily

    ended = CounterMetricFamily("bulkload_entries", "Entries that have ended.", labels=["outcome"])
    for kind in OutcomeKind:
        ended.add_metric([str(kind)], now.counts.get(kind, 0))
    yield ended
    lost = CounterMetricFamily(
        "bulkload_lost_entries", "Entries that did not arrive.", labels=["cause"]
    )
    for cause, count in now.causes.items():
        lost.add_metric([cause], count)
    yield lost
    counters = {
        "rows": ("Rows that were prepared.", now.rows),
        "read_bytes": ("Bytes of sources that were read.", now.bytes_read),
        "sent_bytes": ("Bytes that were sent.", now.bytes_sent),
        "requests": ("Attempts at requests and transfers.", now.requests),
        "retries": ("Attempts that were repetitions.", now.retries),
    }
    for name, (text, value) in counters.items():
        yield CounterMetricFamily(f"bulkload_{name}", text, value=value)


def _stages(now: RunSnapshot) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    done = CounterMetricFamily(
        "bulkload_stage_done", "Measurements that went through a stage.", labels=["stage"]
    )
    queued = GaugeMetricFamily(
        "bulkload_stage_queued", "Measurements that wait for a stage.", labels=["stage"]
    )
    taken = GaugeMetricFamily(
        "bulkload_stage_in_flight", "Measurements in a stage.", labels=["stage"]
    )
    capacity = GaugeMetricFamily(
        "bulkload_stage_capacity", "How many a stage can have in flight.", labels=["stage"]
    )
    for stage in now.stages:
        name = [str(stage.name)]
        done.add_metric(name, stage.done)
        queued.add_metric(name, stage.queued)
        taken.add_metric(name, stage.in_flight)
        if stage.capacity is not None:
            capacity.add_metric(name, stage.capacity)
    yield from (done, queued, taken, capacity)
