"""``bulkload detect``: what a file is, and by what evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.archives.access import on_disk
from bulkload.cli.console import say
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import BulkloadError
from bulkload.readers import Candidate, ReadOptions, list_members, load_dialects
from bulkload.readers import detect as find_reader


def detect(*files: Annotated[str, Parameter(negative=())], dialects: Path | None = None) -> int:
    """Identify the reader of each file by its content, and print the evidence.

    Exits with 3 if a file has no reader, or several.

    Parameters
    ----------
    files
        Files of measured data. One in an archive is year.zip!/cell7/a.nda.
    dialects
        TOML file that describes formats of your own.
    """
    console = Console()
    options = ReadOptions(dialects=() if dialects is None else load_dialects(dialects))
    is_clear = [describe(console, path, options) for path in files]
    return ExitCode.ARRIVED if all(is_clear) else ExitCode.PARTIAL


def describe(console: Console, path: str, options: ReadOptions) -> bool:
    """Print what a file is and by what evidence; return whether it has one reader."""
    try:
        with on_disk(path) as file:
            return _describe(console, path, file, options)
    except (OSError, BulkloadError) as error:
        say(console, printable(f"{path}: {error}"))
        return False


def _describe(console: Console, path: str, file: Path, options: ReadOptions) -> bool:
    found = find_reader(file, options)
    say(console, printable(f"{path}: {found.verdict or 'no reader'} ({found.reason})"))
    for candidate in found.candidates:
        _show(console, "fits", candidate)
    for candidate in found.near:
        _show(console, "nearly", candidate)
    if found.verdict is None:
        return False
    for member in list_members(file, options):
        say(console, printable(f"  holds the test: {member}"))
    return True


def _show(console: Console, how: str, candidate: Candidate) -> None:
    evidence = "; ".join(candidate.evidence.fits)
    lacks = f"; lacks {', '.join(candidate.evidence.lacks)}" if candidate.evidence.lacks else ""
    say(console, printable(f"  {how}: {candidate.reader}: {evidence}{lacks}"))
