"""What commands print: notices, causes and counts.

File names and server messages are untrusted: control characters are escaped, and nothing is
interpreted as markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bulkload.core.bottleneck import ADVICE
from bulkload.core.decisions import CERTAIN, DecisionCode, phrase
from bulkload.core.outcome import Outcome, OutcomeKind
from bulkload.core.plan_check import CONSEQUENCES
from bulkload.core.plan_items import Problem, Scope
from bulkload.core.roots import Root, by_cause, retry_command
from bulkload.core.tally import NOT_AWAITED, SINCE, Newly, RowLedger, RunReport
from bulkload.core.text import printable

if TYPE_CHECKING:
    # Every command prints; few have a run to show.
    from bulkload.core.campaign import CampaignCode, CampaignFinding
    from bulkload.journal.report import Change, DecisionEvidence, Remark

#: Examples shown of each cause; the rest is in the summary and the journal.
EXAMPLES: Final = 3

#: Roots shown of each cause, the commonest ones: `bulkload account` has the findings of every file.
ROOTS: Final = 10

#: Names of columns or header fields shown of each decision; `bulkload show FILE` has them all.
NAMES: Final = 12

STYLES: Final = {
    OutcomeKind.CREATED: "green",
    OutcomeKind.EXISTING: "cyan",
    OutcomeKind.REJECTED: "yellow",
    OutcomeKind.FAILED: "red",
    OutcomeKind.SKIPPED: "dim",
}


#: How accounts name the entries that did not arrive and are known: they are counted twice.
ACCEPTED: Final = "of the rejected and failed are known and accepted"

_WEIGHT: Final = {Scope.PLAN: 2, Scope.METADATA: 1, Scope.ENTRY: 0}


def say(console: Console, text: str, style: str = "") -> None:
    """Print a line unchanged: without markup, and without a break on a narrow terminal."""
    console.print(Text(text, style=style), soft_wrap=True)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith('ch') else 's'}"


def show_problems(console: Console, problems: Iterable[Problem], total: int) -> None:
    """Print the problems of a plan by rule: what is the reason for others first."""
    by_rule: dict[str, list[Problem]] = {}
    for problem in problems:
        by_rule.setdefault(problem.rule, []).append(problem)
    shown = sum(len(group) for group in by_rule.values())
    for rule, group in sorted(by_rule.items(), key=_rank):
        say(console, f"{rule} ({len(group):,})", style="bold")
        # What is wrong with many entries in the same words is one line.
        places: dict[str, list[str]] = {}
        for problem in group:
            places.setdefault(problem.message, []).append(problem.where)
        for message, where in islice(places.items(), EXAMPLES):
            many = f" ({len(where):,} entries)" if len(where) > 1 else ""
            say(console, f"  {printable(_placed(where[0], message))}{many}")
        if more := sum(len(where) for where in islice(places.values(), EXAMPLES, None)):
            say(console, f"  and {more:,} more")
    if total > shown:
        say(console, f"and {total - shown:,} more")


def _placed(where: str, message: str) -> str:
    """Put the place before a message, but nothing of it that the message states itself."""
    if where in message:
        return message
    stated = where.rpartition(", ")[2]
    if stated != where and message.startswith(stated):
        return where.removesuffix(stated) + message
    return f"{where}: {message}"


def _rank(item: tuple[str, list[Problem]]) -> tuple[bool, int, int]:
    rule, group = item
    return rule in CONSEQUENCES, -_WEIGHT[group[0].scope], -len(group)


def show_report(
    console: Console, report: RunReport, examples: Iterable[Outcome], roots: Iterable[Root]
) -> None:
    """Print the summary of a run: what did not arrive by its causes, and the counts last."""
    show_causes(console, report.causes, examples, roots, Path(report.job))
    if waiting := report.causes.get(NOT_AWAITED):
        say(
            console,
            f"{waiting:,} uploads were confirmed but not waited for (--no-wait); run "
            "again without it to see how their processing ended",
        )
    if missing := report.planned - sum(report.counts.values()):
        say(console, f"NOT DONE: {missing:,} of {report.planned:,} entries have no outcome yet")
    if not report.ledger.adds_up:
        say(console, "NOT DONE: the rows do not add up; this is a bug in bulkload")
    say(console, f"job folder: {report.job}")
    since = ", ".join(f"{report.this_run.get(word, 0):,} {word}" for word in SINCE)
    say(console, f"sources since the last run: {since}")
    newly = ", ".join(
        f"{count:,} {word.replace('_', ' ')}"
        for word in Newly
        if (count := report.this_run.get(word, 0))
    )
    if newly:
        say(console, f"entries since the last run: {newly}")
    say(
        console,
        f"{report.bytes_read / 1e6:.1f} MB read, "
        f"{report.bytes_sent / 1e6:.1f} MB sent in {report.requests:,} requests "
        f"({report.retries:,} retries), {report.elapsed_s:.1f} s",
    )
    say(console, f"pace: {ADVICE[report.bottleneck]}")
    say(console, rows_equation(report.ledger))
    _show_counts(console, report)


def _show_counts(console: Console, report: RunReport) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for kind in OutcomeKind:
        if count := report.counts.get(kind, 0):
            table.add_row(Text(f"{count:,}", style=STYLES[kind]), kind.value)
    if accepted := sum(report.accepted.values()):
        table.add_row(Text(f"{accepted:,}", style="dim"), ACCEPTED)
    table.add_row(Text(f"{report.planned:,}", style="bold"), "planned")
    console.print(table)


def rows_equation(ledger: RowLedger) -> str:
    """Return the row ledger in one line."""
    classes = [
        f"{count:,} {kind.value}"
        for kind in OutcomeKind
        if (count := ledger.ended.get(kind, 0)) or kind is OutcomeKind.CREATED
    ]
    if ledger.left_out:
        classes.append(f"{ledger.left_out:,} left out by their reader")
    line = f"rows: {ledger.read:,} read = {' + '.join(classes)}"
    unknown = [f"{count:,} {kind.value}" for kind, count in ledger.unknown.items() if count]
    if unknown:
        line += f"; the rows of files that were not read are unknown ({', '.join(unknown)})"
    return line


def show_changes(console: Console, changes: Iterable[Change]) -> None:
    """Print what readers decided about the files and did to their data, a line each decision.

    An example follows for each evidence, unless nothing was guessed or the names say it all.
    """
    is_first = True
    for one in changes:
        if is_first:
            say(console, "decided or changed while reading:", style="bold")
            is_first = False
        say(console, printable(f"  {change_line(one)}"))
        for evidence in one.by_evidence:
            if evidence.columns and len(one.by_evidence) > 1:
                say(console, printable(f"    {evidence.evidence}: {_names(evidence)}"))
            if evidence.evidence not in CERTAIN and one.code != DecisionCode.COLUMNS_LEFT_OUT:
                say(console, printable(f"    {evidence.example}"))


def change_line(change: Change) -> str:
    """Return a decision in one line: ``current negated in 100 files (format), 3 (voltage fit)``."""
    counts = [f"{counted(change.by_evidence[0].files, 'file')}"]
    counts += [f"{one.files:,}" for one in change.by_evidence[1:]]
    evidence = [f" ({one.evidence})" if one.evidence else "" for one in change.by_evidence]
    line = f"{phrase(change.code)} in {', '.join(map(''.join, zip(counts, evidence, strict=True)))}"
    if rows := sum(one.rows for one in change.by_evidence):
        line += f", {counted(rows, 'row')}"
    if len(change.by_evidence) == 1 and change.by_evidence[0].columns:
        line += f": {_names(change.by_evidence[0])}"
    return line


def _names(evidence: DecisionEvidence) -> str:
    names = ", ".join(f"{name} ({files:,})" for name, files in evidence.columns)
    return names + (f" and {evidence.more_columns:,} more" if evidence.more_columns else "")


def show_remarks(
    console: Console,
    warnings: Iterable[Remark],
    changes: Mapping[str, int],
    treatments: Mapping[str, int],
) -> None:
    """Print what was noted about measurements that were uploaded, and what was asked for them."""
    for one in warnings:
        say(console, f"warned: {one.word} ({one.count:,})", style="yellow")
        for example in one.examples:
            say(console, f"  {printable(example)}")
    for name, count in changes.items():
        say(console, f"changed on request: {name} ({counted(count, 'measurement')})")
    show_treatments(console, treatments)


def show_treatments(console: Console, treatments: Mapping[str, int]) -> None:
    """Print what retries chose for single measurements."""
    for options, count in treatments.items():
        say(console, printable(f"chosen by a retry: {options} ({counted(count, 'measurement')})"))


def show_findings(console: Console, found: Iterable[tuple[str, CampaignFinding]]) -> None:
    """Print the findings over the files of each cell, by code."""
    counts: Counter[CampaignCode] = Counter()
    kept: dict[CampaignCode, list[str]] = {}
    for cell, finding in found:
        counts[finding.code] += 1
        if len(shown := kept.setdefault(finding.code, [])) < EXAMPLES:
            shown.append(f"{cell}: {finding.message}")
    for code, count in counts.most_common():
        say(console, f"noticed: {code} ({count:,})", style="yellow")
        for example in kept[code]:
            say(console, f"  {printable(example)}")


def show_causes(
    console: Console,
    causes: Mapping[str, int],
    examples: Iterable[Outcome],
    roots: Iterable[Root],
    job_dir: Path | None = None,
) -> None:
    """Print what did not arrive, grouped by cause and, where files were read, by root.

    With ``job_dir`` the command follows that would send the files of a root.
    """
    of_cause = by_cause(roots)
    grouped: dict[str, list[Outcome]] = {}
    for outcome in examples:
        grouped.setdefault(outcome.cause, []).append(outcome)
    for cause, group in grouped.items():
        count = causes.get(cause, len(group))
        style = STYLES[group[0].kind]
        say(console, f"{group[0].kind.value}: {cause} ({count:,})", style=style)
        if found := of_cause.get(cause):
            show_roots(console, found, job_dir)
            continue
        for outcome in group:
            say(console, f"  {printable(outcome.message)}")
        if count > len(group):
            say(console, f"  and {count - len(group):,} more")


def show_roots(console: Console, roots: Sequence[Root], job_dir: Path | None) -> None:
    """Print the roots of one cause, and the command that would send their files."""
    for root in roots[:ROOTS]:
        known = f" ({root.accepted:,} accepted)" if root.accepted else ""
        say(console, printable(f"  {counted(root.count, 'file')}{known}: {root.statement}"))
        if root.remedy and job_dir is not None:
            command = retry_command(str(job_dir), root, is_only=len(roots) == 1)
            say(console, printable(f"    {command}"))
        for example in root.examples:
            say(console, f"    {printable(example)}")
        if root.count > len(root.examples):
            say(console, f"    and {root.count - len(root.examples):,} more")
    if more := sum(root.count for root in roots[ROOTS:]):
        say(console, f"  and {counted(more, 'file')} with other findings")
