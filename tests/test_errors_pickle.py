"""Every exception survives the way between processes: type, words, and what it carries."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

import bulkload.errors
from bulkload.core.issues import IssueCode, Severity, ValidationIssue
from bulkload.errors import (
    BulkloadError,
    IonworksError,
    MeasurementProcessingError,
    MeasurementValidationError,
    MissingExtraError,
    TerminalError,
    TransientError,
    UnavailableError,
    UnreadableError,
)

CLASSES = [
    kind
    for _, kind in inspect.getmembers(bulkload.errors, inspect.isclass)
    if issubclass(kind, BulkloadError)
]
ISSUE = ValidationIssue(IssueCode.STEP_COUNT_MISSING, "no steps", Severity.ERROR, {"column": "x"})


def made(kind: type[BulkloadError]) -> BulkloadError:
    """Make an error of a kind with everything that it can carry."""
    error: BulkloadError
    if kind is MissingExtraError:
        error = MissingExtraError("Reading this", "cyclers")
    elif kind is UnreadableError:
        error = UnreadableError("words 🔋", cause="empty_file")
    elif kind is MeasurementValidationError:
        error = MeasurementValidationError("words 🔋", [ISSUE])
    elif kind is MeasurementProcessingError:
        error = MeasurementProcessingError("words 🔋", {"m1": "why", "m2": "because"})
    elif issubclass(kind, IonworksError):
        error = kind(
            "words 🔋",
            503,
            error_code="CONFLICT",
            data={"detail": {"existing_id": "m1"}},
            correlation_id="c-1",
        )
    else:
        error = kind("words 🔋")
    if isinstance(error, UnavailableError):
        error.retry_after_s = 2.5
    error.add_note("a note")
    return error


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_comes_out_as_it_went_in(kind: type[BulkloadError], protocol: int) -> None:
    error = made(kind)
    for back in (pickle.loads(pickle.dumps(error, protocol)), copy.deepcopy(error)):
        assert type(back) is kind
        assert str(back) == str(error)
        assert back.args == error.args
        assert state(back) == state(error)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_is_terminal_or_transient_and_never_both(kind: type[BulkloadError]) -> None:
    is_root = kind in {BulkloadError, IonworksError}
    assert issubclass(kind, TerminalError) + issubclass(kind, TransientError) == (not is_root)
    assert kind.__doc__
    assert kind.__name__ in (bulkload.errors.__doc__ or "") or is_root
    assert kind.cause.isidentifier()


def state(error: BulkloadError) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if not name.startswith("_pytest")}
