"""From facts to what the template of a report is filled with: sentences, lists, shares."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bulkload.core.campaign import CampaignFinding
from bulkload.core.decisions import CERTAIN, phrase
from bulkload.core.outcome import OutcomeKind
from bulkload.core.roots import retry_command
from bulkload.core.tally import NOT_AWAITED, NOT_REACHED
from bulkload.journal.overview import NOT_DONE, RunSummary
from bulkload.journal.report import Change, DecisionEvidence
from bulkload.report.charts import course_view
from bulkload.report.facts import ReportFacts, target_of
from bulkload.report.limits import EXAMPLES_SHOWN
from bulkload.report.machine import environment_facts
from bulkload.report.texts import duration, moment

#: Runs that are listed, the newest.
RUNS_SHOWN: Final = 20

#: What to do about each outcome, and the command for it.
_WAYS_OUT: Final = {
    "rejected": "Not sent. Each message says what is wrong and what to do; once the files are "
    "right, run:",
    "failed": "Not delivered, or not processed by Studio. To try again:",
    NOT_DONE: "The run ended before it came to these. To go on:",
    "skipped": "Left out of the plan by this rule: nothing to do, unless the rule is wrong.",
    "created": "Confirmed by Studio, whose processing was not waited for. To see how it ended:",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVerdict:
    """How a job stands, in one sentence."""

    kind: str
    mark: str
    text: str


def verdict(facts: ReportFacts) -> ReportVerdict:
    """Return how a job stands: never good where anything is open or missing."""
    open_entries = facts.planned - facts.counts.total()
    last = facts.runs[-1]
    if last.ended_at is None:
        text = "The last run is in progress, or was killed"
        text += f": {open_entries:,} of {facts.planned:,} entries have no outcome yet."
        return ReportVerdict(kind="", mark="…", text=text)
    if open_entries or facts.whole.missing:
        text = f"Not finished: {open_entries:,} of {facts.planned:,} entries have no outcome yet."
        return ReportVerdict(kind="is-bad", mark="!", text=text)
    if not facts.is_finished:
        text = "The sums do not add up. This is a bug in bulkload: please report it."
        return ReportVerdict(kind="is-bad", mark="!", text=text)
    if facts.lost:
        arrived = facts.planned - facts.lost - facts.counts[OutcomeKind.SKIPPED]
        known = facts.accepted.total()
        accepted = f", of which {known:,} are known and accepted" if known else ""
        text = f"Finished: {arrived:,} arrived, {facts.lost:,} did not{accepted}; "
        text += "their causes are below."
        return ReportVerdict(kind="is-partial", mark="▲", text=text)
    if NOT_AWAITED in facts.causes:
        text = "Everything was confirmed, and Studio's processing was not waited for."
        return ReportVerdict(kind="is-partial", mark="▲", text=text)
    return ReportVerdict(kind="is-good", mark="✓", text="Finished: everything arrived.")


def report_values(facts: ReportFacts) -> dict[str, Any]:
    """Return what the report's template needs, but for lists that may go on beside it."""
    open_entries = facts.planned - facts.counts.total()
    last = facts.runs[-1]
    terms = [(kind.value, facts.counts[kind]) for kind in OutcomeKind]
    rows = [(kind.value, facts.ledger.ended.get(kind, 0)) for kind in OutcomeKind]
    shown = [(name, number) for name, number in rows if number or name == "created"]
    unknown = [
        f"{number:,} {kind.value}" for kind, number in facts.ledger.unknown.items() if number
    ]
    return {
        "job": str(facts.job_dir),
        "name": facts.job_dir.resolve().name,
        "target": target_of(last.settings) or "an unknown target",
        "span": _span(facts.runs),
        "verdict": verdict(facts),
        "absent_parts": len(facts.whole.missing),
        "planned": facts.planned,
        "entry_terms": [*terms, *([(NOT_DONE, open_entries)] if open_entries else [])],
        "entries_add_up": sum(number for _, number in terms) + open_entries == facts.planned,
        "ledger": facts.ledger,
        "row_terms": [*shown, ("left out by readers", facts.ledger.left_out)],
        "unknown_rows": ", ".join(unknown),
        "cell_count": len(facts.cells),
        "findings": _findings(facts.findings),
        "courses": [course_view(course, place) for place, course in enumerate(facts.courses)],
        "transforms": facts.transforms.most_common(),
        "treatments": facts.treatments.most_common(),
        "accepted": facts.accepted,
        "roots": {
            cause: [
                (root, retry_command(str(facts.job_dir), root, is_only=len(found) == 1))
                for root in found
            ]
            for cause, found in facts.roots.items()
        },
        "decisions": list(_decisions(facts.decisions)),
        "warnings": facts.warnings,
        "runs": [_run(run) for run in reversed(facts.runs[-RUNS_SHOWN:])],
        "runs_left_out": max(0, len(facts.runs) - RUNS_SHOWN),
        "facts": [*_settings(last.settings), *_readers(facts), *environment_facts()],
    }


