"""What is news in a run: said once, above the live view, where it stays."""

from __future__ import annotations

from datetime import UTC, datetime

from bulkload.cli.live.lines import duration
from bulkload.core.snapshot import SERVER, RunSnapshot
from bulkload.core.text import printable


class Notices:
    """Compares each state of a run with the ones before."""

    def __init__(self) -> None:
        self._causes: set[str] = set()
        self._away_since: float | None = None

    def of(self, snapshot: RunSnapshot) -> list[str]:
        """Return what is new: the first entry of each cause, and a server that is away or back."""
        said = []
        for cause, message in snapshot.examples.items():
            if cause not in self._causes:
                self._causes.add(cause)
                said.append(f"{cause}: {message}")
        away = next((pause for pause in snapshot.pauses if pause.what == SERVER), None)
        if away is not None and self._away_since is None:
            self._away_since = snapshot.at
            said.append(
                f"{_time(snapshot.at)}: the server is unreachable, so everything waits: {away.why}"
            )
        elif away is None and self._away_since is not None:
            took = duration(snapshot.at - self._away_since)
            self._away_since = None
            said.append(f"{_time(snapshot.at)}: the server answers again, after {took}")
        return [printable(one) for one in said]


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
