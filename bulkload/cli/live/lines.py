"""What the live view shows of a run: lines that fit a width. No clock, no terminal.

Paths and server messages are untrusted: control characters are escaped, nothing is markup.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from bulkload.cli.output.console import STYLES
from bulkload.core.limiting import LimitName
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import (
    FileInHand,
    Pause,
    RunSnapshot,
    RunState,
    StageName,
    StageState,
)
from bulkload.core.text import printable

#: Files in progress, causes and pauses that are shown: a screen holds them beside the rest.
SHOWN_FILES: Final = 6
SHOWN_CAUSES: Final = 6
SHOWN_PAUSES: Final = 3
#: Seconds in one stage from which a file is worth a look.
OLD_AFTER_S: Final = 60.0
#: Columns from which the files in progress stand beside the stages, and the columns of the stages.
WIDE: Final = 120
TABLE_COLUMNS: Final = 58

_DOING: Final = {
    RunState.PLANNING: "planning",
    RunState.RUNNING: "running",
    RunState.WAITING: "waiting for the server",
    RunState.STOPPING: "stopping",
    RunState.ENDED: "ended",
}


def duration(seconds: float) -> str:
    """Return a length of time in words that a person takes in at a glance."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s" if whole < 600 else f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} days {whole % 86400 // 3600} h"


def size(count: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def pace(rate: float) -> str:
    """Return a rate in a unit that gives it a figure before the point."""
    if rate <= 0:
        return "0/s"
    if rate >= 0.95:
        return f"{rate:,.1f}/s"
    return f"{rate * 60:.1f}/min" if rate * 60 >= 0.95 else f"{rate * 3600:.1f}/h"


def headline(snapshot: RunSnapshot) -> str:
    """Return how far the run is, in one line."""
    elapsed = duration(snapshot.elapsed_s)
    if not snapshot.planned:
        found = next((one.done for one in snapshot.stages), 0)
        return f"{_DOING[snapshot.state]}: {found:,} found, {elapsed}"
    share = snapshot.done / snapshot.planned
    # Rounded down: all but one of many is not 100 %.
    done = f"{snapshot.done:,} of {snapshot.planned:,} done ({int(share * 100)} %)"
    left = "" if snapshot.eta is None else f", about {duration(snapshot.eta.seconds)} left"
    return f"{_DOING[snapshot.state]}: {done}, {elapsed}{left}"


def plain_line(snapshot: RunSnapshot) -> str:
    """Return the state of a run as one line of a log."""
    parts = [headline(snapshot)]
    if counts := _outcomes(snapshot):
        parts.append(counts)
    if snapshot.limit.name is not LimitName.NONE:
        parts.append(f"limited by {snapshot.limit.name}")
    if snapshot.bytes_sent:
        parts.append(f"{size(snapshot.bytes_sent)} sent")
    if snapshot.retries:
        parts.append(f"{snapshot.retries:,} retries")
    parts += [f"paused: {pause.why}" for pause in snapshot.pauses[:1]]
    return printable("; ".join(parts))


def _outcomes(snapshot: RunSnapshot) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in _counted(snapshot))


def _counted(snapshot: RunSnapshot) -> list[tuple[str, int]]:
    """Return the counts that are not zero, outcomes in their order."""
    order = {str(kind): at for at, kind in enumerate(OutcomeKind)}
    found = [(str(word), count) for word, count in snapshot.counts.items() if count]
    return sorted(found, key=lambda one: order.get(one[0], -1))


def live_lines(
    snapshot: RunSnapshot, width: int, height: int, liveness: Sequence[str] = ()
) -> list[Text]:
    """Return the view of a run, at most ``height`` lines of at most ``width`` columns.

    ``liveness`` is what is known of its process, where another one shows it.
    """
    # The last column stays free: some terminals begin a new line when it is written.
    columns = max(20, width - 1)
    lines = [line for one in liveness for line in _wrapped(printable(one), columns)]
    lines.append(Text(_fitted(headline(snapshot), columns), style="bold"))
    if snapshot.eta is not None:
        lines += _wrapped(f"  {snapshot.eta.basis}", columns, style="dim")
    table = list(_stages(snapshot))
    files_width = columns - TABLE_COLUMNS if width >= WIDE else columns
    files = list(_files(snapshot, files_width))
    if width >= WIDE and table:
        table = [_beside(left, right) for left, right in zip_longest(table, files)]
        files = []
    below = [*_counts(snapshot, columns), *_causes(snapshot, columns)]
    below += [*_wrapped(_amounts(snapshot), columns), *_limit(snapshot, columns)]
    below += _pauses(snapshot, columns)
    room = max(0, height - len(lines) - len(table) - len(below))
    shown = [*lines, *table, *below, *files[:room]][: max(1, height)]
    for line in shown:
        line.truncate(columns)
    return shown


def _stages(snapshot: RunSnapshot) -> Iterator[Text]:
    yield Text(f"{'':<12}{'waiting':>9}{'in hand':>11}{'done':>10}{'rate':>11}", style="dim")
    for stage in snapshot.stages:
        yield Text(_stage(stage))


def _stage(stage: StageState) -> str:
    if stage.name is StageName.PLAN:
        return f"{stage.name:<12}{'':>9}{'':>11}{stage.done:>10,}{'':>11}"
    of = "" if stage.capacity is None else f"/{stage.capacity:,}"
    waiting = f"{stage.queued:,}" if stage.queued else ""
    in_hand = f"{stage.in_flight:,}{of}"
    return f"{stage.name:<12}{waiting:>9}{in_hand:>11}{stage.done:>10,}{pace(stage.rate):>11}"


def _counts(snapshot: RunSnapshot, columns: int) -> list[Text]:
    line = Text()
    styles = {str(kind): style for kind, style in STYLES.items()}
    for word, count in _counted(snapshot):
        line.append(", " if line else "")
        line.append(f"{count:,} {word}", style=styles.get(word, ""))
    line.truncate(columns, overflow="ellipsis")
    return [line] if line else []


def _causes(snapshot: RunSnapshot, columns: int) -> list[Text]:
    if not snapshot.causes:
        return []
    causes = sorted(snapshot.causes.items(), key=lambda one: (-one[1], one[0]))
    named = [f"{cause} ({count:,})" for cause, count in causes[:SHOWN_CAUSES]]
    more = len(causes) - len(named)
    said = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    return _wrapped(f"causes: {printable(said)}", columns)


def _amounts(snapshot: RunSnapshot) -> str:
    parts = []
    if snapshot.bytes_read:
        parts.append(f"read {size(snapshot.bytes_read)} ({size(snapshot.bytes_read_rate)}/s)")
    if snapshot.bytes_sent:
        parts.append(f"sent {size(snapshot.bytes_sent)} ({size(snapshot.bytes_sent_rate)}/s)")
    if snapshot.requests:
        retries = f" ({snapshot.retries:,} retries)" if snapshot.retries else ""
        parts.append(f"{snapshot.requests:,} requests{retries}")
    return ", ".join(parts)


def _limit(snapshot: RunSnapshot, columns: int) -> list[Text]:
    limit = snapshot.limit
    if limit.name is LimitName.NONE:
        return []
    detail = f" ({limit.detail})" if limit.detail else ""
    lines = _wrapped(printable(f"limited by {limit.name}{detail}"), columns)
    return lines + _wrapped(f"  to change that: {limit.change}", columns, style="dim")


def _pauses(snapshot: RunSnapshot, columns: int) -> list[Text]:
    lines = []
    for pause in snapshot.pauses[:SHOWN_PAUSES]:
        lines += _wrapped(printable(_pause(pause, snapshot.at)), columns, style="yellow")
    return lines


def _pause(pause: Pause, at: float) -> str:
    if pause.until is None:
        return f"paused: {pause.what}: {pause.why}; resumes by itself"
    when = datetime.fromtimestamp(pause.until, UTC)
    left = duration(max(0.0, pause.until - at))
    return f"paused: {pause.what}: {pause.why}; until {when:%H:%M:%S} UTC, {left} more"


def _files(snapshot: RunSnapshot, columns: int) -> Iterator[Text]:
    if not snapshot.files:
        return
    shown = snapshot.files[:SHOWN_FILES]
    more = snapshot.files_in_hand - len(shown)
    said = f"in hand, the oldest of {snapshot.files_in_hand:,}" if more > 0 else "in hand"
    yield Text(_fitted(said, columns), style="dim")
    for file in shown:
        yield _file(file, columns)


def _file(file: FileInHand, columns: int) -> Text:
    before = f"{duration(file.age_s):>10}  {file.stage:<11}"
    style = "yellow" if file.age_s >= OLD_AFTER_S else ""
    return Text(before + _path(file.path, columns - cell_len(before)), style=style)


def _path(path: str, columns: int) -> str:
    """Shorten a path in front: its end distinguishes files."""
    text = printable(path)
    if cell_len(text) <= columns:
        return text
    while text and cell_len(text) > columns - 1:
        text = text[1:]
    return f"…{text}"


def _beside(left: Text | None, right: Text | None) -> Text:
    line = left.copy() if left is not None else Text()
    if right is not None:
        line.pad_right(max(0, TABLE_COLUMNS - line.cell_len))
        line.append_text(right)
    return line


def _fitted(text: str, columns: int) -> str:
    return text if cell_len(text) <= columns else set_cell_size(text, columns - 1) + "…"


def _wrapped(text: str, columns: int, style: str = "") -> list[Text]:
    indent = "  " if text.startswith("  ") else ""
    lines: Sequence[str] = textwrap.wrap(
        text.strip(), columns, initial_indent=indent, subsequent_indent="  "
    )
    return [Text(_fitted(line, columns), style=style) for line in lines]
