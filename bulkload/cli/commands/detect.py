"""``bulkload detect``: what a file is, and by what evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from bulkload.archives.access import on_disk
from bulkload.cli.output.console import say
from bulkload.cli.output.json_documents import AsJson, DetectDocument, print_document
from bulkload.cli.output.json_lines import CandidateLine, DetectedFile
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import BulkloadError, UnreadableError
from bulkload.readers import Candidate, ReadOptions, list_members, load_dialects
from bulkload.readers import detect as find_reader


def detect(
    *files: Annotated[str, Parameter(negative=())],
    dialects: Path | None = None,
    as_json: AsJson = False,
) -> int:
    """Identify the reader of each file by its content, and print the evidence.

    Exits with 3 if a file has no reader, or several.

    Parameters
    ----------
    files
        Files of measured data. One in an archive is year.zip!/cell7/a.nda.
    dialects
        TOML file that describes formats of your own.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    console = Console(quiet=as_json)
    options = ReadOptions(dialects=() if dialects is None else load_dialects(dialects))
    found = [describe(console, path, options) for path in files]
    code = ExitCode.ARRIVED if all(one.reader for one in found) else ExitCode.PARTIAL
    return print_document(DetectDocument(files=found, exit_code=code)) if as_json else code


def describe(console: Console, path: str, options: ReadOptions) -> DetectedFile:
    """Find out what a file is and by what evidence, and print it."""
    try:
        with on_disk(path) as file:
            if file.exists() and not file.is_file():
                raise UnreadableError("is not a file but a folder, a pipe or a device")
            found = find_reader(file, options)
            members = () if found.verdict is None else tuple(list_members(file, options))
    except (OSError, BulkloadError) as error:
        say(console, printable(f"{path}: {error}"))
        return DetectedFile(
            path=path, reader=None, reason=str(error), candidates=(), near=(), members=()
        )
    detected = DetectedFile(
        path=path,
        reader=found.verdict,
        reason=found.reason,
        candidates=[_line(one) for one in found.candidates],
        near=[_line(one) for one in found.near],
        members=members,
    )
    _show(console, detected)
    return detected


def _line(candidate: Candidate) -> CandidateLine:
    evidence = candidate.evidence
    return CandidateLine(reader=candidate.reader, fits=evidence.fits, lacks=evidence.lacks)


def _show(console: Console, file: DetectedFile) -> None:
    say(console, printable(f"{file.path}: {file.reader or 'no reader'} ({file.reason})"))
    for how, candidates in (("fits", file.candidates), ("nearly", file.near)):
        for one in candidates:
            lacks = f"; lacks {', '.join(one.lacks)}" if one.lacks else ""
            say(console, printable(f"  {how}: {one.reader}: {'; '.join(one.fits)}{lacks}"))
    for member in file.members:
        say(console, printable(f"  holds the test: {member}"))
