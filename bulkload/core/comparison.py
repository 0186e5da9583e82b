"""What a comparison of a source with Studio says of each measurement, and what it proves.

Nothing that was not compared is called equal: by the hash of the source in Studio's provenance, or
by reading the measurement back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bulkload.core.existing import SHOWN_DIGITS, FoundRecord
from bulkload.core.prepare_result import Prepared
from bulkload.core.terms import JobKey, MeasurementType


class ComparisonMark(StrEnum):
    """What is true of a measurement, as one character."""

    EQUAL = "="
    DIFFERS = "*"
    #: In the source, and not in Studio.
    MISSING_THERE = "+"
    #: In Studio, and not in the source.
    MISSING_HERE = "-"
    #: Could not be compared: nothing is known of it.
    NOT_COMPARED = "!"


#: What each mark means, for the summary and the written table.
RESULTS: Mapping[ComparisonMark, str] = {
    ComparisonMark.EQUAL: "equal",
    ComparisonMark.DIFFERS: "differing",
    ComparisonMark.MISSING_THERE: "missing in Studio",
    ComparisonMark.MISSING_HERE: "missing in the source",
    ComparisonMark.NOT_COMPARED: "not compared",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One measurement, or one entry of the source, and what is true of it."""

    mark: ComparisonMark
    key: JobKey | None
    #: Its source; empty where it is in Studio alone.
    path: str = ""
    measurement_id: str = ""
    #: By what it was compared: ``hash`` or ``content``; empty where it was not.
    by: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        """The measurement's names, or the path where it has none."""
        return self.path if self.key is None else str(self.key)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of a measurement that Studio has under its name."""

    mark: ComparisonMark
    by: str = ""
    message: str = ""


def verdict_of_record(found: FoundRecord, kind: MeasurementType) -> Verdict | None:
    """Return what the record alone says, None where its content has to be compared."""
    if found.type is not kind:
        message = f"Studio has a {found.type.value} measurement of this name; this is {kind.value}"
        return Verdict(ComparisonMark.DIFFERS, message=message)
    if found.has_failed:
        reason = found.processing_error or "without a reason"
        return Verdict(ComparisonMark.DIFFERS, message=f"Studio could not process it: {reason}")
    if found.is_processing:
        return Verdict(
            ComparisonMark.NOT_COMPARED, message="Studio is processing it; compare again later"
        )
    return None


def is_same_source(found: FoundRecord, sha256: str, member: str | None) -> bool:
    """Return whether the record says that it came from these bytes."""
    source = found.source
    return source is not None and source.sha256 == sha256 and source.member == member


def verdict_of_digest(found: FoundRecord, prepared: Prepared) -> Verdict | None:
    """Return what the digest that the record names says; None where it names none."""
    source = found.source
    if source is None or source.content_digest is None:
        return None
    if source.content_digest == prepared.content_digest:
        is_other = source.sha256 != prepared.source.sha256
        message = "the same content, from a file of other bytes" if is_other else ""
        return Verdict(ComparisonMark.EQUAL, "hash", message)
    return Verdict(
        ComparisonMark.DIFFERS,
        "hash",
        f"it came from a file with SHA-256 {source.sha256[:SHOWN_DIGITS]}…, and this one has "
        f"{prepared.source.sha256[:SHOWN_DIGITS]}…",
    )


class ComparisonCounts(Counter[ComparisonMark]):
    """How many measurements each mark has."""

    @property
    def is_proved(self) -> bool:
        """Every measurement is equal, and there is at least one."""
        return self[ComparisonMark.EQUAL] > 0 and self[ComparisonMark.EQUAL] == self.total()

    @property
    def statement(self) -> str:
        """The counts, in a sentence."""
        named = ", ".join(
            f"{self[mark]:,} {RESULTS[mark]}" for mark in ComparisonMark if self[mark]
        )
        if not self[ComparisonMark.EQUAL] and not self[ComparisonMark.DIFFERS]:
            return f"nothing was compared{f': {named}' if named else ''}"
        return named
