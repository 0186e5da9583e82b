"""Voltage and current over the rows of a table, drawn by matplotlib: SVG for pages, or a file.

A plot in a page takes its colours from the page, so that it is right in light and dark; a file
carries its own. Needs the extra ``report``.
"""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkload.core.excerpt import Excerpt
from bulkload.core.terms import CURRENT, VOLTAGE
from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

#: Forms of a plot as a file, by the ending of its name.
ENDINGS: Final = (".svg", ".png")
#: Width and height of a plot with two signals, in inches of 72 points.
_SIZE: Final = (5.4, 2.8)
#: Dots an inch of a PNG.
_DPI: Final = 210

#: What is drawn in each colour: as it stands in a file, and the page's name for it.
_INK: Final = "#1b2530"
_GRID: Final = "#dfe4ea"
_VOLTAGE: Final = "#0b62a4"
_CURRENT: Final = "#8a4b08"
_FLAGGED: Final = "#b3261e"
_OTHER: Final = "#3f6212"
_NAMES: Final = {
    _INK: "currentColor",
    _GRID: "var(--rule)",
    _VOLTAGE: "var(--voltage)",
    _CURRENT: "var(--current)",
    _FLAGGED: "var(--rejected)",
    _OTHER: "var(--accent)",
}
_COLOURS: Final = {VOLTAGE: _VOLTAGE, CURRENT: _CURRENT}
#: Colours of a file that is shown on a dark ground.
_DARK: Final = (
    ":root{color:#1b2530;--rule:#dfe4ea;--voltage:#0b62a4;--current:#8a4b08;--rejected:#b3261e;"
    "--accent:#3f6212;--ground:#fff}@media(prefers-color-scheme:dark){:root{color:#e6eaf0;"
    "--rule:#37414d;--voltage:#7cc0f8;--current:#f0b26b;--rejected:#ff8a80;--accent:#a3d977;"
    "--ground:#14181d}}svg{background:var(--ground)}"
)


def plot_svg(excerpt: Excerpt, title: str, *, name: str = "plot", is_file: bool = False) -> str:
    """Return a plot as SVG with a title and a description for those who do not see it.

    ``name`` begins its ids: it must differ between the plots of a page. A file stands alone; a
    plot of a page leaves its colours to the page. Raises ``MissingExtraError``.
    """
    figure = _drawn(excerpt)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    described = printable(f"{title}. {description(excerpt)}")
    return _cleaned(buffer.getvalue(), printable(title), described, name=name, is_file=is_file)


def write_plot(excerpt: Excerpt, title: str, path: Path) -> None:
    """Write a plot as the file that its ending says; ``SettingsError`` for another ending."""
    check_ending(path)
    if path.suffix.lower() == ".svg":
        path.write_text(plot_svg(excerpt, title, is_file=True), "utf-8")
        return
    figure = _drawn(excerpt)
    heading = figure.text(0.12, 0.995, _plain(printable(title)), fontsize=8, color=_INK, va="top")
    figure.savefig(path, format="png", dpi=_DPI, facecolor="white", bbox_inches="tight")
    heading.remove()


def check_ending(path: Path) -> None:
    """Raise ``SettingsError`` for a file that is no form of a plot by its ending."""
    if path.suffix.lower() not in ENDINGS:
        raise SettingsError(f"--plot {path}: a plot is written as {' or '.join(ENDINGS)}")


def description(excerpt: Excerpt) -> str:
    """Return in words what a plot shows: rows, ranges and where it is flagged."""
    parts = [f"Rows {excerpt.rows[0]:,} to {excerpt.rows[-1]:,} of {excerpt.total_rows:,}"]
    for signal, values in excerpt.signals:
        known = [one for one in values if one is not None]
        quantity, _, unit = signal.partition(" [")
        if known:
            span = f"{min(known):.4g} to {max(known):.4g} {unit.rstrip(']')}".rstrip()
            parts.append(f"{quantity.lower()} from {span}")
    if excerpt.flagged:
        rows = ", ".join(f"{row:,}" for row in excerpt.flagged[:5])
        parts.append(f"flagged at row {rows}")
    return "; ".join(parts) + "."


def description_in(svg: str) -> str:
    """Return the description that a plot has in itself, empty where it has none."""
    found = re.search(r"<desc[^>]*>(.*?)</desc>", svg, re.DOTALL)
    return "" if found is None else unescape(found[1])


#: What matplotlib would write about itself and the time.
_METADATA: Final = ("Date", "Creator", "Format", "Type")


@dataclass(frozen=True, slots=True)
class _Panel:
    """The axes of one signal, and what is drawn on them."""

    ax: Axes
    curve: Line2D
    #: Dashed lines through the flagged rows, and circles on the curve.
    lines: Line2D
    circles: Line2D


