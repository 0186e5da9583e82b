"""One progress of a run with lanes: what the parts say, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from bulkload.clock import Clock
from bulkload.core.snapshot import Eta, RunSnapshot, RunState, merged
from bulkload.core.tally import RunReport
from bulkload.engine.progress import Progress


class LanesProgress(Progress):
    """Counters of all parts together, in the place of those of one run."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        #: The outcomes in each part.
        self._counts: dict[int, Counter[str]] = {}
        #: The last state of each part under way.
        self._states: dict[int, RunSnapshot] = {}
        #: The last states of what is not under way any more.
        self._past: list[RunSnapshot] = []

    def parts_hold(self, counts: Mapping[int, Counter[str]]) -> None:
        """Note the outcomes that each part has before any of them runs."""
        self._counts = dict(counts)
        self._add_up()

    def part_is_at(self, part: int, state: RunSnapshot, longest_delivery_s: float) -> None:
        """Take the state of a part under way."""
        self._states[part] = state
        self.longest_delivery_s = max(self.longest_delivery_s, longest_delivery_s)
        if state.planned:
            self._counts[part] = Counter(dict(state.counts))
        self._add_up()

    def part_ended(self, part: int, report: RunReport) -> None:
        """Take the last counts of a part's run."""
        if (last := self._states.get(part)) is not None:
            self._states[part] = replace(
                last,
                requests=report.requests,
                retries=report.retries,
                bytes_read=report.bytes_read,
                bytes_sent=report.bytes_sent,
                rows=report.rows,
            )
        self._counts[part] = Counter({kind.value: count for kind, count in report.counts.items()})
        self.part_left(part)

    def part_left(self, part: int) -> None:
        """Note that nothing of a part is under way: its run has ended, or its lane has died."""
        if (last := self._states.pop(part, None)) is not None:
            self._past.append(_at_rest(last))
        self._add_up()

    def _add_up(self) -> None:
        states = [*self._states.values(), *self._past]
        self.counts = sum(self._counts.values(), Counter())
        self.rows = sum(one.rows for one in states)
        self.bytes_read = sum(one.bytes_read for one in states)
        self.wire.bytes_sent = sum(one.bytes_sent for one in states)
        self.wire.requests = sum(one.requests for one in states)
        self.wire.retries = sum(one.retries for one in states)

    def snapshot(self) -> RunSnapshot:
        """Return the state of all parts together."""
        own = super().snapshot()
        states = [*self._states.values(), *self._past]
        if not states:
            return own
        together = merged(states)
        return replace(
            together,
            at=own.at,
            started_at=own.started_at,
            pid=own.pid,
            host=own.host,
            run=own.run,
            command=own.command,
            state=together.state if own.state is RunState.RUNNING else own.state,
            planned=self.planned,
            counts=own.counts,
            eta=self._eta_of(together),
            exit_code=own.exit_code,
            parts=len(self._counts),
        )

    def _eta_of(self, together: RunSnapshot) -> Eta | None:
        left = self.planned - self.done
        if together.eta is None or left <= 0:
            return None
        return replace(together.eta, left=left)


def _at_rest(last: RunSnapshot) -> RunSnapshot:
    """Return the last state of a part's run with nothing under way."""
    return replace(
        last,
        state=RunState.ENDED,
        stages=tuple(replace(one, queued=0, in_flight=0, rate=0.0) for one in last.stages),
        bytes_read_rate=0.0,
        bytes_sent_rate=0.0,
        files=(),
        files_in_hand=0,
        pauses=(),
        eta=None,
        exit_code=0,
    )
