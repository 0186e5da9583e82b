"""What a measurement says about itself: checked as the server checks it, then ready to store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bulkload.core.terms import MAX_NAME_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, MeasurementType
from bulkload.localstudio.call import Call
from bulkload.localstudio.datetimes import normalise
from bulkload.localstudio.error_answers import ErrorAnswer, InvalidBodyError
from bulkload.localstudio.store import StoredRecord

#: What has a column of its own, or is the server's to say.
_NOT_IN_BODY: Final = frozenset(
    {"id", "name", "cell_instance_id", "channel_id", "processing_status", "processing_error"}
)


class Metadata(NamedTuple):
    """Checked metadata of a measurement."""

    name: str
    channel_id: str | None
    #: The start in the spelling that sorts.
    start_time: str | None
    body: dict[str, Any]


def checked(
    call: Call,
    given: Mapping[str, Any],
    *,
    project: str,
    measurement_type: str,
    measurement_id: str = "",
) -> Metadata:
    """Return the metadata as it will be stored, or refuse."""
    body = {key: value for key, value in given.items() if key not in _NOT_IN_BODY}
    body["measurement_type"] = measurement_type
    start, end = _moment(body, "start_time"), _moment(body, "end_time")
    if start is not None and end is not None and end < start:
        status = call.studio.settings.bad_end_time_status
        raise ErrorAnswer(status, "end_time must not precede start_time")
    if body.get("tags") is not None:
        body["tags"] = normal_tags(call, project, body["tags"])
    channel_id = given.get("channel_id")
    if channel_id is not None:
        channel = _channel(call, channel_id, project, measurement_type)
        if start is None:
            raise ErrorAnswer(400, "a measurement on a channel needs a start_time")
        _refuse_overlap(call, channel, start, end, but=measurement_id)
    return Metadata(call.name(given, MAX_NAME_LENGTH), channel_id, start, body)


def normal_tags(call: Call, project: str, tags: Any) -> list[str]:
    """Return tags trimmed, each once whatever its case, sorted, in the project's spelling."""
    if not isinstance(tags, Sequence) or isinstance(tags, str):
        raise InvalidBodyError("tags", "Input should be a list of strings", tags)
    kept: dict[str, str] = {}
    for tag in tags:
        text = tag.strip() if isinstance(tag, str) else ""
        if not text or len(text) > MAX_TAG_LENGTH:
            raise ErrorAnswer(400, f"a tag has 1 to {MAX_TAG_LENGTH} characters")
        kept.setdefault(text.casefold(), text)
    if len(kept) > MAX_TAGS:
        raise ErrorAnswer(400, f"a measurement has at most {MAX_TAGS} tags")
    return sorted(
        (call.studio.store.tag_spelling(project, text) for text in kept.values()), key=str.casefold
    )


def _moment(body: Mapping[str, Any], name: str) -> str | None:
    text = body.get(name)
    if text is None:
        return None
    try:
        return normalise(text)
    except (TypeError, ValueError) as error:
        raise InvalidBodyError(name, "Input should be a valid datetime", text) from error


def _channel(call: Call, channel_id: Any, project: str, measurement_type: str) -> StoredRecord:
    channel = call.studio.store.get("channel", str(channel_id))
    if channel is None or channel.project != project:
        raise ErrorAnswer(400, f"channel {channel_id} is not a channel of this project")
    if measurement_type != MeasurementType.TIME_SERIES:
        raise ErrorAnswer(400, "only a time_series measurement has a channel")
    if channel.fields.get("out_of_commission"):
        raise ErrorAnswer(409, f"channel {channel.name} is out of commission")
    return channel


def _refuse_overlap(
    call: Call, channel: StoredRecord, start: str, end: str | None, but: str
) -> None:
    forever = call.studio.settings.open_run_holds_channel
    wanted = (start, _end(start, end, forever=forever))
    for run in call.studio.store.runs_on_channel(channel.id, but):
        if _overlaps(wanted, _span(run, forever=forever)):
            raise ErrorAnswer(409, f"the run overlaps {run.name!r} on channel {channel.name}")


def _span(run: StoredRecord, *, forever: bool) -> tuple[str, str]:
    start = run.start_time or ""
    end = run.fields.get("end_time")
    return start, _end(start, None if end is None else normalise(end), forever=forever)


def _end(start: str, end: str | None, *, forever: bool) -> str:
    if end is not None:
        return end
    return "9999" if forever else start


def _overlaps(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
