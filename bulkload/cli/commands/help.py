"""``bulkload help``: the pages of the manual, in the terminal."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console
from rich.markdown import Markdown

from bulkload.cli.output.help_format import OUTPUT
from bulkload.core.tally import ExitCode
from bulkload.errors import SettingsError

#: Marks of the tables that a script writes: for the script, not for readers.
_MARKS: Final = re.compile(r"^<!--.*?-->\n", re.MULTILINE)


def pages() -> dict[str, str]:
    """Return the text of each page by its topic, in alphabetical order."""
    found = [page for page in files("bulkload").joinpath("manual").iterdir() if page.is_file()]
    return {
        page.name.removesuffix(".md"): page.read_text("utf-8")
        for page in sorted(found, key=lambda page: page.name)
        if page.name.endswith(".md")
    }


def show(
    topic: str | None = None, /, *, man: Annotated[Path | None, Parameter(group=OUTPUT)] = None
) -> int:
    """Show a page of the manual; without a topic, list the pages.

    On a terminal the page is laid out; in a pipe or a file it is plain Markdown.

    Parameters
    ----------
    topic
        Name of a page, such as validation.
    man
        Write man pages of all commands into this folder. Then `man -l FOLDER/bulkload.1`.
    """
    console, manual = Console(), pages()
    if man is not None:
        # Only here: it loads every command.
        from bulkload.cli.commands.man_pages import write_man_pages

        written = write_man_pages(man)
        console.out(f"{len(written)} man pages written to {man}", highlight=False)
        return ExitCode.ARRIVED
    if topic is None:
        width = max(map(len, manual))
        for name, text in manual.items():
            title = text.partition("\n")[0].removeprefix("# ")
            console.out(f"{name:<{width}}  {title}", highlight=False)
        return ExitCode.ARRIVED
    if topic not in manual:
        raise SettingsError(
            f"the manual has no page {topic!r}; its pages are {', '.join(manual)}. "
            "Run `bulkload COMMAND --help` for the options of a command"
        )
    text = _MARKS.sub("", manual[topic])
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        console.out(text, end="", highlight=False)
    return ExitCode.ARRIVED
