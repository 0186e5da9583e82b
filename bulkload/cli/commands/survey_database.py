"""``bulkload survey`` of a database: what it seems to hold, and a first migration.toml."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.databases.survey import propose


def survey_database(url: str, toml: Path | None) -> int:
    """Show what the catalogue and a few rows of a database say, and write the proposal.

    Returns 3 where a person has to settle something. Relative files start here.
    """
    console = Console()
    found = propose(url, Path.cwd())
    say(console, "evidence", style="bold")
    for one in found.evidence:
        say(console, printable(f"  {one}"))
    if found.open_questions:
        say(console, "to be settled", style="bold")
    for one in found.open_questions:
        say(console, printable(f"  {one}"))
    if toml is None:
        for line in found.toml.splitlines():
            say(console, printable(line))
    else:
        toml.write_text(found.toml, "utf-8")
        say(console, printable(f"proposal written to {toml}: settle what is open, then plan it"))
    return ExitCode.PARTIAL if found.open_questions else ExitCode.ARRIVED