@lru_cache(4)
def _figure(signals: tuple[str, ...]) -> tuple[Figure, tuple[_Panel, ...]]:
    """Return an empty figure; it is drawn on again and again, which is five times as quick."""
    try:
        # Where it keeps its fonts is nothing that the user of a report needs to hear of.
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("A plot", "report") from error
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "bulkload", "path.simplify": False}
    )
    width, height = _SIZE
    figure = Figure(figsize=(width, 0.6 + (height - 0.6) * len(signals) / 2))
    figure.subplots_adjust(left=0.12, right=0.98, top=0.96, bottom=0.4 / figure.get_figheight())
    axes = figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
    axes[-1].set_xlabel("row", color=_INK, fontsize=8, labelpad=1)
    return figure, tuple(_panel(*one) for one in zip(axes, signals, strict=True))


def _panel(ax: Axes, name: str) -> _Panel:
    ax.set_ylabel(_plain(name), color=_INK, fontsize=8)
    ax.tick_params(colors=_INK, labelsize=8, length=2.5, width=0.6)
    ax.grid(color=_GRID, linewidth=0.6)
    ax.ticklabel_format(axis="x", style="plain", useOffset=False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(_GRID)
    (curve,) = ax.plot([], [], color=_COLOURS.get(name, _OTHER), linewidth=1.1)
    (lines,) = ax.plot(
        [], [], color=_FLAGGED, linewidth=0.7, linestyle=(0, (3, 2)),
        transform=ax.get_xaxis_transform(), scalex=False, scaley=False,
    )  # fmt: skip
    (circles,) = ax.plot(
        [], [], linestyle="", marker="o", markersize=4.5, markerfacecolor="none",
        markeredgecolor=_FLAGGED,
    )  # fmt: skip
    return _Panel(ax, curve, lines, circles)


def _drawn(excerpt: Excerpt) -> Figure:
    figure, panels = _figure(tuple(name for name, _ in excerpt.signals))
    flagged = set(excerpt.flagged)
    marked = [at for at, row in enumerate(excerpt.rows) if row in flagged]
    nan = float("nan")
    for panel, (_, values) in zip(panels, excerpt.signals, strict=True):
        numbers = [nan if one is None else one for one in values]
        panel.curve.set_data(excerpt.rows, numbers)
        panel.lines.set_data(
            [x for row in excerpt.flagged for x in (row, row, row)],
            [0.0, 1.0, nan] * len(excerpt.flagged),
        )
        panel.circles.set_data([excerpt.rows[at] for at in marked], [numbers[at] for at in marked])
        known = [one for one in values if one is not None] or [0.0]
        panel.ax.set_ylim(*_limits(min(known), max(known), 0.12))
        panel.ax.set_xlim(*_limits(excerpt.rows[0], excerpt.rows[-1], 0.01))
    return figure


def _limits(low: float, high: float, margin: float) -> tuple[float, float]:
    """Return the ends of an axis; of a signal that never moves a little around it."""
    spare = (high - low) * margin or max(abs(high) * 0.05, 1e-3)
    return low - spare, high + spare


def _plain(text: str) -> str:
    """Return text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def _cleaned(svg: str, title: str, described: str, *, name: str, is_file: bool) -> str:
    """Return matplotlib's SVG for a page: no prologue, names of its own, colours of the page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", body, flags=re.DOTALL)
    # Groups need no ids; those that are referred to differ from those of other plots.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: [^;\"]*px[^;\"]*", _short_font, body)
    body = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", body)
    # A style of matplotlib's own would hold for the whole page.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"\d+\.\d{2,}", _short_number, body)
    body = _flat(re.sub(r"\s+", " ", body))
    for colour, variable in _NAMES.items():
        body = body.replace(colour, variable)
    head, _, rest = body.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    style = f"<style>{_DARK}</style>" if is_file else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{box[0]} role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(described)}</desc>{style}{rest}'
    ).rstrip()


def _flat(svg: str) -> str:
    """Return an SVG without blanks between its elements and groups that only hold others.

    Both are nodes to a browser, five of six in a plot.
    """
    svg = re.sub(r"> (?=<)", ">", svg)
    kept: list[bool] = []
    parts = []
    for part in re.split(r"(<g\b[^>]*>|</g>)", svg):
        if part.startswith("<g"):
            kept.append(part.strip("<g >") != "")
            parts.append(part if kept[-1] else "")
        elif part != "</g>" or kept.pop():
            parts.append(part)
    return "".join(parts)


def _short_number(found: re.Match[str]) -> str:
    """Return a number of points with one digit behind the point: a sixth of a pixel."""
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _short_font(found: re.Match[str]) -> str:
    size = re.search(r"[\d.]+px", found[0])
    return f"font: {size[0] if size else '8px'} sans-serif"
