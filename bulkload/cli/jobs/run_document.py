"""What ``upload``, ``resume`` and ``retry`` print with ``--json``."""

from __future__ import annotations

from bulkload.cli.output.json_documents import RunDocument, problem_lines
from bulkload.cli.output.json_lines import LostLine
from bulkload.core.tally import ExitCode
from bulkload.engine.plan_account import PlanAccount
from bulkload.engine.request import JobRequest
from bulkload.engine.run import RunResult
from bulkload.journal.acceptance import lost_entries
from bulkload.journal.whole import WholeJob


def document_of(request: JobRequest, result: RunResult, whole: WholeJob) -> RunDocument:
    """Return the document of a run that has ended, finished or not."""
    lost = [
        LostLine(path=one.location, cause=one.cause, message=one.message)
        for store, last in whole.plans()
        for one in lost_entries(store, last.id)
    ]
    return _document(
        request,
        result.plan,
        summary=result.report.as_json(),
        lost=lost,
        statement=result.report.statement,
        stopped_because=result.stopped_because,
        exit_code=result.report.exit_code,
    )


def document_of_refusal(request: JobRequest, account: PlanAccount, refusal: str) -> RunDocument:
    """Return the document of a plan that cannot be run."""
    return _document(
        request, account, summary=None, lost=[], statement="", refusal=refusal,
        exit_code=ExitCode.USAGE,
    )  # fmt: skip


def _document(
    request: JobRequest,
    account: PlanAccount,
    *,
    summary: dict[str, object] | None,
    lost: list[LostLine],
    statement: str,
    exit_code: ExitCode,
    refusal: str = "",
    stopped_because: str = "",
) -> RunDocument:
    return RunDocument(
        job=str(request.job_dir),
        command=request.command,
        summary=summary,
        lost=lost,
        statement=statement,
        stopped_because=stopped_because,
        problem_count=account.problem_count,
        problems=problem_lines(account.problems),
        warnings=problem_lines(account.warnings),
        refusal=refusal,
        exit_code=exit_code,
    )
