"""Extending a measurement that is still running on its cycler."""

from __future__ import annotations

import time
from typing import Final

from aiohttp import web

from bulkload.core.terms import MeasurementType
from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.datetimes import now_text
from bulkload.localstudio.error_answers import ErrorAnswer
from bulkload.localstudio.objects import EXTEND_FILE, object_key
from bulkload.localstudio.processing_queue import UNSETTLED
from bulkload.localstudio.routes.uploads import require_objects, upload_target
from bulkload.localstudio.store import StoredRecord, Upload
from bulkload.localstudio.views import measurement_view


async def _initiate(call: Call) -> web.Response:
    record = _extensible(call)
    is_open = call.upload("extend", record.id) is not None
    if is_open and call.studio.settings.open_extend == "conflict":
        raise ErrorAnswer(409, "another extend of this measurement is in flight")
    upload = Upload(record.id, "extend", record.scope, None, time.time(), "{}")
    call.studio.store.open_upload(upload)
    target = upload_target(call, record.id, EXTEND_FILE)
    return answer({"measurement_id": record.id, "uploads": [target]})


async def _confirm(call: Call) -> web.Response:
    record = _extensible(call)
    if call.upload("extend", record.id) is None:
        raise ErrorAnswer(404, "no extend of this measurement is open")
    await require_objects(call, [object_key(record.id, EXTEND_FILE)])
    with call.studio.store.transaction():
        call.studio.store.close_upload("extend", record.id)
        call.studio.store.set_status(record.id, "pending", None, now_text())
    claimed = record._replace(status="pending", error=None)
    call.studio.processing.begin_extend(claimed)
    return answer({**measurement_view(call.studio, claimed), "steps_created": 0})


def _extensible(call: Call) -> StoredRecord:
    record = call.record("cell_measurement", call.id("measurement"))
    fields = record.fields
    if fields["measurement_type"] != MeasurementType.TIME_SERIES:
        raise ErrorAnswer(400, "only a time_series measurement can be extended")
    if fields.get("end_time") is not None:
        raise ErrorAnswer(400, "the measurement has an end_time: it is finished")
    if record.status in UNSETTLED:
        raise ErrorAnswer(409, "the measurement is still processing")
    if record.status == "failed":
        raise ErrorAnswer(400, "the measurement failed processing: there is nothing to extend")
    return record


_ONE: Final = "/cell_measurements/{measurement}"

ENDPOINTS: Final = (
    Endpoint("extend.initiate", "POST", f"{_ONE}/initiate-extend", _initiate),
    Endpoint("extend.confirm", "POST", f"{_ONE}/confirm-extend", _confirm),
)
