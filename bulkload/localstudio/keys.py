"""The keys of a local Studio: made at the first start, kept beside the data, for the owner only."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: Holds the API key; the others lie beside it.
KEY_FILE: Final = "api_key"
TOKEN_FILE: Final = "api_token"  # noqa: S105 - the name of the file, not a token
READ_ONLY_KEY_FILE: Final = "read_only_key"


@dataclass(frozen=True, slots=True)
class Keys:
    """The key of the API."""

    api_key: str = field(repr=False)
    #: The same rights, sent as a bearer token.
    api_token: str = field(repr=False)
    #: May read; whatever would change something is refused with 403.
    read_only_key: str = field(repr=False)

    @classmethod
    def load(cls, data_dir: Path) -> Keys:
        """Read the keys of a data folder, made first where there are none."""
        return cls(
            api_key=_read_or_make(data_dir / KEY_FILE),
            api_token=_read_or_make(data_dir / TOKEN_FILE),
            read_only_key=_read_or_make(data_dir / READ_ONLY_KEY_FILE),
        )

    def may_write(self, key: str | None, authorization: str | None) -> bool | None:
        """Return what a credential may do: write, only read, or (None) nothing at all."""
        given = (authorization or "").removeprefix("Bearer ") or key or ""
        known = self.api_token if authorization else self.api_key
        if hmac.compare_digest(given.encode(), known.encode()):
            return True
        if hmac.compare_digest(given.encode(), self.read_only_key.encode()):
            return False
        return None


def _read_or_make(path: Path) -> str:
    try:
        # Mode 0600 from the first moment. Windows keeps the rights of the folder.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("utf-8").strip()
    key = f"local-{secrets.token_urlsafe(24)}"
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(key + "\n")
    return key
