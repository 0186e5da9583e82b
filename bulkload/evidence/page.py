"""The page of a pack for the person who signs: plain words, and every text from outside escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from bulkload.core.outcome import OutcomeKind
from bulkload.core.pack import MANIFEST_NAME
from bulkload.core.tally import RowLedger
from bulkload.core.text import printable
from bulkload.evidence.limits import LISTED_EXCEPTIONS

PAGE_NAME: Final = "evidence.html"

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em;
overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5em 0 1.5em; } th, td { text-align: left;
padding: .25em .9em .25em 0; border-bottom: 1px solid #ccc; vertical-align: top; }
td.n { text-align: right; } .sign { width: 100%; } .sign td { padding-top: 2.5em; width: 50%; }
@media print { body { margin: 0; } tr { break-inside: avoid; } }
"""

_SIGNED: Final = (
    "<table class='sign'><tr><td>digest:</td><td></td></tr>"
    "<tr><td>name:</td><td>date:</td></tr></table>"
)

_CHECK: Final = (
    f"<p><code>{MANIFEST_NAME}</code> lists every file of this pack with its SHA-256. The digest, "
    "which <code>bulkload pack</code> printed, is the SHA-256 of that list: write it below, or "
    "keep it elsewhere. <code>bulkload verify PACK</code> checks the pack and compares it with "
    "Studio, and with <code>--sources FOLDER</code> with the original files.</p>"
)

_MEANING: Final = {
    OutcomeKind.CREATED: "were put into Studio by this job, and Studio finished processing them",
    OutcomeKind.EXISTING: "were in Studio under their name before this job came to them",
    OutcomeKind.REJECTED: "were not sent: the file is unreadable, or breaks a rule",
    OutcomeKind.FAILED: "did not arrive",
    OutcomeKind.SKIPPED: "were left out on purpose, by a rule that is named",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFacts:
    """What the page says."""

    job: str
    sources: Sequence[str]
    target: str
    ended: str
    planned: int
    counts: Mapping[OutcomeKind, int]
    causes: Mapping[str, int]
    accepted: Mapping[str, int]
    #: Every acceptance on record, as rows of accepted.csv.
    acceptances: Sequence[Mapping[str, Any]]
    ledger: RowLedger
    #: Statement and date of each proof, oldest first.
    proofs: Sequence[tuple[str, str]]
    changes: Mapping[str, int]
    treatments: Mapping[str, int]
    versions: Mapping[str, str]
    missing_parts: Sequence[str]


def page(facts: PackFacts) -> str:
    """Return the page as HTML."""
    done = sum(facts.counts.values())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Evidence: {_text(facts.job)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>What became of {_text(', '.join(facts.sources) or facts.job)}</h1>",
        _found(facts),
        *_warnings(facts, done),
        "<h2>Every entry is in exactly one class</h2>",
        _table(
            (f"{facts.counts[kind]:,}", f"{kind.value}: {meaning}")
            for kind, meaning in _MEANING.items()
            if facts.counts.get(kind)
        ),
        f"<p>{_rows(facts.ledger)}</p>",
        "<h2>Was it compared with Studio?</h2>",
        *_proofs(facts.proofs),
        "<h2>What did not arrive, and who knows</h2>",
        *_exceptions(facts),
        "<h2>What was changed in the data</h2>",
        *_changed(facts),
        "<h2>How to check this</h2>",
        _CHECK,
        "<h2>Made with</h2>",
        _table(facts.versions.items()),
        "<h2>Signed</h2>",
        _SIGNED,
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _found(facts: PackFacts) -> str:
    return (
        f"<p>{facts.planned:,} entries were found there, and were meant to go into Studio "
        f"({_text(facts.target)}). The last run ended on {_text(facts.ended)} UTC.</p>"
    )


def _warnings(facts: PackFacts, done: int) -> Iterable[str]:
    if done != facts.planned:
        yield f"<p><strong>{facts.planned - done:,} entries are not done.</strong></p>"
    if not facts.ledger.adds_up:
        yield "<p><strong>The rows do not add up.</strong></p>"
    for part in facts.missing_parts:
        yield f"<p><strong>The part {_text(part)} of this job is not in this pack.</strong></p>"


def _rows(ledger: RowLedger) -> str:
    ended = " + ".join(f"{count:,} {kind.value}" for kind, count in ledger.ended.items() if count)
    left_out = f" + {ledger.left_out:,} that hold no samples" if ledger.left_out else ""
    return f"Of the {ledger.read:,} rows that were read: {ended or 'none'}{left_out}."


def _proofs(proofs: Sequence[tuple[str, str]]) -> Iterable[str]:
    if not proofs:
        yield (
            "<p><strong>No.</strong> Nothing was read back from Studio. What is said above rests "
            "on what Studio answered when it was sent.</p>"
        )
        return
    yield "<p>Measurements were read back from Studio, and compared value by value:</p>"
    yield _table((f"{date}", statement) for statement, date in proofs)


def _exceptions(facts: PackFacts) -> Iterable[str]:
    if not facts.causes:
        yield "<p>Everything arrived.</p>"
        return
    yield _table(
        (f"{count:,}", f"{cause} ({facts.accepted.get(cause, 0):,} known and accepted)")
        for cause, count in facts.causes.items()
    )
    held = [one for one in facts.acceptances if one["holds"] == "yes"]
    if held:
        yield "<p>Known and accepted:</p>"
        yield _table(
            (
                f"{one['accepted_at']}, {one['accepted_by']}",
                f"{one['path']}: {one['cause']}. {one['reason']}",
            )
            for one in held[:LISTED_EXCEPTIONS]
        )
    if len(held) > LISTED_EXCEPTIONS:
        yield f"<p>and {len(held) - LISTED_EXCEPTIONS:,} more, in accepted.csv</p>"
    yield "<p>Each file with its cause and message is in account.csv.</p>"


def _changed(facts: PackFacts) -> Iterable[str]:
    rows = [(f"{count:,}", f"changed by {name}") for name, count in facts.changes.items()]
    rows += [(f"{n:,}", f"sent with {options}") for options, n in facts.treatments.items()]
    if not rows:
        yield "<p>Nothing was changed on request.</p>"
    else:
        yield _table(rows)
    yield (
        "<p>What readers decided by evidence (sign of the current, units, dates) is in the "
        "column <code>changes</code> of account.csv, for each file.</p>"
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{_text(a)}</th><td>{_text(b)}</td></tr>" for a, b in rows)
    return f"<table>{cells}</table>"


def _text(text: str) -> str:
    return escape(printable(text))
