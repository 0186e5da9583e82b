"""What a plan means for Studio, on a few lines."""

from __future__ import annotations

from rich.console import Console

from bulkload.cli.output.console import counted, say
from bulkload.core.outlook import Outlook, SpecificationOutlook, Standing, estimate
from bulkload.core.text import printable
from bulkload.settings import RunLimits

#: Specifications shown one by one; of more it gives the number.
SHOWN: int = 20

_STANDINGS = {
    Standing.EQUAL: "equal by hash",
    Standing.NAME_ONLY: "equal only by name",
    Standing.DIFFERING: "differing",
    Standing.FAILED: "failed there",
    Standing.PROCESSING: "in processing",
}


def show_outlook(console: Console, outlook: Outlook, limits: RunLimits) -> None:
    """Show the tree with counts, what is there already, and what the rest takes."""
    for name, one in list(outlook.specifications.items())[:SHOWN]:
        say(console, printable(f"{name}: {_counts(one)}"))
    rest = len(outlook.specifications) - SHOWN
    if rest > 0:
        say(console, f"and {counted(rest, 'more specification')}")
    measurements = outlook.measurements
    there = ", ".join(
        f"{measurements[standing]:,} {word}"
        for standing, word in _STANDINGS.items()
        if measurements[standing]
    )
    say(console, f"in Studio already: {there or 'none of the measurements'}")
    specs = outlook.specifications.values()
    new_specs, new_cells = sum(one.is_new for one in specs), sum(one.new_cells for one in specs)
    say(
        console,
        f"would be created: {counted(new_specs, 'specification')}, {counted(new_cells, 'cell')}, "
        f"{counted(measurements[Standing.NEW], 'measurement')}",
    )
    takes = estimate(outlook, workers=limits.workers, connections=limits.connections)
    if measurements[Standing.NEW]:
        read_mb, sent_mb = takes.read_bytes / 1e6, takes.sent_bytes / 1e6
        say(
            console,
            f"that takes about {takes.requests:,} requests, {read_mb:,.1f} MB to read, "
            f"{sent_mb:,.1f} MB to send and {_minutes(takes.seconds)} ({takes.basis})",
        )


def _counts(one: SpecificationOutlook) -> str:
    new = f" ({one.new_cells:,} new)" if one.new_cells else ""
    total, fresh = one.measurements.total(), one.measurements[Standing.NEW]
    of_them = f" ({fresh:,} new)" if fresh else ""
    mark = "new, " if one.is_new else ""
    return f"{mark}{counted(one.cells, 'cell')}{new}, {counted(total, 'measurement')}{of_them}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds >= 90 else f"{max(1, round(seconds)):,} s"
