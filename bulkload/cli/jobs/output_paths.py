"""Paths that a command will write: tried before anything is sent, so that no result is lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bulkload.errors import SettingsError


def check_writable(paths: Mapping[str, Path | None]) -> None:
    """Try each path that an option names; ``SettingsError`` names the option and the reason.

    Side effects: none that stay. A file that is there is opened for appending and left as it is.
    """
    for option, path in paths.items():
        if path is not None:
            _try(option, path)


def _try(option: str, path: Path) -> None:
    try:
        is_new = not path.exists()
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"{option}: {path} cannot be written: {reason}; nothing was sent. Give another path, "
            "or make its folder"
        ) from error
