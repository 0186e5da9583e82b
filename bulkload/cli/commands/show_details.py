"""The details of one measurement in the terminal: sections, each with its facts.

Whatever comes from a file or a server is escaped: it can neither move the cursor nor end a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from bulkload.cli.output.console import counted, say
from bulkload.cli.output.json_lines import ShownItem, ShownSection
from bulkload.core.decisions import phrase
from bulkload.core.issues import ValidationIssue
from bulkload.core.lifecycle import SourcePrepared, SourceRejected
from bulkload.core.provenance import recorded_source
from bulkload.core.text import printable


@dataclass(frozen=True, slots=True)
class Details:
    """Prints sections, and keeps them for who wants them as JSON."""

    console: Console
    #: What the sections are about, empty for a file with one test.
    name: str = ""
    sections: list[ShownSection] = field(default_factory=list)

    def title(self) -> None:
        """Print what the following sections are about."""
        say(self.console, printable(self.name), style="bold")

    def item(self) -> ShownItem:
        """Return what was shown as JSON has it."""
        return ShownItem(title=self.name, sections=tuple(self.sections))

    def section(self, name: str, lines: Iterable[str]) -> None:
        """Print a section; nothing where it has no lines."""
        kept = tuple(lines)
        if kept:
            self.sections.append(ShownSection(name=name, lines=kept))
        for index, line in enumerate(kept):
            if index == 0:
                say(self.console, f"{name}:", style="bold")
            say(self.console, printable(f"  {line}"))


def source_of(details: Details, source: SourcePrepared | SourceRejected) -> None:
    """Print what was read: the source, its columns, the decisions and the transforms."""
    provenance: Mapping[str, Any] = json.loads(source.provenance or "{}")
    details.section("source", _source(source, provenance))
    if isinstance(source, SourcePrepared):
        details.section("columns", _columns(source.columns, provenance))
    else:
        columns = [str(one["to"]) for one in provenance.get("columns", ())]
        details.section("columns", _columns(columns, provenance))
    decisions = provenance.get("decisions", ())
    details.section("decided or changed", map(_decision, decisions))
    details.section("changed on request", _transforms(provenance))


def _source(source: SourcePrepared | SourceRejected, provenance: Mapping[str, Any]) -> list[str]:
    reader = provenance.get("reader")
    dialect = provenance.get("dialect")
    lines = [f"{source.source_bytes:,} bytes, SHA-256 {source.source_sha256}"]
    if reader:
        version = provenance.get("reader_version", "unknown")
        kind = "" if dialect is None else f" ({dialect})"
        lines.append(f"read by {reader} {version}{kind}")
    left_out = f", {source.rows_left_out:,} left out" if source.rows_left_out else ""
    if source.rows is not None:
        lines.append(f"{counted(source.rows, 'row')}{left_out}")
    return lines


def _columns(result: Sequence[str], provenance: Mapping[str, Any]) -> list[str]:
    """Return each column of the result with the one of the file that it comes from."""
    origins: dict[str, list[str]] = {}
    for one in provenance.get("columns", ()):
        factor = f" x {one['factor']:g}" if "factor" in one else ""
        offset = f" {one['offset']:+g}" if "offset" in one else ""
        origins.setdefault(one["to"], []).append(f"{one['name']}{factor}{offset}")
    lines = []
    for name in result:
        origin = " and ".join(origins.get(name, ()))
        lines.append(f"{name}  from {origin}" if origin else name)
    return lines


def _decision(decision: Mapping[str, Any]) -> str:
    settled = ", ".join(
        [
            *([decision["evidence"]] if decision.get("evidence") else []),
            *([counted(decision["rows"], "row")] if decision.get("rows") else []),
        ]
    )
    line = f"{phrase(decision['code'])}{f' ({settled})' if settled else ''}: {decision['detail']}"
    missing = [name for name in decision.get("columns", ()) if name not in decision["detail"]]
    return line + (f": {', '.join(missing)}" if missing else "")


def _transforms(provenance: Mapping[str, Any]) -> list[str]:
    lines = []
    for one in provenance.get("transforms", ()):
        figures = ", ".join(f"{name} {value}" for name, value in one["details"].items())
        lines.append(f"{one['name']}: {figures or 'nothing to change'}")
    return lines


def findings_of(details: Details, issues: Sequence[ValidationIssue]) -> None:
    """Print what the checks found, each with the rows and figures that it has."""
    details.section("findings", map(_finding, issues))


def _finding(issue: ValidationIssue) -> str:
    figures = ", ".join(f"{name} {value}" for name, value in issue.payload.items())
    return f"{issue.severity} {issue.code}: {issue.message}{f' [{figures}]' if figures else ''}"


def header_of(details: Details, header: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    """Print the fields of a file's header, those that are sent and those that are not."""
    flat, flat_sent = _flat(header), _flat(sent)
    details.section("header fields sent", (f"{n}: {value}" for n, value in flat_sent.items()))
    details.section(
        "header fields not sent (--header-fields sends them)",
        (f"{name}: {value}" for name, value in flat.items() if name not in flat_sent),
    )


def _flat(header: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in header.items():
        if name == "test_setup" and isinstance(value, Mapping):
            found |= value
        else:
            found[name] = value
    return found


def record_of(details: Details, record: Mapping[str, Any], source_sha256: str | None) -> None:
    """Print what Studio holds of a measurement, and whether it names the source of the journal."""
    wanted = (
        "id", "measurement_type", "processing_status", "processing_error", "start_time", "end_time",
        "updated_at", "notes", "protocol", "tags", "test_setup",
    )  # fmt: skip
    details.section("Studio", (f"{name}: {record[name]}" for name in wanted if record.get(name)))
    source = recorded_source(record.get("test_setup"))
    if source is None or source_sha256 is None:
        verdict = "does not name the source that it came from"
    elif source.sha256 == source_sha256:
        verdict = "names the same source as the journal"
    else:
        verdict = f"names another source than the journal: SHA-256 {source.sha256}"
    details.section("Studio's record", [verdict])
