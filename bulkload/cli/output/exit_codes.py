"""The exit code of an error: in one place, for the process and for what follows a run."""

from __future__ import annotations

import errno
from typing import Final

from bulkload.core.tally import ExitCode
from bulkload.errors import AuthenticationError, BulkloadError, OutageError, TransientError

#: Errors of a disk that takes nothing more: the same command goes on when there is room again.
DISK_ERRORS: Final = frozenset(
    {errno.ENOSPC, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
)


def code_of(error: Exception) -> ExitCode:
    """Return the exit code of a command that an error ended."""
    if isinstance(error, AuthenticationError):
        return ExitCode.AUTH_FAILED
    if isinstance(error, OutageError | TransientError):
        return ExitCode.STOPPED
    if isinstance(error, BulkloadError):
        return ExitCode.USAGE
    if isinstance(error, OSError):
        return ExitCode.STOPPED if error.errno in DISK_ERRORS else ExitCode.USAGE
    return ExitCode.DEFECT
