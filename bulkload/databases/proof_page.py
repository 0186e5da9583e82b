"""The page for the person who signs: what was moved, by which mapping, and what proves it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from bulkload.core.version import VERSION
from bulkload.databases.configuration import ColumnMap
from bulkload.databases.planned import SourceFacts
from bulkload.databases.proof import CSV_NAME, SourceProof, Status, factor_text

PAGE_NAME: Final = "migration.html"
#: Measurements that the page lists one by one: those that are not proved; migration.csv has all.
MAX_LISTED: Final = 200

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em;
overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5em 0 1.5em; } th, td { text-align: left;
padding: .25em .9em .25em 0; border-bottom: 1px solid #ccc; vertical-align: top; }
td.n { text-align: right; } pre { background: #f4f4f4; padding: .8em; white-space: pre-wrap; }
.yes { color: #05630f; } .no { color: #a40000; }
.sign { width: 100%; } .sign td { padding-top: 2.5em; }
@media print { body { margin: 0; } pre, tr { break-inside: avoid; } }
"""

_BY_HAND: Final = (
    "To check a measurement by hand, run this in the old database and compare the figures with its "
    f"row in {CSV_NAME} (columns *_isum_source and *_isum_read):"
)

_MEANING: Final = {
    Status.PROVED: "sums of the database, of what was read and of today agree; Studio holds the "
    "same content",
    Status.DIFFERENT: "the database and what was read, or what was sent and Studio, differ",
    Status.CHANGED_DURING_READ: "the database was changed after its snapshot was read",
    Status.NOT_PROVED: "it did not arrive, or something was not compared",
    Status.LEFT_OUT: "left out by a rule of the configuration, which says why",
}


def page(proofs: Sequence[SourceProof], *, job: str, target: str, checked_at: datetime) -> str:
    """Return the page as HTML; every text from outside is escaped."""
    is_proved = all(proof.is_proved for proof in proofs)
    verdict = (
        '<p class="yes">Every measurement is proved, or left out by a stated rule.</p>'
        if is_proved
        else '<p class="no">Not everything is proved. The old database must stay.</p>'
    )
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Migration {escape(job)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Migration {escape(job)}</h1>",
        verdict,
        _table(
            (
                ("Studio", target),
                ("checked at", checked_at.isoformat(timespec="seconds")),
                ("bulkload", VERSION),
                ("every measurement", f"{CSV_NAME} beside this page"),
            )
        ),
        *(_source(proof) for proof in proofs),
        _signatures(),
        "</body></html>",
    ]
    return "\n".join(parts)


def _source(proof: SourceProof) -> str:
    facts = proof.facts
    return "\n".join(
        (
            f"<h2>{escape(facts.url)}</h2>",
            _table(
                (
                    ("database", facts.version),
                    ("snapshot", _snapshot(facts)),
                    ("profile", facts.profile or "none"),
                    ("configuration (SHA-256)", facts.configuration_sha256),
                    ("order of the rows", ", ".join(facts.order)),
                )
            ),
            "<h3>Result</h3>",
            _statuses(proof),
            "<h3>Rows of the database</h3>",
            _totals(proof),
            "<h3>Exceptions</h3>",
            _list([*proof.open_questions, *proof.exceptions]),
            *_not_proved(proof),
            "<h3>What each column means</h3>",
            _mapping(proof),
            "<h3>Queries</h3>",
            *(
                f"<p>{escape(name)}</p><pre>{escape(query)}</pre>"
                for name, query in facts.queries.items()
            ),
            f"<p>{_BY_HAND}</p>",
            f"<pre>{escape(proof.by_hand or 'the database could not be asked')}</pre>",
        )
    )


def _snapshot(facts: SourceFacts) -> str:
    at = facts.snapshot_time
    return f"{facts.snapshot_id}, taken at {at}" if at else facts.snapshot_id


def _statuses(proof: SourceProof) -> str:
    rows = [
        f"<tr><td>{status.value}</td><td class='n'>{proof.counts[status]:,}</td>"
        f"<td>{escape(_MEANING[status])}</td></tr>"
        for status in Status
        if proof.counts[status] or status is Status.PROVED
    ]
    return f"<table>{''.join(rows)}</table>"


def _totals(proof: SourceProof) -> str:
    facts = proof.facts
    total = sum(facts.tables.values())
    left_out = sum(one["rows"] for one in facts.left_out)
    samples = facts.rows_planned + left_out + facts.unaccounted
    rows: list[tuple[str, Any]] = [
        *((f"table {name}", f"{count:,}") for name, count in facts.tables.items()),
        ("all tables", f"{total:,}"),
        *(
            [("samples, by samples.total", f"{samples:,}")]
            if "samples.total" in facts.queries
            else []
        ),
        ("in measurements of the plan", f"{facts.rows_planned:,}"),
        ("left out by a rule", f"{left_out:,}"),
        ("of no measurement", f"{facts.unaccounted:,} {facts.unclaimed}".strip()),
    ]
    return _table(rows)


def _not_proved(proof: SourceProof) -> Iterable[str]:
    settled = {Status.PROVED.value, Status.LEFT_OUT.value}
    open_rows = [row for row in proof.rows if row["status"] not in settled]
    if open_rows:
        listed = [
            (f"{row['cell']} / {row['measurement']}", f"{row['status']}: {row['detail']}")
            for row in open_rows[:MAX_LISTED]
        ]
        yield f"<h3>Not proved ({len(open_rows):,})</h3>"
        yield _table(listed)


def _mapping(proof: SourceProof) -> str:
    rows = []
    for name, kept in proof.facts.mapping.items():
        stated = ColumnMap.model_validate(kept)
        origin = stated.column if stated.code is None else f"code {stated.code}"
        factor = factor_text(name, stated)
        meaning = [
            f"unit {stated.unit}, times {factor}" if stated.unit else "",
            f"positive is {stated.positive}" if stated.positive else "",
            f"zone {stated.zone}" if stated.zone else "",
            f"ticks of {stated.ticks}" if stated.ticks else "",
            f"runs on through the {stated.runs_on_through}" if stated.runs_on_through else "",
            f"codes {dict(stated.codes)}" if stated.codes else "",
            "" if stated.proof else "not part of the proof",
        ]
        rows.append((f"{origin} → {name}", "; ".join(filter(None, meaning)) or "as it is"))
    return _table(rows)


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows
    )
    return f"<table>{cells}</table>"


def _list(items: Sequence[str]) -> str:
    if not items:
        return "<p>none</p>"
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>"


def _signatures() -> str:
    rows = "".join(
        f"<tr><td>{who}:</td><td>name:</td><td>date:</td></tr>"
        for who in ("migrated by", "checked by")
    )
    return f"<h2>Signed</h2><table class='sign'>{rows}</table>"