def way_out(facts: ReportFacts, cause: str) -> tuple[str, str, str]:
    """Return the outcome of a cause's entries, what to do about them, and the command for it."""
    if cause == NOT_AWAITED:
        kind = "created"
    elif cause == NOT_REACHED:
        kind = NOT_DONE
    else:
        kind = facts.kinds.get(cause) or _kind_of_rule(facts, cause)
    command = ""
    if kind in {NOT_DONE, "created"}:
        command = facts.runs[-1].command
    elif kind != "skipped":
        command = shlex.join(["bulkload", "retry", str(facts.job_dir), "--cause", cause])
        if cause not in facts.kinds:
            # Of what has no names there is no job: only a new plan takes it up.
            command = facts.runs[-1].command
    return kind, _WAYS_OUT[kind], command


def _kind_of_rule(facts: ReportFacts, cause: str) -> str:
    """Return whether a rule left entries out, or rejected them: then each has a message."""
    _, message = next(facts.whole.entries_of_cause(cause), ("", ""))
    return "rejected" if message else "skipped"


def _span(runs: list[RunSummary]) -> str:
    began, last = runs[0].started_at, runs[-1]
    ended = "in progress, or killed" if last.ended_at is None else f"ended {moment(last.ended_at)}"
    word = "1 run" if len(runs) == 1 else f"{len(runs):,} runs"
    return f"{word}, begun {moment(began)}, {ended}."


def _run(run: RunSummary) -> dict[str, str]:
    counts: Mapping[str, int] = run.summary.get("counts", {})
    parts = [f"{number:,} {name}" for name, number in counts.items() if number]
    if "exit_code" in run.summary:
        parts.append(f"exit code {run.summary['exit_code']}")
    if "error" in run.summary:
        parts.append(str(run.summary["error"]))
    if "problems" in run.summary:
        parts.append(f"{run.summary['problems']:,} problems in the plan")
    is_open = run.ended_at is None
    return {
        "began": moment(run.started_at),
        "took": "-" if run.ended_at is None else duration(run.ended_at - run.started_at),
        "command": run.command,
        "ended": "in progress, or killed" if is_open else ", ".join(parts) or "-",
    }


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    checks = settings.get("checks") or {}
    recipe = settings.get("recipe") or {}
    found = [
        ("sources", ", ".join(map(str, settings.get("sources") or ()))),
        ("strict checks", "no" if checks.get("strict") is False else "yes"),
        ("checks left out", ", ".join(checks.get("skip_checks") or ())),
        ("transforms", ", ".join(recipe.get("transforms") or ())),
        ("extra checks", str(recipe.get("extra_checks") or "")),
        ("names that Studio has", str(settings.get("existing") or "")),
    ]
    return [(name, value) for name, value in found if value]


def _readers(facts: ReportFacts) -> list[tuple[str, str]]:
    each = [
        f"{name} {version} ({files:,} {'file' if files == 1 else 'files'})"
        for (name, version), files in facts.readers.most_common()
    ]
    return [("readers", ", ".join(each))] if each else []


def _findings(found: Iterable[tuple[str, CampaignFinding]]) -> list[dict[str, Any]]:
    by_code: dict[str, dict[str, Any]] = {}
    for cell, finding in found:
        kept = by_code.setdefault(finding.code, {"code": finding.code, "count": 0, "examples": []})
        kept["count"] += 1
        if len(kept["examples"]) < EXAMPLES_SHOWN:
            kept["examples"].append(f"{cell}: {finding.message}")
    return sorted(by_code.values(), key=lambda one: -one["count"])


def _decisions(changes: Iterable[Change]) -> Iterable[dict[str, Any]]:
    for change in changes:
        for one in change.by_evidence:
            yield {
                "phrase": phrase(change.code),
                "evidence": one.evidence,
                "files": one.files,
                "rows": one.rows,
                "detail": _detail(one),
            }


def _detail(one: DecisionEvidence) -> str:
    if one.columns:
        names = ", ".join(f"{name} ({files:,})" for name, files in one.columns)
        return names + (f" and {one.more_columns:,} more" if one.more_columns else "")
    # Where nothing was guessed, one file is as good as another.
    return "" if one.evidence in CERTAIN else one.example
