"""Carries out the steps of a job: decide, act, record what happened, decide again.

``core/next_step.py`` decides. What cannot go on here leaves: to the workers (PREPARE), to the
processing poller (WAIT), or out of the run (END).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from bulkload.core.existing import Existing, ExistingDecision
from bulkload.core.lifecycle import (
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    Found,
    GaveUp,
    JobState,
    Restarted,
    SourceRejected,
    Step,
)
from bulkload.core.next_step import next_step
from bulkload.engine.existing import ExistingRecords
from bulkload.engine.jobs import JobContext, Recorder, prepared_event
from bulkload.engine.processing import ready_event
from bulkload.engine.raw_data import RawFiles
from bulkload.engine.uploader import Uploader
from bulkload.errors import (
    RUN_ENDING,
    AuthenticationError,
    BulkloadError,
    ClientError,
    ConflictError,
    TransientError,
    UnavailableError,
    UnreadableError,
)
from bulkload.sources.stamp import quick_stamp


class JobSteps:
    """Brings jobs forward, each as far as it can go without another stage."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        records: ExistingRecords,
        uploader: Uploader,
        raw_files: RawFiles | None,
        existing: Existing,
    ) -> None:
        """``raw_files`` attaches the original files; None does not send them."""
        self._recorder = recorder
        self._records = records
        self._uploader = uploader
        self._raw_files = raw_files
        self._existing = existing
        self._acts: Final[
            Mapping[Step, Callable[[JobContext, ExistingDecision], Awaitable[None]]]
        ] = {
            Step.UPLOAD: self._upload,
            Step.EXTEND: self._extend,
            Step.COMPARE: self._compare,
            Step.ADOPT: self._adopt,
            Step.REUSE: self._reuse,
            Step.WITHDRAW: self._withdraw,
            Step.ATTACH: self._attach,
            Step.REJECT: self._reject,
            Step.FAIL: self._fail,
        }

    async def run(self, context: JobContext) -> Step:
        """Carry out the steps of a job until it needs another stage; return PREPARE, WAIT or END.

        Raises the errors of ``RUN_ENDING``; every other failure becomes the job's event.
        """
        try:
            while (decision := self._decide(context)).step in self._acts:
                await self._acts[decision.step](context, decision)
        except RUN_ENDING:
            raise
        except BulkloadError as error:
            await self._recorder.record(context, failure_event(context, error))
            return Step.END
        except OSError as error:
            # The source, or the scratch space: it costs this job, never the run.
            reason = f"a file on this machine: {error.strerror or error}"
            cause = UnreadableError(reason, cause="unreadable_file")
            await self._recorder.record(context, failure_event(context, cause))
            return Step.END
        return decision.step

    def _decide(self, context: JobContext) -> ExistingDecision:
        return next_step(
            context.facts(existing=self._existing, attaches_raw=self._raw_files is not None)
        )

    async def _upload(self, context: JobContext, _: ExistingDecision) -> None:
        try:
            record = await self._uploader.upload(context)
        except ConflictError as error:
            if context.instance_id is None or context.has_met_conflict:
                raise
            context.has_met_conflict = True
            context.found, is_over_name = await self._records.of_conflict(context, error)
            if context.found is None:
                event = _unresolved(context, error, is_over_name=is_over_name)
                await self._recorder.record(context, event)
            return
        await self._recorder.record(context, Confirmed(measurement_id=record.id))
        if self._raw_files is None and not record.is_processing and not record.has_failed:
            await self._recorder.record(context, ready_event(record))

    async def _extend(self, context: JobContext, _: ExistingDecision) -> None:
        assert context.found is not None
        measurement_id = context.found.id
        await self._recorder.record(context, Attempting(act=Act.EXTEND))
        try:
            await self._uploader.extend(context, measurement_id)
        except AuthenticationError:
            raise
        except ClientError as error:
            # Rejected because an extension whose answer was lost had been made before?
            if await self._records.difference(context, measurement_id):
                if isinstance(error, ConflictError):
                    raise _extension_held(error) from error
                raise
        await self._recorder.record(context, Extended(measurement_id=measurement_id))

    async def _compare(self, context: JobContext, _: ExistingDecision) -> None:
        assert context.found is not None
        context.difference = await self._records.difference(context, context.found.id)

    async def _adopt(self, context: JobContext, _: ExistingDecision) -> None:
        assert context.found is not None
        await self._recorder.record(context, Confirmed(measurement_id=context.found.id))

    async def _reuse(self, context: JobContext, _: ExistingDecision) -> None:
        assert context.found is not None
        await self._recorder.record(context, Found(measurement_id=context.found.id))

    async def _withdraw(self, context: JobContext, _: ExistingDecision) -> None:
        assert context.found is not None
        await self._recorder.record(context, Attempting(act=Act.WITHDRAW))
        await self._records.delete(context.found.id)
        context.found = None
        if context.prepared is not None:
            # Found after a 409: the upload begins again with what is prepared.
            await self._recorder.record(context, Restarted(reason="withdrawn"))
            await self._recorder.record(context, prepared_event(context.prepared))

    async def _attach(self, context: JobContext, _: ExistingDecision) -> None:
        assert self._raw_files is not None
        await self._raw_files.attach(context)

    async def _reject(self, context: JobContext, decision: ExistingDecision) -> None:
        if context.state is not JobState.PLANNED:
            # Taken while it was under way: then something of it was sent.
            await self._fail(context, decision)
            return
        message = f"{context.job.place}: {context.job.key}: {decision.message}"
        size_bytes, mtime_ns = quick_stamp(Path(context.job.path)) or (0, 0)
        rejected = SourceRejected(
            cause=decision.cause,
            message=message,
            source_bytes=size_bytes,
            source_mtime_ns=mtime_ns,
        )
        await self._recorder.record(context, rejected)

    async def _fail(self, context: JobContext, decision: ExistingDecision) -> None:
        message = f"{context.job.place}: {context.job.key}: {decision.message}"
        await self._recorder.record(context, Failed(cause=decision.cause, message=message))


def failure_event(context: JobContext, error: BulkloadError) -> Event:
    """Return the event of a failed act: resumable where the error is transient."""
    kind = GaveUp if isinstance(error, TransientError) else Failed
    message = f"{context.job.place}: {context.job.key} was not delivered: {error}"
    return kind(cause=error.cause, message=message)


def _extension_held(error: ConflictError) -> UnavailableError:
    """Return the error of an extension that another open one holds back: resumable."""
    held = UnavailableError(
        f"another extension of this measurement is open: {error}; run again later"
    )
    held.cause = "extension_held"
    return held


def _unresolved(context: JobContext, error: ConflictError, *, is_over_name: bool) -> Event:
    """Return the event of a 409 behind which no measurement of this name is found."""
    where = f"{context.job.place}: {context.job.key}"
    if not is_over_name:
        return Failed(cause="conflict", message=f"{where}: Studio rejected it: {error}")
    return GaveUp(
        cause="name_held",
        message=f"{where}: Studio reserves the name but shows no such measurement, as after an "
        f"upload that was never finished: {error}; run again later",
    )
