"""The address of Studio and the credentials for it. Secrets never reach a repr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from bulkload.errors import SettingsError

DEFAULT_URL: Final = "https://api.ionworks.com"
#: What stands for a secret wherever it would be read.
MASK: Final = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The API host and the credentials for it: exactly one of key and token is set."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    api_token: str | None = field(default=None, repr=False)
    organization_id: str | None = None
    #: Ask a self-hosted Studio not to rewrite storage URLs for use from outside.
    is_internal: bool = False

    def headers(self) -> dict[str, str]:
        """Return the headers that go to the API host, and to no other."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.api_token is not None:
            headers["Authorization"] = f"Bearer {self.api_token}"
        elif self.api_key is not None:
            headers["X-API-Key"] = self.api_key
        if self.organization_id is not None:
            headers["X-Organization-Id"] = self.organization_id
        if self.is_internal:
            headers["X-Ionworks-Internal-Client"] = "1"
        return headers

    def mask(self, text: str) -> str:
        """Return ``text`` with every secret of this access masked: servers echo what they get."""
        for secret in (self.api_key, self.api_token):
            if secret:
                text = text.replace(secret, MASK)
        return text


def resolve_access(
    *,
    api_key: str | None = None,
    api_token: str | None = None,
    base_url: str | None = None,
    organization_id: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Access:
    """Return the address of Studio and the credentials for it.

    A key or token given as an argument suppresses both of the environment; within one of the
    two, a token outranks a key.
    """
    env = os.environ if environ is None else environ
    if not (api_key or api_token):
        api_key, api_token = env.get("IONWORKS_API_KEY"), env.get("IONWORKS_API_TOKEN")
    if not (api_key or api_token):
        raise SettingsError(
            "no credentials: set IONWORKS_API_KEY (or IONWORKS_API_TOKEN) in the environment"
        )
    secret = (api_token or api_key or "").strip()
    if not secret.isascii() or not secret.isprintable():
        raise SettingsError("the API key or token contains characters that no key can have")
    return Access(
        base_url=_base_url(base_url or _environment_url(env)),
        api_key=None if api_token else secret,
        api_token=secret if api_token else None,
        organization_id=organization_id or env.get("IONWORKS_ORGANIZATION_ID") or None,
        is_internal=bool(env.get("IONWORKS_INTERNAL_CLIENT")),
    )


def _environment_url(env: Mapping[str, str]) -> str:
    """Return the address that the environment names, else the hosted service.

    A variable that is set and empty is a mistake, such as a secret that a scheduler lacks: the
    hosted service is not what was meant.
    """
    url = env.get("IONWORKS_API_URL", DEFAULT_URL)
    if not url.strip():
        raise SettingsError("IONWORKS_API_URL is empty: set it to the address, or unset it")
    return url


def _base_url(text: str) -> str:
    # "//path" is another route than "/path".
    url = text.strip().rstrip("/")
    parts = urlsplit(url)
    try:
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if parts.scheme not in {"http", "https"} or not is_whole:
        raise SettingsError(f"not the URL of a Studio API: {text!r} (https://host is expected)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("the URL of the Studio API must hold no credentials, query or fragment")
    return url
