"""Plan a job of several parts: every part's journal gets its share of the plan."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from bulkload.core.plan_items import PlanItem
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.plan_writer import (
    check_same_archive,
    nothing_found,
    with_rating_problems,
    write_plan,
)
from bulkload.engine.request import JobRequest
from bulkload.engine.run_settings import kept_settings
from bulkload.engine.target import Target
from bulkload.errors import SettingsError
from bulkload.journal import FILE_NAME, Store, find
from bulkload.journal.lock import exclusive
from bulkload.journal.parts import (
    JobLayout,
    part_folder,
    read_layout,
    write_layout,
)
from bulkload.journal.whole import WholeJob
from bulkload.lanes.shares import Shares

#: Where the shares of a plan are until they are in their journals.
SHARES_NAME: Final = "planning"

#: Writes the plan of one part into its journal, for a run of that number.
MakePlan = Callable[[Store, int], PlanAccount]


def layout_for(
    job_dir: Path,
    parts: int | None,
    *,
    sources: Sequence[str],
    target: Target,
    default: Callable[[], int],
) -> JobLayout | None:
    """Return the layout that a job has, or will have; None for a job of one part.

    ``parts`` is what the user asks for, None for what the job has, or else ``default``. Raises
    ``SettingsError`` where the job has another number already.
    """
    layout = read_layout(job_dir)
    has_one = layout is None and find(job_dir) is not None
    has = 1 if has_one else layout.parts if layout is not None else None
    if parts is not None and has not in (None, parts):
        raise SettingsError(
            f"{job_dir} was planned with {has} {'part' if has == 1 else 'parts'}, and a cell stays "
            f"in its part: leave out --parts, or give --job another folder for {parts}"
        )
    if has_one or layout is not None:
        return layout
    count = parts or default()
    if count == 1:
        return None
    identity = json.dumps([list(sources), target.as_json(), count])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return JobLayout(parts=count, is_planned=False, id=digest)


@dataclass(frozen=True, slots=True)
class PartPlanner:
    """Plans some parts of a job, or all of them."""

    request: JobRequest
    layout: JobLayout
    parts: Sequence[int]

    def from_sources(
        self,
        on_entry: Callable[[], None],
        *,
        read: Callable[[], Iterable[PlanItem]],
        goes_on: bool = False,
    ) -> PlanAccount:
        """Read the sources and write each part's share into its journal.

        ``on_entry`` is called for each measurement and each entry that a rule leaves out.

        Raises ``SettingsError`` for another archive than the job's, ``PlanError`` where nothing
        is found, ``JournalBusyError`` where a part is being run.

        Side effects: ``job.json`` and the parts' folders. The job counts as planned only when
        all of it is written.
        """
        request, layout = self.request, self.layout
        at = request.clock.now().timestamp()
        with Shares(request.job_dir / SHARES_NAME, layout.parts) as shares:
            shares.put_all(with_rating_problems(read()), on_entry)
            with closing(self._journals()) as journals:
                shared = ((store, partial(shares.of, part)) for part, store in journals)
                check_same_archive(shared, request.job_dir, request.sources)
            if not shares.jobs and not shares.problems:
                raise nothing_found(self._count_known(), shares.skips, request.sources)
            write_layout(request.job_dir, replace(layout, is_planned=False))

            def make_plan(part: int, store: Store, run: int) -> PlanAccount:
                return write_plan(
                    store,
                    run,
                    shares.of(part),
                    checks=request.settings.checks,
                    prepare_options=request.settings.prepare_options,
                    at=at,
                )

            account = self.write(lambda part: partial(make_plan, part))
        account.goes_on = goes_on
        if not account.refusal:
            write_layout(request.job_dir, replace(layout, is_planned=True))
        return account

    def from_journals(
        self, make_plan: Callable[[Store, int, Callable[[], None]], PlanAccount]
    ) -> PlanAccount:
        """Have each part take up its own plan again, as ``make_plan`` does with one journal."""
        return self.write(lambda _: lambda store, run: make_plan(store, run, lambda: None))

    def as_planned(self) -> PlanAccount:
        """Return the account of the plan as it stands; nothing is written.

        Raises ``SettingsError`` for a plan that is not complete, or a part that is not here.
        """
        job_dir = self.request.job_dir
        if not self.layout.is_planned:
            raise SettingsError(
                f"{job_dir} is being planned, or its planning was cut short: run `bulkload plan` "
                "again"
            )
        with WholeJob(job_dir, self.parts) as whole:
            if whole.missing:
                names = ", ".join(folder.name for folder in whole.missing)
                raise SettingsError(f"{job_dir} does not hold its parts {names}: copy them here")
            jobs = sum(store.count_jobs(last.id) for store, last in whole.plans())
            planned = whole.count_planned()
        # What a rule leaves out and what is rejected without a name needs no lane.
        unchanged = Counter(unchanged=jobs)
        return PlanAccount(jobs=jobs, skips=planned - jobs, this_run=unchanged)

    def write(self, plan_of: Callable[[int], MakePlan]) -> PlanAccount:
        """Have the plan of each part written into its journal; return the account of all."""
        request = self.request
        whole = PlanAccount()
        for part in self.parts:
            folder = part_folder(request.job_dir, part)
            folder.mkdir(parents=True, exist_ok=True)
            with exclusive(folder), Store(folder / FILE_NAME) as store:
                if (last := store.last_run()) is not None:
                    request.target.check_same(last.settings, folder)
                settings = request.target.as_json() | kept_settings(request.settings)
                settings |= request.kept_sources(store) | {"is_plan": True}
                run = store.begin_run(request.command, settings, self._now())
                account = plan_of(part)(store, run)
                store.end_run(run, self._now(), {"planned": account.planned})
                whole.add_part(account)
        return whole

    def _now(self) -> float:
        return self.request.clock.now().timestamp()

    def _journals(self) -> Generator[tuple[int, Store], None, None]:
        """Yield the journals that there are, one after another.

        One that a kill left half made is made whole here, as nothing reads it before.
        """
        for part in self.parts:
            folder = part_folder(self.request.job_dir, part)
            if find(folder) is not None:
                with exclusive(folder), Store(folder / FILE_NAME) as store:
                    yield part, store

    def _count_known(self) -> int:
        with closing(self._journals()) as journals:
            return sum(store.count_jobs() for _, store in journals)
