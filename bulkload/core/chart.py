"""Small charts as the points of an SVG path: bars, lines, bands. No text and no colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: Height and width of the box in which a chart is drawn, in units of its own.
HEIGHT: Final = 100.0
WIDTH: Final = 600.0


def bars(values: Sequence[float], top: float, base: Sequence[float] | None = None) -> str:
    """Return a path of bars of equal width, as high as their share of ``top``.

    ``base`` is where each bar begins: what is stacked below it.
    """
    if not values or top <= 0:
        return ""
    width = WIDTH / len(values)
    below = base or [0.0] * len(values)
    parts = []
    for place, (value, start) in enumerate(zip(values, below, strict=True)):
        if value > 0:
            low = HEIGHT * (1 - start / top)
            high = HEIGHT * (value / top)
            parts.append(f"M{place * width:.5g} {low:.4g}h{width:.4g}v{-high:.4g}h{-width:.4g}z")
    return "".join(parts)


def line(values: Sequence[float | None], top: float, low: float = 0.0) -> str:
    """Return a path through values at equal distances; a missing value leaves a gap."""
    if not values or top <= low:
        return ""
    step = WIDTH / max(len(values) - 1, 1)
    parts, is_pen_down = [], False
    for place, value in enumerate(values):
        if value is None:
            is_pen_down = False
            continue
        y = HEIGHT * (1 - (value - low) / (top - low))
        parts.append(f"{'L' if is_pen_down else 'M'}{place * step:.5g} {y:.4g}")
        is_pen_down = True
    return "".join(parts)


def round_top(value: float) -> float:
    """Return the first of 1, 2, 5, 10, 20, ... that is not below a value: the end of a scale."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value * (1 - 1e-9))
