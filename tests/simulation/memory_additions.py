"""What a measurement in memory is given after it was made: more rows, and its original file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from bulkload.client.http.wire import Answer

TIME_SERIES: Final = "time_series.parquet"
EXTENSION: Final = "time_series_extend.parquet"
RAW: Final = "raw"
_TIME: Final = "Time [s]"


@dataclass(slots=True, kw_only=True)
class RawFile:
    """An original file: the facts that were stated at its initiate, and whether it is confirmed."""

    facts: dict[str, Any]
    is_confirmed: bool = False


@dataclass(slots=True)
class Additions:
    """Open and running extensions, raw files and their links."""

    objects: dict[str, bytes]
    #: Makes the answer that offers an upload's targets.
    offer: Callable[[dict[str, Any], str, tuple[str, ...]], Answer]
    #: Measurement -> when its open extension was initiated.
    open: dict[str, float] = field(default_factory=dict)
    #: Measurements whose extension is confirmed and not processed.
    claimed: set[str] = field(default_factory=set)
    #: Why the last extension of a measurement could not be processed.
    errors: dict[str, str] = field(default_factory=dict)
    raw: dict[str, RawFile] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)

    def append(self, measurement: str, *, fails: bool) -> None:
        """Process a claimed extension: append its rows, or note why they do not fit."""
        self.claimed.discard(measurement)
        stored = read_table(self.objects[f"{measurement}/{TIME_SERIES}"])
        delta = read_table(self.objects.pop(f"{measurement}/{EXTENSION}"))
        last, first = stored[_TIME][-1].as_py(), delta[_TIME][0].as_py()
        if fails:
            self.errors[measurement] = "the extend could not be processed"
        elif first <= last:
            self.errors[measurement] = (
                f"the extend starts at {first} s; the series ends at {last} s"
            )
        else:
            merged = pa.concat_tables([stored, delta]).combine_chunks()
            self.objects[f"{measurement}/{TIME_SERIES}"] = parquet(merged)

    def initiate_raw(self, raw: str, facts: dict[str, Any]) -> Answer:
        """Open the upload of an original file."""
        self.raw[raw] = RawFile(facts=facts)
        return self.offer({"raw_data_id": raw}, raw, (RAW,))

    def confirm_raw(self, raw: str, body: dict[str, Any]) -> Answer:
        """Make the record of an original file."""
        found = self.raw.get(raw)
        if found is None or found.is_confirmed:
            return error(404, f"no open raw data upload {raw}")
        if f"{raw}/{RAW}" not in self.objects:
            return error(400, "nothing was stored for this upload")
        if any(body.get(name) != value for name, value in found.facts.items()):
            return error(400, "confirm-upload does not agree with initiate-upload")
        found.is_confirmed = True
        return ok(201, {"id": raw, **found.facts})

    def get_raw(self, raw: str) -> Answer:
        """Return the record of an original file."""
        found = self.raw.get(raw)
        if found is None or not found.is_confirmed:
            return error(404, f"no raw data {raw}")
        return ok(200, {"id": raw, **found.facts})

    def link(self, measurement: str, raw_ids: list[str]) -> Answer:
        """Link original files to a measurement."""
        for raw in raw_ids:
            if raw not in self.raw or not self.raw[raw].is_confirmed:
                return error(404, f"no raw data {raw}")
        self.links.setdefault(measurement, set()).update(raw_ids)
        return Answer(status=204, headers={}, body=b"")


def read_table(data: bytes) -> pa.Table:
    """Return the table of a Parquet file."""
    return pq.read_table(io.BytesIO(data))


def parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def ok(status: int, data: Any) -> Answer:
    """Return an answer with JSON."""
    return Answer(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(data).encode(),
    )


def error(status: int, message: str, detail: Any = None) -> Answer:
    """Return an answer of the service's standard error body."""
    code = "CONFLICT" if status == 409 else "ERROR"
    return ok(status, {"error_code": code, "message": message, "detail": detail})
