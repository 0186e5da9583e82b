"""Error answers, and the body forms in which they may come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bulkload.localstudio.studio_settings import ConflictForm, ErrorForm

#: Words that the contract documents; the others are ours.
ERROR_CODES: Final[Mapping[int, str]] = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    422: "UNPROCESSABLE_ENTITY",
    429: "RATE_LIMITED",
    500: "INTERNAL_SERVER_ERROR",
    502: "BAD_GATEWAY",
    503: "SERVICE_UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}

#: Top-level keys that a 409 had before ``existing_id``.
LEGACY_KEYS: Final[Mapping[str, str]] = {
    "cell_specification": "existing_cell_specification_id",
    "cell_instance": "existing_cell_instance_id",
    "cell_measurement": "existing_cell_measurement_id",
}


class ErrorAnswer(Exception):  # noqa: N818 - an answer of the server, not a defect
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str, detail: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail

    def body(self, form: ErrorForm, _conflict: ConflictForm) -> Any:
        """Return the JSON body in the form that the settings ask for."""
        if form == "plain":
            return {"detail": self.message}
        standard = {
            "error_code": ERROR_CODES.get(self.status, "ERROR"),
            "message": self.message,
            "detail": self.detail,
        }
        return {"detail": standard} if form == "nested" else standard


class InvalidBodyError(ErrorAnswer):
    """422 with a list of findings, as the framework behind the API words it."""

    def __init__(self, field: str, message: str, given: Any = None) -> None:
        super().__init__(422, f"{field}: {message}")
        self.findings = [
            {
                "loc": ["body", *field.split(".")],
                "msg": message,
                "type": "value_error",
                "input": given,
            }
        ]

    def body(self, _form: ErrorForm, _conflict: ConflictForm) -> Any:
        """Return the list form: validation has only this one."""
        return {"detail": self.findings}


class NotAuthenticatedError(ErrorAnswer):
    """401, whose body is plain text under ``detail`` whatever the settings say."""

    def __init__(self) -> None:
        super().__init__(401, "Not authenticated")

    def body(self, _form: ErrorForm, _conflict: ConflictForm) -> Any:
        """Return the plain form."""
        return {"detail": self.message}


class DuplicateNameError(ErrorAnswer):
    """409 because the name is in use."""

    def __init__(self, kind: str, name: str, existing_id: str) -> None:
        label = kind.replace("_", " ").capitalize()
        super().__init__(409, f"{label} with this name already exists")
        self.kind = kind
        self.name = name
        self.existing_id = existing_id

    def body(self, _form: ErrorForm, conflict: ConflictForm) -> Any:
        """Return the 409 in one of the forms that clients may meet."""
        if conflict == "plain":
            return {"detail": self.message}
        if conflict == "legacy_keys":
            key = LEGACY_KEYS.get(self.kind, f"existing_{self.kind}_id")
            return {"error_code": "CONFLICT", "message": self.message, key: self.existing_id}
        detail = {"resource_type": self.kind, "resource_name": self.name}
        if conflict != "without_existing_id":
            detail["existing_id"] = self.existing_id
        standard = {"error_code": "CONFLICT", "message": self.message, "detail": detail}
        return {"detail": standard} if conflict == "nested" else standard


def not_found(kind: str, record_id: str) -> ErrorAnswer:
    """Return the 404 for an id that is unknown or not visible."""
    return ErrorAnswer(404, f"no {kind.replace('_', ' ')} with id {record_id}")
