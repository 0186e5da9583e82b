"""The command line: one module a command, and one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final

from cyclopts import App, CycloptsError
from cyclopts.argument import ArgumentCollection
from rich.console import Console

from bulkload.cli.output.console import say
from bulkload.cli.output.exit_codes import code_of
from bulkload.cli.output.help_format import PageFormatter
from bulkload.cli.output.terminal import queued_output
from bulkload.core.systems import utf8_environment
from bulkload.core.tally import ExitCode
from bulkload.core.text import is_encodable, printable
from bulkload.core.version import VERSION
from bulkload.errors import BulkloadError, JobFileError

_STANDARD_ERROR: Final = 2

app: Final = App(
    name="bulkload",
    help="Move whole archives of battery-cycler tests into Ionworks Studio, and prove that "
    "they arrived.",
    version=VERSION,
    result_action="return_value",
    # Plain text: what a file is called must never be taken for markup.
    help_format="plaintext",
    help_formatter=PageFormatter(),
    help_epilogue="Options of a command: bulkload COMMAND --help. The manual: bulkload help.",
)
# Named, not imported: `bulkload --help` must not load the libraries of every command.
for _name, _place, _help, _example in (
    ("demo", "demo:demo", "Upload a sample archive into a local Studio.", "--folder tour"),
    ("studio", "studio:studio", "Run a Studio on this machine.", "--data studio --port 8123"),
    ("survey", "survey:survey", "Look at an archive, and propose a plan.",
     "archive --cells cells.xlsx --out plan.xlsx"),
    ("plan", "plan:plan", "Show what would be uploaded, and what prevents it.", "archive"),
    ("check", "check:check", "Read and validate everything; touch no network.", "archive"),
    ("detect", "detect:detect", "Identify files by their content.", "archive/cell/*.csv"),
    ("show", "show:show", "Show everything about one file or measurement.",
     "archive/cell/cycling.csv"),
    ("upload", "upload:upload", "Upload measurements; the same command again resumes.",
     "archive --job jobs/archive"),
    ("resume", "resume:resume", "Go on with a job, as it was asked for.", "jobs/archive"),
    ("retry", "retry:retry", "Upload again only what did not arrive.",
     "jobs/archive --cause time_limit"),
    ("accept", "accept:accept", "Mark what did not arrive as known and accepted.",
     "jobs/archive --cause empty_file --reason aborted"),
    ("status", "status:status", "Show where a job stands, also while it runs.", "jobs/archive"),
    ("verify", "verify:verify", "Read back what was uploaded, and compare.",
     "jobs/archive --all"),
    ("compare", "compare:compare", "Compare a source with Studio, file by file.", "archive"),
    ("account", "account:account", "Write every entry of a job, with its outcome, to a file.",
     "jobs/archive --out account.xlsx"),
    ("report", "report:report", "Write a job as one page: sums, causes, plots, course.",
     "jobs/archive --out report.html"),
    ("pack", "pack:pack", "Pack what a job can prove, to be kept and checked without it.",
     "jobs/archive --out archive-2026.zip"),
    ("merge", "merge:merge", "Bring parts of a job together that were run apart.",
     "jobs/archive from-a from-b"),
    ("page", "page:page", "Show a job in a browser, while it runs and afterwards.",
     "jobs/archive --port 8321"),
    ("rollback", "rollback:rollback", "Delete what a job created in Studio.", "jobs/archive"),
    ("help", "help:show", "Show a page of the manual.", "validation"),
):  # fmt: skip
    app.command(
        f"bulkload.cli.commands.{_place}",
        name=_name,
        help=_help,
        help_epilogue=f"Example: bulkload {_name} {_example}",
    )
app.register_install_completion_command(help="Let your shell complete commands and options.")
journal: Final = App(name="journal", help="Check a job's journal.", help_format="plaintext")
journal.command(
    "bulkload.cli.commands.journal:check",
    help="Check that a job's journal is intact.",
    help_epilogue="Example: bulkload journal check jobs/archive",
)
app.command(journal)


#: Endings of sources that may state options of their own.
_STATING: Final = (".toml", ".csv", ".xlsx", ".parquet", ".jsonl")


def _options_of_job_file(
    command: App, commands: tuple[str, ...], arguments: ArgumentCollection
) -> None:
    """Take the options that a ``bulkload.toml`` or a plan among the sources of a command states."""
    del command, commands
    sources = next((one for one in arguments if one.field_info.name == "sources"), None)
    words = () if sources is None else sources.tokens
    paths = [Path(word.value) for word in words if word.value.lower().endswith(_STATING)]
    if paths:
        # Only here: `bulkload --help` must not load what reads it.
        from bulkload.cli.options.job_file import fill_options

        fill_options(arguments, paths, app["upload"])


app.config = _options_of_job_file


def main() -> None:
    """Run the command of ``sys.argv`` and exit with its code."""
    _use_utf8()
    _open_standard_streams()
    with queued_output():
        code = run(sys.argv[1:])
    sys.exit(code)


def _use_utf8() -> None:
    """Start again in UTF-8 mode where the locale would read file names otherwise."""
    environment = utf8_environment(
        is_utf8_mode=bool(sys.flags.utf8_mode),
        names=sys.getfilesystemencoding(),
        shown=sys.stdout.encoding if sys.stdout is not None else "ascii",
    )
    if environment is None:
        return
    command = [sys.executable, "-m", "bulkload", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | environment)  # noqa: S606 - ourselves again


def _open_standard_streams() -> None:
    """Keep the numbers of closed standard streams from other files: uvloop ends at such a one."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(number, True)
    os.close(number)


def run(tokens: list[str]) -> int:
    """Run a command and return its exit code; every error becomes one sentence."""
    console = Console(stderr=True)
    if not_text := [token for token in tokens if not is_encodable(token)]:
        say(console, printable(f"bulkload: {not_text[0]}: is not valid UTF-8; rename it"))
        return ExitCode.USAGE
    try:
        result = app(tokens, exit_on_error=False, print_error=True, error_console=console)
    except CycloptsError:
        return ExitCode.USAGE
    except KeyboardInterrupt:
        say(console, "interrupted; run the same command again to resume")
        return ExitCode.INTERRUPTED
    except JobFileError as error:
        # A line for each error of the file, each made printable where it was written.
        say(console, f"bulkload: {error}")
        return ExitCode.USAGE
    except BulkloadError as error:
        say(console, printable(f"bulkload: {error}"))
        return code_of(error)
    except OSError as error:
        say(console, printable(f"bulkload: {_place_of(error)}"))
        return code_of(error)
    # The last net: whatever was not foreseen is a defect, and says where its details are.
    except Exception as error:  # noqa: BLE001 - nothing may end in a bare traceback
        say(console, printable(_defect(error)))
        return ExitCode.DEFECT
    return int(result) if isinstance(result, int) else ExitCode.ARRIVED


def _place_of(error: OSError) -> str:
    """Return an error of the operating system as a sentence that names the place."""
    reason = error.strerror or str(error) or type(error).__name__
    return reason if error.filename is None else f"{error.filename}: {reason}"


def _defect(error: Exception) -> str:
    """Write the traceback to a file of its own and return the sentence that names it."""
    said = f"bulkload: a bug in bulkload: {type(error).__name__}: {str(error)[:300]}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="bulkload-defect-", suffix=".log", delete=False
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return said
    return f"{said}; the details are in {file.name}: please report them"
