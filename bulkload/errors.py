"""Every exception of bulkload, in one tree.

::

    BulkloadError
    ├── TerminalError                trying again cannot help
    │   ├── SettingsError            the command line, environment or a settings file (exit 2)
    │   ├── PlanError                the source or its plan is in the way (exit 2)
    │   │   └── JobFileError         a bulkload.toml has errors; a line for each
    │   ├── MissingExtraError        an optional package is not installed
    │   ├── UnreadableError          a source file cannot be read as what it claims to be
    │   ├── DiskError                what the run keeps for itself cannot be written (exit 5)
    │   └── JournalError             the journal is damaged, foreign, or in use
    │       └── JournalBusyError     another run holds this job folder
    ├── TransientError               the same act may succeed later
    └── IonworksError                what Studio or its storage answered, or failed to
        ├── MeasurementValidationError   (Terminal) the data breaks a rule; nothing was sent
        ├── MeasurementProcessingError   (Terminal) the server could not process what it stored
        ├── ClientError                 (Terminal) a final answer: 4xx
        │   ├── AuthenticationError         401, or a 403 that concerns the key
        │   ├── PermissionDeniedError    a 403 that concerns this one thing
        │   ├── ConflictError            409, with what it conflicts with
        │   └── ExpiredUrlError          the signed URL is no longer valid; ask for a new one
        ├── IntegrityError               (Terminal) what was stored is not what was sent
        ├── ConnectionSetupError         (Terminal) proxy, certificate or address is wrong (exit 2)
        ├── OutageError                  (Terminal) unreachable for longer than the run may wait
        ├── UnavailableError             (Transient) 408, 413 or 429 with Retry-After, 5xx
        ├── UnreachableError             (Transient) nothing was sent: refused, DNS, TLS
        └── AnswerLostError              (Transient) sent, no usable answer: the act may be done

The code that raises knows whether trying again can help, and states it by the type; the code that
catches asks ``isinstance(error, TransientError)`` and nothing else. All of them survive pickling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkload.core.issues import IssueCode, ValidationIssue


def _rebuild(
    kind: type[BulkloadError], args: tuple[object, ...], state: dict[str, Any]
) -> BulkloadError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class BulkloadError(Exception):
    """The root. ``cause`` is the stable word under which the report groups a failure."""

    cause: str = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class TerminalError(BulkloadError):
    """Trying again cannot help: a person has to change something first."""


class TransientError(BulkloadError):
    """The same act may succeed later."""


class SettingsError(TerminalError):
    """The command line, the environment or a settings file is wrong."""

    cause = "settings"


class PlanError(TerminalError):
    """The source, or the plan made of it, cannot be carried out as it stands."""

    cause = "plan"


class JobFileError(PlanError):
    """A ``bulkload.toml`` has errors: the message has a printable line for each."""

    cause = "job_file"


class MissingExtraError(TerminalError):
    """An optional package is needed; the message names the install command."""

    cause = "missing_extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package: pip install 'bulkload[{extra}]'")
        self.extra = extra


class UnreadableError(TerminalError):
    """A source cannot be read as what it claims to be.

    ``cause`` is a stable word (``empty_file``, ``not_text``, ``truncated``, ...); the message
    names the file, what was found and the way out.
    """

    def __init__(self, message: str, *, cause: str = "unreadable") -> None:
        super().__init__(message)
        self.cause = cause


class DiskError(TerminalError):
    """The run cannot write what it keeps for itself: the disk is full, or cannot be written."""

    cause = "disk"


class JournalError(TerminalError):
    """The journal is damaged, of another version, or not a journal of bulkload."""

    cause = "journal"


class JournalBusyError(JournalError):
    """Another run holds this job folder."""


class IonworksError(BulkloadError):
    """What Studio or its storage answered (or failed to answer).

    Attributes
    ----------
    message
        The server's words, or ours where it gave none.
    status_code
        HTTP status, None where no answer came.
    error_code
        The server's machine-readable word, such as ``CONFLICT``.
    data
        The body as it was parsed, None where it was not a JSON object.
    correlation_id
        The ``x-correlation-id`` of the answer: quote it to support.
    """

    cause = "server"
    #: What to change where something between here and the server is at fault: a proxy, a
    #: certificate, an address. Time does not cure that. None for every other failure.
    remedy: str | None = None

    def __init__(
        self,
        message: str | Mapping[str, Any],
        status_code: int | None = None,
        *,
        error_code: str | None = None,
        data: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        if isinstance(message, Mapping):
            data = message if data is None else data
            error_code = error_code or _text_or_none(message.get("error_code"))
            message = str(message.get("message") or message.get("detail") or dict(message))
        super().__init__(message)
        self.message: str = message
        self.status_code = status_code
        self.error_code = error_code
        self.data: dict[str, Any] | None = None if data is None else dict(data)
        self.correlation_id = correlation_id

    def __str__(self) -> str:
        status = "" if self.status_code is None else f"HTTP {self.status_code}: "
        reference = (
            "" if self.correlation_id is None else f" (correlation id {self.correlation_id})"
        )
        return f"{status}{self.message}{reference}"


class MeasurementValidationError(IonworksError, TerminalError):
    """The data breaks at least one rule; nothing was sent."""

    cause = "invalid"

    def __init__(self, message: str, errors: Sequence[ValidationIssue] = ()) -> None:
        super().__init__(message)
        self.errors: list[ValidationIssue] = list(errors)

    def has_code(self, code: IssueCode) -> bool:
        """Return whether any of the errors has this code."""
        return any(error.code == code for error in self.errors)

    def __str__(self) -> str:
        return self.message


class MeasurementProcessingError(IonworksError, TerminalError):
    """The server stored a measurement and then could not process it.

    ``failures`` maps the id of each failed measurement to the server's reason.
    """

    cause = "processing_failed"

    def __init__(self, message: str, failures: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.failures: dict[str, str] = dict(failures or {})

    @property
    def measurement_id(self) -> str | None:
        """The first failed id, None where no id is known."""
        return next(iter(self.failures), None)

    def __str__(self) -> str:
        if len(self.failures) == 1:
            return f"measurement {self.measurement_id}: {self.message}"
        return self.message


class ClientError(IonworksError, TerminalError):
    """A final answer: the request is wrong, or not allowed."""

    cause = "refused"


class AuthenticationError(ClientError):
    """The key or token is missing, wrong, expired, or may not do this."""

    cause = "credentials"


class PermissionDeniedError(ClientError):
    """The key is good, and may not do this one thing."""

    cause = "permission"


class ConflictError(ClientError):
    """409. ``existing_id`` is set where the server named a record of the same name."""

    cause = "conflict"
    existing_id: str | None = None


class ExpiredUrlError(ClientError):
    """Storage no longer accepts the signed URL: ask for a new one."""

    cause = "expired_url"


class IntegrityError(IonworksError, TerminalError):
    """What was stored, or read back, is not what was sent."""

    cause = "integrity"


class ConnectionSetupError(IonworksError, TerminalError):
    """Proxy, certificate or address is wrong: no request can succeed before it is changed."""

    cause = "connection_setup"


class OutageError(IonworksError, TerminalError):
    """The server was unreachable for longer than the run may wait: end it, and resume later."""

    cause = "outage"


class UnavailableError(IonworksError, TransientError):
    """The server answered that it cannot serve now. ``retry_after_s`` where it said when."""

    cause = "unavailable"
    retry_after_s: float | None = None


class UnreachableError(IonworksError, TransientError):
    """The request never left: connection refused, name not found, TLS failure."""

    cause = "unreachable"


class AnswerLostError(IonworksError, TransientError):
    """The request went out and no usable answer came: the act may have been done."""

    cause = "answer_lost"


#: What ends a run, not one job: code that turns errors into outcomes lets these pass.
RUN_ENDING = (AuthenticationError, ConnectionSetupError, OutageError, JournalError, DiskError)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
