"""The course of a stretch of work as charts, sentences and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bulkload.core.chart import HEIGHT, WIDTH, bars, line, round_top
from bulkload.core.timeline import Course, filled
from bulkload.report.facts import OUTCOMES
from bulkload.report.texts import clock, dashed, duration, moment, rounded, size

#: Styles of lines, one after another.
_STROKES: Final = ("stroke-accent", "stroke-current", "stroke-open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One small chart: paths with the names of their styles."""

    id: str
    title: str
    #: What it shows, in words.
    said: str
    layers: tuple[tuple[str, str], ...]
    top: str
    begin: str
    end: str
    #: Outcomes that its colours stand for.
    legend: tuple[str, ...] = ()


def course_view(course: Course, number: int) -> dict[str, Any]:
    """Return what the template shows of a stretch of work."""
    stretch = course.stretch
    ended = sum(map(sum, course.ended.values()))
    took_s = stretch.end - stretch.begin
    said = f"{ended:,} measurements ended and {size(sum(course.bytes_stored))} were stored"
    said += f", {rounded(60 * ended / max(took_s, 1))} measurements a minute. "
    said += f"{sum(course.retries):,} retries"
    if course.retry_causes:
        causes = sorted(course.retry_causes.items(), key=lambda item: -item[1])
        said += " (" + ", ".join(f"{name} {times:,}" for name, times in causes) + ")"
    said += f"; requests were asked to wait {duration(sum(course.waits_s))} in all. "
    said += _outages(course)
    charts = [_throughput(course), _bytes(course), _in_hand(course)]
    if any(course.retries) or any(course.waits_s) or course.outages:
        charts.append(_trouble(course))
    return {
        "heading": f"{moment(stretch.begin)}, {duration(took_s)}",
        "said": said,
        "charts": [_placed(course, f"c{number}-{place}", one) for place, one in enumerate(charts)],
        "columns": _columns(course),
        "rows": _rows(course),
    }


def _outages(course: Course) -> str:
    if not course.outages:
        return "No service was unreachable."
    each = [
        f"{clock(begin)} to {clock(end)}{f' ({why})' if why else ''}"
        for begin, end, why in course.outages
    ]
    return f"Unreachable: {'; '.join(each)}."


def _placed(course: Course, name: str, values: dict[str, Any]) -> Chart:
    return Chart(
        id=name, begin=clock(course.stretch.begin), end=clock(course.stretch.end), **values
    )


def _throughput(course: Course) -> dict[str, Any]:
    per_minute = 60 / course.width_s
    names = [name for name in OUTCOMES if name in course.ended]
    totals = [sum(column) for column in zip(*(course.ended[name] for name in names), strict=True)]
    top = round_top(max(totals) * per_minute)
    layers, below = [], [0.0] * len(totals)
    for name in names:
        rates = [value * per_minute for value in course.ended[name]]
        layers.append((f"fill-{dashed(name)}", bars(rates, top, below)))
        below = [low + rate for low, rate in zip(below, rates, strict=True)]
    return {
        "title": "Measurements a minute",
        "said": f"by outcome; at most {rounded(max(totals) * per_minute)}",
        "layers": tuple(layers),
        "top": f"{rounded(top)} a minute",
        "legend": tuple(names),
    }


def _bytes(course: Course) -> dict[str, Any]:
    rates = [value / course.width_s for value in course.bytes_stored]
    top = round_top(max(rates))
    return {
        "title": "Bytes stored a second",
        "said": f"at most {size(max(rates))}/s, {size(sum(course.bytes_stored))} in all",
        "layers": (("fill-accent", bars(rates, top)),),
        "top": f"{size(top)}/s",
    }


def _in_hand(course: Course) -> dict[str, Any]:
    levels = {name: filled(values) for name, values in sorted(course.levels.items())}
    known = [one for values in levels.values() for one in values if one is not None]
    top = round_top(max([*course.in_hand, *known, 1]))
    lines: list[tuple[str, Sequence[float | None]]] = [
        ("prepared and not delivered", course.in_hand)
    ]
    lines += levels.items()
    styles = dict(zip((name for name, _ in lines), _STROKES, strict=False))
    words = ("solid", "dashed", "dotted")
    said = "; ".join(f"{word}: {name}" for word, name in zip(words, styles, strict=False))
    return {
        "title": "Concurrency",
        "said": said,
        "layers": tuple(
            (styles[name], line(values, top)) for name, values in lines if name in styles
        ),
        "top": rounded(top),
    }


def _trouble(course: Course) -> dict[str, Any]:
    top = round_top(max([*course.retries, 1]))
    span = course.stretch.end - course.stretch.begin
    bands = "".join(
        f"M{WIDTH * (begin - course.stretch.begin) / span:.5g} 0"
        f"h{WIDTH * (end - begin) / span:.5g}v{HEIGHT}h-{WIDTH * (end - begin) / span:.5g}z"
        for begin, end, _ in course.outages
    )
    return {
        "title": "Retries and pauses",
        "said": f"{sum(course.retries):,} retries; shaded: a service unreachable",
        "layers": (("fill-band", bands), ("fill-rejected", bars(course.retries, top))),
        "top": rounded(top),
    }


def _columns(course: Course) -> list[str]:
    names = [name for name in OUTCOMES if name in course.ended]
    return [
        "time (UTC)",
        *names,
        "stored",
        "in hand",
        *sorted(course.levels),
        "retries",
        "waits, s",
    ]


def _rows(course: Course) -> list[list[str]]:
    names = [name for name in OUTCOMES if name in course.ended]
    levels = [filled(course.levels[name]) for name in sorted(course.levels)]
    return [
        [
            clock(course.stretch.begin + place * course.width_s),
            *(f"{course.ended[name][place]:,}" for name in names),
            size(course.bytes_stored[place]),
            f"{course.in_hand[place]:,}",
            *("-" if (value := level[place]) is None else rounded(value) for level in levels),
            f"{course.retries[place]:,}",
            rounded(course.waits_s[place]),
        ]
        for place in range(len(course.in_hand))
    ]
