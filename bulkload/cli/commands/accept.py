"""``bulkload accept``: known and accepted, so that a scheduler does not report it again."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.jobs.folder import journal_of
from bulkload.cli.output.console import EXAMPLES, counted, say
from bulkload.cli.output.help_format import RUN
from bulkload.cli.output.json_documents import AcceptDocument, AsJson, print_document
from bulkload.cli.output.json_lines import LostLine
from bulkload.clock import SystemClock
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import SettingsError
from bulkload.journal import Store, find
from bulkload.journal.acceptance import (
    Acceptance,
    LostEntry,
    lost_entries,
    take_back,
)
from bulkload.journal.acceptance import accept as mark
from bulkload.journal.lock import exclusive
from bulkload.journal.parts import part_folders

#: Longest reason in characters: it stands in a cell of every account.
MAX_REASON_CHARACTERS: Final = 1000


def accept(
    job_dir: Path,
    *files: Annotated[str, Parameter(negative=())],
    cause: Annotated[str | None, Parameter(group=RUN)] = None,
    reason: Annotated[str | None, Parameter(group=RUN)] = None,
    undo: Annotated[bool, Parameter(negative=(), group=RUN)] = False,
    as_json: AsJson = False,
) -> int:
    """Mark rejected and failed entries as known and accepted: they no longer cause exit code 3.

    They stay rejected or failed, and every account names them with who accepted them, when and
    why. A file whose content changes is judged anew.

    Parameters
    ----------
    job_dir
        The job's folder.
    files
        Only these files or measurements.
    cause
        Everything that has this cause, such as empty_file.
    reason
        Why it is accepted, for those who read the account. Needed unless with --undo.
    undo
        Take the mark back.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """
    request = _request(files, cause, reason, undo=undo)
    # A part that is not here (not run yet, or on another machine) has nothing to accept.
    found = [find(folder) for folder in part_folders(job_dir)]
    paths = [path for path in found if path is not None] or [journal_of(job_dir)]
    with ExitStack() as stack:
        stores = []
        for path in paths:
            stack.enter_context(exclusive(path.parent))
            stores.append(stack.enter_context(Store(path)))
        chosen = [(store, entry) for store in stores for entry in _chosen(store, request)]
        if not chosen:
            raise SettingsError(_nothing(job_dir, stores, request))
        # Each part is whole by itself; a run that comes between two sees what is marked by then.
        for store in stores:
            with store.transaction():
                for one, entry in chosen:
                    if one is store:
                        request.carry_out(store, entry)
        left = sum(not one.is_accepted for store in stores for one in _lost(store))
    marked = [entry for _, entry in chosen]
    if as_json:
        return print_document(_document(request, marked, left))
    _tell(request, marked, left)
    return ExitCode.ARRIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is to be marked, or whose mark is taken back."""

    files: Sequence[str]
    cause: str | None
    mark: Acceptance
    is_undone: bool

    def wants(self, entry: LostEntry) -> bool:
        if entry.is_accepted is not self.is_undone:
            return False
        return self.names(entry)

    def names(self, entry: LostEntry) -> bool:
        if self.cause is not None and entry.cause != self.cause:
            return False
        return not self.files or any(_is_named(entry, one) for one in self.files)

    def carry_out(self, store: Store, entry: LostEntry) -> None:
        if self.is_undone:
            take_back(store, entry, self.mark.accepted_by, self.mark.accepted_at)
        else:
            mark(store, entry, self.mark)


def _request(
    files: Sequence[str], cause: str | None, reason: str | None, *, undo: bool
) -> _Request:
    if not files and cause is None:
        raise SettingsError("name what is accepted: --cause CAUSE, or files")
    text = (reason or "").strip()
    if not text and not undo:
        raise SettingsError("say why with --reason TEXT: every account names it")
    if len(text) > MAX_REASON_CHARACTERS:
        raise SettingsError(
            f"--reason has {len(text):,} characters; at most {MAX_REASON_CHARACTERS:,} are kept"
        )
    return _Request(
        files=files,
        cause=cause,
        mark=Acceptance(text, _user(), SystemClock().now().timestamp()),
        is_undone=undo,
    )


def _user() -> str:
    """Return the name under which the user is logged in, as the account shows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _is_named(entry: LostEntry, text: str) -> bool:
    names = (
        entry.location,
        entry.measurement,
        f"{entry.spec} / {entry.cell} / {entry.measurement}",
    )
    return text in names or str(Path(text).resolve()) == entry.location


def _lost(store: Store) -> Sequence[LostEntry]:
    run = store.last_upload()
    return [] if run is None else list(lost_entries(store, run.id))


def _chosen(store: Store, request: _Request) -> list[LostEntry]:
    return [entry for entry in _lost(store) if request.wants(entry)]


def _nothing(job_dir: Path, stores: Sequence[Store], request: _Request) -> str:
    """Print why there is nothing to mark."""
    entries = [entry for store in stores for entry in _lost(store)]
    if named := [entry for entry in entries if request.names(entry)]:
        state = "not accepted" if request.is_undone else "accepted already"
        return f"what is named ({counted(len(named), 'entry')}) is {state}"
    causes = ", ".join(sorted({entry.cause for entry in entries})) or "none"
    return (
        f"no rejected or failed entry of {job_dir} is that; its causes: {causes}. "
        "`bulkload status JOB_DIR --list CAUSE` shows their files"
    )


def _document(request: _Request, entries: Sequence[LostEntry], left: int) -> AcceptDocument:
    return AcceptDocument(
        entries=[
            LostLine(path=one.location, cause=one.cause, message=one.message) for one in entries
        ],
        not_accepted=left,
        by=request.mark.accepted_by,
        reason=request.mark.reason,
        exit_code=ExitCode.ARRIVED,
    )


def _tell(request: _Request, entries: Sequence[LostEntry], left: int) -> None:
    console = Console()
    what = "no longer accepted" if request.is_undone else "accepted"
    say(console, f"{counted(len(entries), 'entry')} {what}:")
    for entry in islice(entries, EXAMPLES):
        say(console, printable(f"  {entry.cause}: {entry.location}"))
    if len(entries) > EXAMPLES:
        say(console, f"  and {len(entries) - EXAMPLES:,} more")
    if not request.is_undone:
        say(console, printable(f"by {request.mark.accepted_by}: {request.mark.reason}"))
    verb = "is" if left == 1 else "are"
    say(console, f"{counted(left, 'rejected or failed entry')} {verb} not accepted")
