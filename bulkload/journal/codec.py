"""Events and jobs as JSON text, and back. The form is part of the journal's version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from json.encoder import encode_basestring
from typing import Any, Final

from bulkload.core.lifecycle import EVENTS, Event
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.prepare_result import ExtraChecks, PrepareOptions
from bulkload.core.terms import DATABASE, JobKey, MeasurementType
from bulkload.errors import JournalError

#: The names of each event's fields.
_FIELDS: Final = {kind: tuple(field.name for field in fields(kind)) for kind in EVENTS.values()}
#: Made once: ``json.dumps`` makes one for each call that is not by its defaults.
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def dump(value: object) -> str:
    """Return compact JSON with sorted keys: equal values give equal text."""
    return _ENCODER.encode(value)


def event_to_text(event: Event) -> str:
    """Return an event's fields as JSON; its name is stored beside."""
    return dump({name: getattr(event, name) for name in _FIELDS[type(event)]})


def event_from_text(name: str, text: str) -> Event:
    """Return the event of that name; an unknown name or field is a damaged journal."""
    try:
        kind = EVENTS[name]
        values: dict[str, Any] = json.loads(text)
        for field in fields(kind):
            if isinstance(values.get(field.name), list):
                values[field.name] = _tuples(values[field.name])
        return kind(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"the journal holds an event that cannot be read: {name}") from error


def _tuples(value: Any) -> Any:
    """Return JSON's lists as the tuples that they were."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


def job_to_text(job: UploadJob) -> str:
    """Return a job as ``dump`` would write it: compact JSON with sorted keys."""
    # Written out: a plan does it for every file, and the encoder takes several times as long.
    spec, cell, measurement = map(encode_basestring, job.key)
    checks = _UNSTATED if job.checks == _NO_CHECKS else dump(checks_as_json(job.checks))
    # Only where they hold: every other job's text stays what it was.
    expects_new = '"expects_new":true,' if job.expects_new else ""
    origin = f'"origin":{encode_basestring(job.origin)},' if job.reader == DATABASE else ""
    return (
        f'{{"batch":{_or_null(job.batch)},"checks":{checks},'
        f'"data_type":{_or_null(job.data_type)},'
        f'"day_first":{"null" if job.day_first is None else dump(job.day_first)},{expects_new}'
        f'"key":[{spec},{cell},{measurement}],"member":{_or_null(job.member)},'
        f'"metadata":{dump(dict(job.metadata)) if job.metadata else "{}"},{origin}'
        f'"path":{encode_basestring(job.path)},"reader":{_or_null(job.reader)},'
        f'"transforms":{dump(list(job.transforms)) if job.transforms else "[]"},'
        f'"type":"{job.type.value}","voltage":{_or_null(job.voltage)}}}'
    )


def _or_null(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


def job_from_text(text: str) -> UploadJob:
    """Return the job that ``job_to_text`` wrote."""
    try:
        values: dict[str, Any] = json.loads(text)
        return UploadJob(
            **values
            | {
                "key": JobKey(*values["key"]),
                "type": MeasurementType(values["type"]),
                "transforms": tuple(values["transforms"]),
                "checks": checks_from_json(values["checks"]),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError("the journal holds a job that cannot be read") from error


def checks_as_json(checks: Checks) -> dict[str, Any]:
    """Return checks as values of JSON."""
    # Written out: a plan does it for every file, and asdict copies deeply.
    return {
        "strict": checks.strict,
        "skip_checks": sorted(checks.skip_checks),
        "rated_capacity": checks.rated_capacity,
        "voltage_window": checks.voltage_window,
    }


def checks_from_json(values: Mapping[str, Any]) -> Checks:
    """Return the checks that ``checks_as_json`` gave."""
    window = values["voltage_window"]
    return Checks(
        strict=values["strict"],
        skip_checks=frozenset(values["skip_checks"]),
        rated_capacity=values["rated_capacity"],
        voltage_window=None if window is None else (window[0], window[1]),
    )


def prepare_options_from_json(values: Mapping[str, Any]) -> PrepareOptions:
    """Return the prepare options whose fields these are."""
    return PrepareOptions(
        **dict(values)
        | {
            "transforms": tuple(values["transforms"]),
            "header_fields": tuple(values.get("header_fields", ())),
            "extra_checks": ExtraChecks(values["extra_checks"]),
        }
    )


#: What most jobs state of their checks, and its text.
_NO_CHECKS: Final = Checks()
_UNSTATED: Final = dump(checks_as_json(_NO_CHECKS))
