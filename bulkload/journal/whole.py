"""A whole job, read as one: the journals of all its parts, one after another, added up.

A job of one part is its own only part. A part that is not in the folder (not run yet, or on
another machine) adds nothing, and ``missing`` names it: its sums are then not the job's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import Self

from bulkload.core.campaign import CampaignFinding
from bulkload.core.outcome import Outcome, OutcomeKind
from bulkload.core.plan_check import CONSEQUENCES
from bulkload.core.roots import Root, roots
from bulkload.core.tally import RowLedger
from bulkload.errors import SettingsError
from bulkload.journal import report
from bulkload.journal.acceptance import accepted_causes
from bulkload.journal.database import FILE_NAME, find
from bulkload.journal.limits import KEPT_OPEN
from bulkload.journal.parts import part_folders
from bulkload.journal.report import Change, DecisionEvidence, Remark
from bulkload.journal.rows import RunRow
from bulkload.journal.store import Store
from bulkload.journal.treatments import rejected_sources, treatments


class WholeJob:
    """Reads all journals of a job folder, while it is open."""

    def __init__(self, job_dir: Path, parts: Iterable[int] | None = None) -> None:
        """Find the parts, or some of them; ``SettingsError`` where there is no journal at all."""
        folders = part_folders(job_dir)
        if parts is not None:
            folders = tuple(folders[part] for part in parts)
        self.folders = tuple(folder for folder in folders if find(folder) is not None)
        self.missing = tuple(folder for folder in folders if folder not in self.folders)
        self.is_divided = folders != (job_dir,)
        if not self.folders:
            raise SettingsError(
                f"{job_dir} is not a job folder: it has no {FILE_NAME}; "
                "give the folder that --job named"
            )
        self._stack = ExitStack()
        self._open: dict[Path, Store] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stores(self) -> Iterator[Store]:
        """Yield the journals. The first few stay open; any other until the next is asked for."""
        for folder in self.folders:
            if folder not in self._open and len(self._open) < KEPT_OPEN:
                store = Store(folder / FILE_NAME, is_read_only=True)
                self._open[folder] = self._stack.enter_context(store)
            if folder in self._open:
                yield self._open[folder]
            else:
                with Store(folder / FILE_NAME, is_read_only=True) as store:
                    yield store

    def plans(self) -> Iterator[tuple[Store, RunRow]]:
        """Yield the journals that hold a plan, each with the run that made it."""
        for store in self.stores():
            if (last := store.last_upload()) is not None:
                yield store, last

    def first_plan(self) -> RunRow | None:
        """Return the run that made the plan, of several parts that of the first."""
        return next((last for _, last in self.plans()), None)

    # -- What the journals say together ---------------------------------------------------------

    def tally(self, *, is_waiting: bool) -> tuple[Counter[OutcomeKind], Counter[str]]:
        """Return the plan's outcomes and its causes."""
        counts: Counter[OutcomeKind] = Counter()
        causes: Counter[str] = Counter()
        for store, last in self.plans():
            of_part = report.tally(store, last.id, is_waiting=is_waiting)
            counts.update(of_part[0])
            causes.update(of_part[1])
        return counts, causes

    def accepted_causes(self) -> Counter[str]:
        """Return how many of the rejected and failed entries are accepted, by cause."""
        total: Counter[str] = Counter()
        for store, last in self.plans():
            total.update(accepted_causes(store, last.id))
        return total

    def roots(self, each: int) -> list[Root]:
        """Return what the rejected sources have in common, with ``each`` examples."""
        sources = (rejected_sources(store, last.id) for store, last in self.plans())
        return roots(chain.from_iterable(sources), each)

    def treatments(self) -> Counter[str]:
        """Return how many measurements have each treatment, as options of a retry."""
        total: Counter[str] = Counter()
        for store, last in self.plans():
            total.update(treatments(store, last.id))
        return total

    def row_ledger(self, *, is_waiting: bool) -> RowLedger:
        """Return where the rows of the plan's files went."""
        return RowLedger.total(
            report.row_ledger(store, last.id, is_waiting=is_waiting) for store, last in self.plans()
        )

    def count_planned(self) -> int:
        """Return how many entries the plan holds, as far as it is written."""
        return sum(report.count_planned(store, last.id) for store, last in self.plans())

    def examples(self, each: int) -> list[Outcome]:
        """Return the first entries of each cause that did not arrive, in the order of a report."""
        found: dict[str, list[Outcome]] = {}
        for store, last in self.plans():
            for one in report.examples(store, last.id, each):
                found.setdefault(one.cause, []).append(one)
        _, causes = self.tally(is_waiting=True)
        order = sorted(found, key=lambda cause: (cause in CONSEQUENCES, -causes[cause], cause))
        return [one for cause in order for one in found[cause][:each]]

    def entries_of_cause(self, cause: str) -> Iterator[tuple[str, str]]:
        """Yield path and message of each entry that has a cause, or that a rule left out."""
        for store, last in self.plans():
            yield from report.entries_of_cause(store, last.id, cause)

    def warnings(self, each: int) -> list[Remark]:
        """Return the warnings by code, the commonest first."""
        found: dict[str, Remark] = {}
        for store, last in self.plans():
            for one in report.warnings(store, last.id, each):
                before = found.get(one.word, Remark(one.word, 0, ()))
                examples = (*before.examples, *one.examples)[:each]
                found[one.word] = Remark(one.word, before.count + one.count, examples)
        return sorted(found.values(), key=lambda one: -one.count)

    def decisions(self, names_each: int) -> list[Change]:
        """Return what the readers decided about the plan's files."""
        found: dict[str, dict[str, list[DecisionEvidence]]] = {}
        for store, last in self.plans():
            for change in report.decisions(store, last.id, names_each):
                by_evidence = found.setdefault(change.code, {})
                for one in change.by_evidence:
                    by_evidence.setdefault(one.evidence, []).append(one)
        return [
            Change(
                code=code,
                by_evidence=tuple(
                    sorted(
                        (_added(same, names_each) for same in found[code].values()),
                        key=lambda one: (-one.files, one.evidence),
                    )
                ),
            )
            for code in sorted(found)
        ]

    def changes(self) -> Counter[str]:
        """Return how many measurements each transform changed."""
        total: Counter[str] = Counter()
        for store, last in self.plans():
            total.update(report.changes(store, last.id))
        return total

    def findings(self) -> Iterator[tuple[str, CampaignFinding]]:
        """Yield what the files of each cell show together, with the cell's names."""
        for store, last in self.plans():
            yield from report.findings(store, last.id)


def _added(same: list[DecisionEvidence], names_each: int) -> DecisionEvidence:
    """Return the evidence of several parts as one; the columns are those that were named."""
    columns: Counter[str] = Counter()
    for one in same:
        columns.update(dict(one.columns))
    named = sorted(columns.items(), key=lambda item: (-item[1], item[0]))
    return DecisionEvidence(
        evidence=same[0].evidence,
        files=sum(one.files for one in same),
        rows=sum(one.rows for one in same),
        example=same[0].example,
        columns=tuple(islice(named, names_each)),
        more_columns=max(one.more_columns for one in same) + max(0, len(named) - names_each),
    )
