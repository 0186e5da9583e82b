"""Provenance that goes to Studio with a measurement, in its ``test_setup`` under one key.

It says where the data came from and what was changed on the way, and it lets a later job that has
lost its journal tell by hashes whether a record holds its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bulkload.core.prepare_result import Prepared

#: Key of ``test_setup``.
KEY: Final = "bulkload"

#: What distinguishes sources. A record whose rows came from two states of a source has none of it.
_HASHES: Final = ("sha256", "content_digest")

#: Decisions about the header change nothing of the data.
_OF_HEADER: Final = "header_"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSource:
    """The source that a record of Studio says it came from."""

    sha256: str
    #: Digest of the table as it was sent, None where the record does not say it.
    content_digest: str | None = None
    #: The test within the file, None where it holds one.
    member: str | None = None


def provenance_entry(
    prepared: Prepared, *, source: str | None, member: str | None
) -> dict[str, Any]:
    """Return what a measurement says of its source.

    ``source`` is the file's name without its folders; None where the measurement comes from a
    database, which has no file whose hash would mean anything.
    """
    provenance = prepared.provenance
    fields = {
        "source": source,
        "member": member,
        "sha256": None if source is None else prepared.source.sha256,
        "content_digest": prepared.content_digest,
        "reader": provenance.get("reader"),
        "version": provenance.get("reader_version"),
        "changes": _changes(prepared),
    }
    return {name: value for name, value in fields.items() if value}


def recorded_source(test_setup: object) -> RecordedSource | None:
    """Return the source that a record names; None where it names none, or not as we do."""
    entry = test_setup.get(KEY) if isinstance(test_setup, Mapping) else None
    sha256 = _text(entry, "sha256")
    if sha256 is None:
        return None
    return RecordedSource(
        sha256=sha256,
        content_digest=_text(entry, "content_digest"),
        member=_text(entry, "member"),
    )


def without_hashes(test_setup: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a ``test_setup`` that no longer says which source it holds; None where none does."""
    if recorded_source(test_setup) is None:
        return None
    entry = {name: value for name, value in test_setup[KEY].items() if name not in _HASHES}
    return {**test_setup, KEY: entry}


def _changes(prepared: Prepared) -> list[dict[str, Any]]:
    """Return each decision and transform by its code and evidence, with the rows it touched."""
    rows: dict[tuple[str, str], int] = {}
    for one in prepared.provenance.get("decisions", ()):
        if not one["code"].startswith(_OF_HEADER):
            settled = one["code"], one.get("evidence", "")
            rows[settled] = rows.get(settled, 0) + one.get("rows", 0)
    rows |= {(name, "on request"): 0 for name in prepared.changes}
    return [
        {"code": code}
        | ({"evidence": evidence} if evidence else {})
        | ({"rows": count} if count else {})
        for (code, evidence), count in rows.items()
    ]


def _text(entry: object, name: str) -> str | None:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    return value if isinstance(value, str) else None
