"""What follows a run: notifications (``--notify``) and a command (``--on-end``).

Neither changes how the run ended: where one fails, that is said on standard error, and the exit
code stays. The address of a notification may hold a password: it is never shown, logged or kept.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from cyclopts import Parameter
from rich.console import Console

from bulkload.cli.jobs.limits import NOTIFY_LIMIT_S, ON_END_GRACE_S, ON_END_LIMIT_S
from bulkload.cli.options.command_line import command_words
from bulkload.cli.output.console import say
from bulkload.cli.output.exit_codes import code_of
from bulkload.cli.output.help_format import OUTPUT
from bulkload.core.systems import system_of
from bulkload.core.tally import ExitCode
from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, SettingsError

_SYSTEM: Final = system_of(sys.platform)

#: Where addresses come from that must not stand on a command line, which other users can see.
NOTIFY_VARIABLE: Final = "BULKLOAD_NOTIFY"
#: What the command of ``--on-end`` finds in its environment.
SUMMARY_VARIABLE: Final = "BULKLOAD_SUMMARY"
EXIT_CODE_VARIABLE: Final = "BULKLOAD_EXIT_CODE"
STATEMENT_VARIABLE: Final = "BULKLOAD_STATEMENT"


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class EndOptions:
    """What follows the run.

    Parameters
    ----------
    notify
        Send news of the run to this URL or mailto: address. Any that apprise knows; also from
        BULKLOAD_NOTIFY. Nothing is sent where there is no news.
    on_end
        Run this command when the run has ended. It finds BULKLOAD_SUMMARY, BULKLOAD_EXIT_CODE
        and BULKLOAD_STATEMENT in its environment.
    """

    notify: Annotated[tuple[str, ...], Parameter(negative=())] = field(default=(), repr=False)
    on_end: str | None = None

    def ending(self) -> Ending:
        """Check the options before the run begins; raise ``SettingsError`` for a mistake."""
        addresses = (*os.environ.get(NOTIFY_VARIABLE, "").split(), *self.notify)
        return Ending(
            services=_services(addresses),
            command=() if self.on_end is None else _command(self.on_end),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMessage:
    """What is told of a run."""

    #: A line, and all that is worth telling.
    statement: str
    text: str
    exit_code: ExitCode
    summary: Path | None
    #: Whether it is worth a notification.
    has_news: bool = True


@dataclass(slots=True, kw_only=True)
class Ending:
    """What follows a run, ready to be carried out."""

    #: Services of apprise, each with its kind, which holds no secret.
    services: Sequence[tuple[str, Any]] = ()
    command: Sequence[str] = ()
    #: Of the run, once it has ended.
    news: RunMessage | None = None

    @contextmanager
    def following(self, job_dir: Path) -> Iterator[None]:
        """Carry out what follows the run in the block, however that ends."""
        try:
            yield
        except Exception as error:
            code = code_of(error)
            statement = printable(f"not finished: {error}; exit code {code:d} ({code.text})")
            self.news = RunMessage(
                statement=statement, text=statement, exit_code=code, summary=None
            )
            raise
        finally:
            if self.news is not None:
                self._carry_out(self.news, job_dir)

    def _carry_out(self, news: RunMessage, job_dir: Path) -> None:
        errors = Console(stderr=True)
        if self.services and news.has_news:
            title = printable(f"bulkload {job_dir.name}: {news.statement}")
            for failure in _notified(self.services, title, news.text):
                say(errors, failure)
        if self.command and (problem := _ran(self.command, news)) is not None:
            say(errors, printable(problem))


# -- Notifications -----------------------------------------------------------------------------


def _services(addresses: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the services behind addresses; ``SettingsError`` names one by its number only."""
    if not addresses:
        return []
    apprise = _apprise()
    found = []
    for number, address in enumerate(addresses, start=1):
        service = apprise.Apprise.instantiate(_known(apprise, address))
        if service is None:
            raise SettingsError(
                f"address {number} of --notify and {NOTIFY_VARIABLE} is not one that apprise "
                "knows; write it as https://..., mailto:NAME@HOST, or as apprise describes it"
            )
        found.append((f"{number} ({urlsplit(address).scheme})", service))
    return found


def _apprise() -> Any:
    try:
        import apprise
    except ImportError as error:
        raise MissingExtraError("--notify", "notify") from error
    # What it logs may name an address, and Python would print it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise


def _known(apprise: Any, address: str) -> str:
    """Return an address as apprise writes it.

    ``mailto:NAME@HOST`` goes through the mail server of this machine, as cron's mails do; a web
    address that is none of a known service gets a POST with JSON.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "mailto" and not rest.startswith("//"):
        name = quote(rest, safe="@")
        host = rest.rpartition("@")[2]
        return f"mailto://localhost?to={name}&from=bulkload@{quote(host)}"
    if scheme in ("http", "https") and apprise.Apprise.instantiate(address) is None:
        return f"{'json' if scheme == 'http' else 'jsons'}:{rest}"
    return address


def _notified(services: Sequence[tuple[str, Any]], title: str, text: str) -> list[str]:
    """Send a notification to each service; return what went wrong, without an address."""
    left = dict.fromkeys(name for name, _ in services)

    def send() -> None:
        for name, service in services:
            with suppress(Exception):
                if service.notify(title=title, body=text, body_format="text"):
                    left.pop(name, None)

    # A service that hangs must not hold up the scheduler: then the process ends without it.
    thread = threading.Thread(target=send, name="notify", daemon=True)
    thread.start()
    thread.join(NOTIFY_LIMIT_S)
    return [
        f"notification {name} was not delivered; the run itself is as the summary says"
        for name in list(left)
    ]


# -- The command -------------------------------------------------------------------------------


def _command(text: str) -> Sequence[str]:
    """Return the words of a command that can be run here."""
    words = command_words(text, _SYSTEM)
    if not words or shutil.which(words[0]) is None:
        raise SettingsError(f"--on-end {text!r} is not a command that can be run here")
    return words


def _ran(command: Sequence[str], news: RunMessage) -> str | None:
    """Run the command; return what went wrong, None for nothing."""
    summary = "" if news.summary is None else str(news.summary.resolve())
    environment = {
        SUMMARY_VARIABLE: summary,
        EXIT_CODE_VARIABLE: str(int(news.exit_code)),
        STATEMENT_VARIABLE: news.statement,
    }
    what = f"the command of --on-end ({command[0]})"
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            command,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            start_new_session=_SYSTEM.has_sessions,
            creationflags=_SYSTEM.creation_flags,
        )
    except OSError as error:
        return f"{what} could not be started: {error.strerror or error}"
    try:
        code = process.wait(ON_END_LIMIT_S)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"{what} took longer than {ON_END_LIMIT_S:.0f} s and was ended"
    except BaseException:
        _end(process)
        raise
    return f"{what} ended with {code}" if code else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started, where the system knows groups of processes."""
    for name in _SYSTEM.group_signals:
        with suppress(OSError):
            os.killpg(process.pid, signal.Signals[name])
        with suppress(subprocess.TimeoutExpired):
            process.wait(ON_END_GRACE_S)
            return
    process.kill()
