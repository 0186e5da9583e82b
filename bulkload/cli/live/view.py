"""Shows a command at work: a view that is drawn anew on a terminal, a line each 30 s elsewhere.

A thread of its own draws, so that commands with and without an event loop show alike, and a
slow terminal does not delay the run (``terminal.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from rich.console import Console, Group
from rich.live import Live

from bulkload.cli.live.lines import live_lines, plain_line
from bulkload.cli.live.notices import Notices
from bulkload.cli.output.console import say
from bulkload.core.snapshot import RunSnapshot

#: Seconds between two lines of progress where the output is not a terminal.
PLAIN_INTERVAL_S: Final = 30.0
#: Seconds between two drawings on a terminal: what is shown moves by the second.
REDRAW_EVERY_S: Final = 1.0
#: What is shown: a state, or a state and what is known of its process.
Shown = RunSnapshot | tuple[RunSnapshot, Sequence[str]]


@contextmanager
def shown_live(
    console: Console,
    snapshot: Callable[[], Shown],
    wait: Callable[[Event, float], bool] = Event.wait,
) -> Iterator[None]:
    """Show what ``snapshot`` returns while the block runs; what is printed stands above it.

    ``wait`` waits for the end of the block, at most so many seconds, and returns whether it came.
    """
    if console.quiet:
        yield
        return
    has_ended = Event()
    # A terminal that cannot move its cursor (TERM=dumb, as editors have it) is no place for a view.
    can_draw = console.is_terminal and not console.is_dumb_terminal
    show = _redraw if can_draw else _say_lines
    thread = Thread(target=show, args=(console, snapshot, has_ended, wait), daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def _say_lines(
    console: Console,
    snapshot: Callable[[], Shown],
    has_ended: Event,
    wait: Callable[[Event, float], bool],
) -> None:
    while not wait(has_ended, PLAIN_INTERVAL_S):
        now, liveness = _parts(snapshot())
        say(console, "; ".join([*liveness, plain_line(now)]))


def _parts(shown: Shown) -> tuple[RunSnapshot, Sequence[str]]:
    return (shown, ()) if isinstance(shown, RunSnapshot) else shown


def _redraw(
    console: Console,
    snapshot: Callable[[], Shown],
    has_ended: Event,
    wait: Callable[[Event, float], bool],
) -> None:
    notices = Notices()
    # Nothing else is redirected: what a command prints for a pipe must not land here.
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False,
        redirect_stderr=False, vertical_overflow="crop",
    ) as live:  # fmt: skip
        while not wait(has_ended, REDRAW_EVERY_S):
            now, liveness = _parts(snapshot())
            _say_news(console, notices, now)
            width, height = console.size
            live.update(Group(*live_lines(now, width, height - 1, liveness)), refresh=True)
    _say_news(console, notices, _parts(snapshot())[0])


def _say_news(console: Console, notices: Notices, now: RunSnapshot) -> None:
    for notice in notices.of(now):
        say(console, notice)
