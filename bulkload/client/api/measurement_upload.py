"""The steps of an upload: initiate, put, confirm.

No record exists before confirm, and its id is known from initiate: so initiate may be repeated,
and a lost answer to confirm is settled by asking for that id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from bulkload.client.api.limits import MAX_FILES_IN_FLIGHT
from bulkload.client.api.measurement_detail import MeasurementDetails
from bulkload.client.api.measurement_waiting import MeasurementWaiting
from bulkload.client.api.records import CellMeasurementBundle, InitiateAnswer, UploadTarget
from bulkload.client.api.resource import run_all, send_again
from bulkload.client.api.signed_upload import confirm_upload, with_fresh_urls
from bulkload.client.http.bodies import join_path
from bulkload.core.terms import MeasurementType

OCTETS: Final = "application/octet-stream"
#: Types that Studio shows as pictures; everything else is octets to it.
IMAGE_TYPES: Final[Mapping[str, str]] = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".tiff": "image/tiff",
    ".bmp": "image/bmp",
}

#: Pairs the files of an upload with the targets that the server offered.
Pairing = Callable[[InitiateAnswer], Sequence[tuple[UploadTarget, Path]]]


class MeasurementUpload(MeasurementWaiting, MeasurementDetails):
    """Uploads as single steps, for a caller that keeps a journal between them."""

    async def initiate(
        self,
        cell_instance_id: str,
        name: str,
        *,
        notes: str | None = None,
        measurement_type: MeasurementType = MeasurementType.TIME_SERIES,
        filenames: Sequence[str] | None = None,
    ) -> InitiateAnswer:
        """Ask for an id and upload targets. Makes no record."""
        measurement = {"name": name} if notes is None else {"name": name, "notes": notes}
        payload: dict[str, Any] = {"measurement": measurement}
        if measurement_type is MeasurementType.FILE:
            payload |= {"measurement_type": "file", "filenames": [*(filenames or ())]}
        path = join_path("cell_instances", cell_instance_id, "cell_measurements", "initiate-upload")
        answer = await self._caller.call("POST", path, json=payload, look=send_again)
        return InitiateAnswer.parse(answer)

    async def put(
        self,
        target: UploadTarget,
        path: Path,
        *,
        sha256: str | None = None,
        md5: str | None = None,
    ) -> None:
        """Store a file at a target; :class:`ExpiredUrlError` asks for a new initiate.

        ``sha256`` (hex) is what the file must have: nothing else is stored in its place. ``md5``
        (hex) is what its writer took of it; what the store reports is held against that.
        """
        content_type = IMAGE_TYPES.get(path.suffix.lower(), OCTETS)
        await self._storage.put_target(
            target.model_dump(), path, content_type=content_type, sha256=sha256, md5=md5
        )

    async def confirm(
        self,
        measurement_id: str,
        cell_instance_id: str,
        measurement: Mapping[str, Any],
        *,
        measurement_type: MeasurementType = MeasurementType.TIME_SERIES,
        filenames: Sequence[str] | None = None,
    ) -> CellMeasurementBundle:
        """Make the record of what was stored. Does not wait for the server to process it."""
        payload: dict[str, Any] = {
            "cell_instance_id": cell_instance_id,
            "measurement": dict(measurement),
            "measurement_type": measurement_type.value,
        }
        if filenames:
            payload["filenames"] = [*filenames]

        path = join_path("cell_measurements", measurement_id, "confirm-upload")
        answer = await confirm_upload(
            self._caller, path, payload, record_id=measurement_id, fetch=self.get
        )
        return CellMeasurementBundle.parse(answer).marked(created=True)

    async def _upload(
        self,
        cell_instance_id: str,
        measurement: Mapping[str, Any],
        pair: Pairing,
        *,
        measurement_type: MeasurementType = MeasurementType.TIME_SERIES,
        filenames: Sequence[str] | None = None,
    ) -> CellMeasurementBundle:
        async def send() -> str:
            answer = await self.initiate(
                cell_instance_id,
                measurement["name"],
                notes=measurement.get("notes"),
                measurement_type=measurement_type,
                filenames=filenames,
            )
            puts = [partial(self.put, target, path) for target, path in pair(answer)]
            await run_all(puts, at_once=MAX_FILES_IN_FLIGHT)
            return answer.measurement_id

        return await self.confirm(
            await with_fresh_urls(send),
            cell_instance_id,
            measurement,
            measurement_type=measurement_type,
            filenames=filenames,
        )

    async def _settled(self, bundle: CellMeasurementBundle, *, wait: bool) -> CellMeasurementBundle:
        """Wait for the processing where asked to; gives the record as it is then."""
        if not wait or not bundle.is_processing:
            return bundle
        states = await self.wait_for_processing(bundle.id)
        merged = {**bundle.model_dump(), **states[bundle.id]}
        return CellMeasurementBundle.parse(merged).marked(created=bundle.was_created)
