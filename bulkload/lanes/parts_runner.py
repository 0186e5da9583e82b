"""Parts on their way through lanes: what waits, how each part ended, why one did not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

import anyio

from bulkload.core.tally import ExitCode, RunReport
from bulkload.engine.shutdown import Stop
from bulkload.errors import JournalBusyError
from bulkload.lanes.limits import LANE_END_S, MAX_RESTARTS
from bulkload.lanes.messages import PartEnded, PartRefused, PartState, StopPart
from bulkload.lanes.progress import LanesProgress
from bulkload.lanes.request import LanesRequest

#: Ends of a part's run that end the run of all parts: the others would end the same way.
_ENDS_ALL: Final = frozenset({ExitCode.USAGE, ExitCode.AUTH_FAILED, ExitCode.STOPPED})


class PartsRunner(ABC):
    """Runs parts with lanes. No part is run by two of them."""

    def __init__(
        self, request: LanesRequest, progress: LanesProgress, stop: Stop, parts: Sequence[int]
    ) -> None:
        self._request = request
        self._progress = progress
        self._stop = stop
        #: The parts that have open jobs.
        self.parts = frozenset(parts)
        self._waiting = deque(parts)
        self._restarts: Counter[int] = Counter()
        #: How the parts' runs ended, by part.
        self.reports: dict[int, RunReport] = {}
        #: Messages of what is newly rejected or failed, the first ones of each part.
        self.lost: list[str] = []
        #: Why parts were left undone: the code that follows from it, and a sentence.
        self.failures: list[tuple[ExitCode, str]] = []

    async def run(self) -> None:
        """Run all parts, or stop; returns when no lane is left."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._pass_on_stop)
            await self._run_parts()
            group.cancel_scope.cancel()

    @abstractmethod
    async def _run_parts(self) -> None:
        """Have lanes run what waits, until nothing does or the run is stopped."""

    @abstractmethod
    async def _order_stop(self, order: StopPart) -> None:
        """Tell all lanes of a stop."""

    @abstractmethod
    def _give_up_lanes(self) -> None:
        """Wait no longer for lanes that do not obey."""

    def _next_part(self) -> int | None:
        if self._stop.exit_code is not None or not self._waiting:
            return None
        return self._waiting.popleft()

    def _note(self, answer: PartState) -> None:
        self._progress.part_is_at(answer.part, answer.snapshot, answer.longest_delivery_s)

    def _take(self, answer: PartEnded | PartRefused) -> None:
        match answer:
            case PartEnded():
                self._take_end(answer)
            case PartRefused():
                self._take_refusal(answer)

    def _take_end(self, ended: PartEnded) -> None:
        self.reports[ended.part] = ended.report
        self.lost += ended.lost
        self._progress.part_ended(ended.part, ended.report)
        if ended.report.exit_code in _ENDS_ALL and self._stop.exit_code is None:
            self._stop.request(ended.report.exit_code, ended.stopped_because)

    def _take_refusal(self, refused: PartRefused) -> None:
        self._progress.part_left(refused.part)
        # The other process that runs the part may be done when this run is started again.
        is_busy = isinstance(refused.error, JournalBusyError)
        code = ExitCode.STOPPED if is_busy else ExitCode.USAGE
        self.failures.append((code, f"part {refused.part:04d}: {refused.error}"))

    def _count_death(self, part: int, how: str, code: ExitCode) -> None:
        """Have another lane take up the part of one that died, unless that happens too often."""
        self._progress.part_left(part)
        if self._stop.exit_code is not None:
            return
        self._restarts[part] += 1
        if self._restarts[part] <= MAX_RESTARTS:
            self._waiting.appendleft(part)
            return
        times = f"{MAX_RESTARTS + 1} times; what it delivered is kept"
        self.failures.append((code, f"part {part:04d}: {how}, {times}"))

    async def _pass_on_stop(self) -> None:
        """Tell the lanes of a stop: first of its grace, then of its end."""
        with self._stop.intake:
            await anyio.sleep_forever()
        await self._order_stop(self._stop_order())
        with self._stop.whole:
            await anyio.sleep_forever()
        await self._order_stop(self._stop_order())
        await anyio.sleep(LANE_END_S)
        self._give_up_lanes()

    def _stop_order(self) -> StopPart:
        assert self._stop.exit_code is not None
        grace_s = max(0.0, self._stop.whole.deadline - anyio.current_time())
        return StopPart(self._stop.exit_code, self._stop.reason, grace_s)
