"""The stores of remote trees: connections, what their errors mean, and trying again.

Credentials come from where each store's own programs take them (environment, ``~/.aws``,
``~/.ssh``, fsspec's settings) and never from a URL. What a library says in an error is not
passed on: it may quote a request.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from bulkload.archives.limits import (
    CONNECT_LIMIT_S,
    FIRST_RETRY_S,
    READ_ATTEMPTS,
    SILENCE_LIMIT_S,
)
from bulkload.core.text import printable
from bulkload.errors import MissingExtraError, PlanError, UnreadableError

T = TypeVar("T")

#: Schemes whose package is an extra of bulkload.
_EXTRAS: Final = {"s3": "cloud", "s3a": "cloud", "sftp": "sftp", "ssh": "sftp"}
#: Statuses of HTTP that time does not cure.
_FORBIDDEN: Final = frozenset({401, 403, 407})
_GONE: Final = frozenset({404, 410})
#: Errors of libraries by the name of their class: none of these libraries is imported for it.
_FORBIDDEN_NAMES: Final = frozenset(
    {
        *("PermissionDenied", "HostKeyNotVerifiable", "NoCredentialsError", "AuthenticationError"),
        *("PartialCredentialsError", "TokenRetrievalError", "SSOTokenLoadError", "ProfileNotFound"),
        *("DefaultCredentialsError", "ClientAuthenticationError", "SFTPPermissionDenied"),
    }
)
_GONE_NAMES: Final = frozenset({"SFTPNoSuchFile", "NoSuchKey", "NoSuchBucket"})
_HINTS: Final = {
    "HostKeyNotVerifiable": "the key of the host is not known: connect once with ssh, which asks",
    "NoCredentialsError": "no credentials were found in the environment",
}


class TransientStoreError(Exception):
    """Something that may succeed later; the message is for people."""


_file_systems: Final[dict[str, Any]] = {}
_lock: Final = RLock()


def secret_in(url: str) -> str | None:
    """Return what in a URL may be a secret, None where nothing may."""
    parts = urlsplit(url)
    if parts.password is not None:
        return "a password"
    if parts.query:
        return "a query, which may hold a signature or a key"
    if parts.username is not None and parts.scheme not in ("sftp", "ssh", "smb", "ftp"):
        return "a user or a key"
    return None


def refuse_secrets(url: str) -> None:
    """Raise ``PlanError`` for a URL that holds a secret; the message does not."""
    what = secret_in(url)
    if what is not None:
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        raise PlanError(
            f"{printable(shown)}: the URL holds {what}, which would stay in histories and "
            "journals; leave it out, and give it by the environment (see `bulkload help archives`)"
        )


def retried(act: Callable[[], T], url: str) -> T:
    """Do something with a store, again after transient failures, within the bound.

    Raises errors of ours only, with a message that quotes nothing of the store's.
    """
    wait_s = FIRST_RETRY_S
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            with _translated(url):
                return act()
        except TransientStoreError as error:
            if attempt == READ_ATTEMPTS:
                raise UnreadableError(
                    f"the store could not be read, {READ_ATTEMPTS} times: {error}; run again when "
                    "it can be reached",
                    cause="remote_unreachable",
                ) from None
        time.sleep(wait_s)
        wait_s *= 2
        _forget(url)
    raise AssertionError


def _forget(url: str) -> None:
    """Drop a connection that failed; the next attempt opens one."""
    with _lock:
        _file_systems.pop(_key(url), None)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn the errors of all stores' libraries into ours; none of their words is quoted."""
    try:
        yield
    except (UnreadableError, PlanError, MissingExtraError, TransientStoreError):
        raise
    # Each store has a library with errors of its own; none may end the run.
    except Exception as error:  # noqa: BLE001
        raise _ours(error, url) from None


def _ours(error: Exception, url: str) -> Exception:
    chain = list(_chain(error))
    names = {type(one).__name__ for one in chain}
    status = next((code for one in chain if (code := _status(one)) is not None), None)
    if "FileExpired" in names:
        return changed("its ETag is different")
    if isinstance(error, PermissionError) or status in _FORBIDDEN or names & _FORBIDDEN_NAMES:
        hint = next((text for name, text in _HINTS.items() if name in names), "")
        problem = hint or f"the store does not let it be read ({status or 'permission denied'})"
        return UnreadableError(
            f"{problem}; grant the credentials of the environment read access to {_authority(url)}",
            cause="remote_forbidden",
        )
    # Some libraries report every error as a missing file.
    is_alone = isinstance(error, FileNotFoundError) and len(chain) == 1
    if status in _GONE or names & _GONE_NAMES or is_alone:
        return UnreadableError(
            "it does not exist, or no longer does; restore it, or plan again", cause="vanished"
        )
    reason = f"HTTP {status}" if status else getattr(chain[-1], "strerror", None)
    return TransientStoreError(f"{type(chain[-1]).__name__}{f' ({reason})' if reason else ''}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(8):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status", None)
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", status)
    return status if isinstance(status, int) else None


def changed(how: str) -> UnreadableError:
    """Return the error of a file that is not what was listed."""
    return UnreadableError(
        f"the file changed since it was listed ({how}); wait until nothing writes to it, and run "
        "again",
        cause="source_changing",
    )


def _authority(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _key(url: str) -> str:
    return f"{_authority(url)} {urlsplit(url).username or ''}"


def path_in_store(url: str) -> str:
    """Return the path by which the store's library knows a URL."""
    with _translated(url):
        system = file_system(url)
        name: str = system._strip_protocol(url)  # noqa: SLF001 - fsspec's own name for it
    return posixpath.normpath(name) if "://" not in name and name else name


def file_system(url: str) -> Any:
    """Return the store's file system, one a host or bucket."""
    key = _key(url)
    with _lock:
        known = _file_systems.get(key)
        if known is None:
            known = _file_systems[key] = _opened(url)
        return known


def _opened(url: str) -> Any:
    scheme = urlsplit(url).scheme.lower()
    try:
        import fsspec

        if scheme in ("sftp", "ssh"):
            return _sftp(url)
        kwargs: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        return fsspec.core.url_to_fs(url, **kwargs)[0]
    except ImportError as error:
        if scheme in _EXTRAS:
            raise MissingExtraError(f"reading {scheme}:// URLs", _EXTRAS[scheme]) from error
        raise PlanError(
            f"{scheme}:// URLs are read by a package that is not installed: "
            f"{printable(str(error))[:200]}"
        ) from error
    except ValueError as error:
        raise PlanError(f"{scheme}:// is not a kind of store that can be read") from error


def _sftp(url: str) -> Any:
    from fsspec.config import conf
    from sshfs import SSHFileSystem

    parts = urlsplit(url)
    stated: dict[str, Any] = {**conf.get("ssh", {}), **conf.get("sftp", {})}
    if parts.port is not None:
        stated["port"] = parts.port
    if parts.username is not None:
        stated["username"] = parts.username
    # The library's own default knows every host: a stranger's data would be taken for the lab's.
    stated.setdefault("known_hosts", ())
    stated.setdefault("connect_timeout", CONNECT_LIMIT_S)
    stated.setdefault("keepalive_interval", SILENCE_LIMIT_S)
    for name in ("port", "connect_timeout", "keepalive_interval"):
        if name in stated:
            stated[name] = int(stated[name])
    if "client_keys" in stated and isinstance(stated["client_keys"], str):
        stated["client_keys"] = [stated["client_keys"]]
    return SSHFileSystem(parts.hostname or "", skip_instance_cache=True, **stated)
