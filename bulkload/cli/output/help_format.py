"""How ``--help`` looks: a line for each option, in groups, and an example at the end.

A page fits a screen of 80 columns. Of an option it shows the first sentence; the rest of its
description is in the manual (``bulkload help options``).
"""

from __future__ import annotations

from typing import Any, Final

from cyclopts import Group
from cyclopts.help import DefaultFormatter, HelpPanel
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

#: Groups of options, in the order of the page.
SOURCES: Final = Group("Sources", sort_key=1)
READING: Final = Group("Reading and checks", sort_key=2)
TARGET: Final = Group("Studio", sort_key=3)
RUN: Final = Group("Run", sort_key=4)
OUTPUT: Final = Group("Output", sort_key=5)

#: Width of the column of names, in characters: the longest name of an option and its value.
NAME_WIDTH: Final = 24

#: Defaults that are not shown.
_SILENT: Final = frozenset({"None", "True", "False", "()", '""', "''", ""})


class PageFormatter(DefaultFormatter):
    """Lays a group of options out as a title and one line for each."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a group."""
        del options
        if not panel.entries:
            return
        title = panel.title.plain if isinstance(panel.title, Text) else str(panel.title)
        console.print(Text(f"{title}:", style="bold"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="cyan", min_width=NAME_WIDTH)
        table.add_column()
        for entry in panel.entries:
            names = " ".join(entry.display_labels_with_metavar)
            table.add_row(f"  {names}", _described(entry.description, entry.default))
        console.print(table)


def _described(description: Any, default: object) -> str:
    """Return the first sentence of a description, with its default unless that is trivial."""
    plain = getattr(description, "primary_renderable", description)
    text = plain.plain if isinstance(plain, Text) else str(plain or "")
    sentence = text.partition(". ")[0].rstrip(". \n")
    shown = "" if default is None or str(default) in _SILENT else f" [{default}]"
    return f"{sentence}{shown}"
