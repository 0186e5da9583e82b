"""Measurements as records: listing, finding, changing, tags, and links to raw data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bulkload.client.api.arguments import checked_tags, id_list
from bulkload.client.api.creation import fetch_or_none
from bulkload.client.api.limits import MAX_TAGGED
from bulkload.client.api.lists import Listing, list_filters
from bulkload.client.api.records import CellMeasurement, RawData, TagUsage
from bulkload.client.api.resource import Resource, part_of, send_again
from bulkload.client.http.bodies import join_path


class MeasurementRecords(Resource):
    """What concerns the records, not their data."""

    async def get(self, measurement_id: str) -> CellMeasurement:
        """Get a measurement by its id."""
        path = join_path("cell_measurements", measurement_id)
        # Steps cannot be read while they are being derived, and are not needed here.
        params = {"include_steps": "false", "include_time_series": "false"}
        return CellMeasurement.parse(await self._caller.call("GET", path, params=params))

    async def status(self, measurement_id: str) -> CellMeasurement | None:
        """Return a measurement by its id, None where Studio has none."""
        return await fetch_or_none(self.get, measurement_id)

    def list(
        self,
        cell_instance_id: str,
        limit: int | None = None,
        offset: int | None = None,
        measurement_type: str | None = None,
        *,
        name: str | None = None,
        name_exact: str | None = None,
        created_by_email: str | None = None,
        started_after: str | None = None,
        started_before: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
        tags_all: Iterable[str] | None = None,
        tags_any: Iterable[str] | None = None,
        order_by: str | None = None,
        order: str | None = None,
    ) -> Listing[CellMeasurement]:
        """List the measurements of a cell, all pages."""
        query = list_filters(
            name=name,
            name_exact=name_exact,
            created_by_email=created_by_email,
            created_after=created_after,
            created_before=created_before,
            updated_after=updated_after,
            updated_before=updated_before,
            order_by=order_by,
            order=order,
            start_time_gt=started_after,
            start_time_lt=started_before,
            measurement_type=measurement_type,
            tags_all=_tag_filter(tags_all),
            tags_any=_tag_filter(tags_any),
        )
        path = join_path("cell_instances", cell_instance_id, "cell_measurements")
        return self._listing(path, CellMeasurement.parse, query, limit=limit, offset=offset)

    def list_by_project(
        self,
        project_id: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        measurement_type: str | None = None,
        *,
        q: str | None = None,
        tags_all: Iterable[str] | None = None,
        tags_any: Iterable[str] | None = None,
        order_by: str | None = None,
        order: str | None = None,
    ) -> Listing[CellMeasurement]:
        """List the measurements of all cells of a project; ``q`` searches names, notes, tags."""
        query = list_filters(
            order_by=order_by,
            order=order,
            project_id=self._project(project_id),
            measurement_type=measurement_type,
            q=q,
            tags_all=_tag_filter(tags_all),
            tags_any=_tag_filter(tags_any),
        )
        parse = CellMeasurement.parse
        return self._listing("/cell_measurements", parse, query, limit=limit, offset=offset)

    async def find(self, cell_instance_id: str, name: str) -> CellMeasurement | None:
        """Return the measurement of exactly this name, or None."""
        async for measurement in self.list(cell_instance_id, name_exact=name):
            if measurement.name == name:
                return measurement
        return None

    async def update(self, measurement_id: str, data: Mapping[str, Any]) -> CellMeasurement:
        """Change the fields given: ``tags`` replaces all tags, ``end_time`` ends a test."""
        payload = dict(data)
        if "tags" in payload:
            payload["tags"] = checked_tags(payload["tags"]) or []
        path = join_path("cell_measurements", measurement_id)
        return CellMeasurement.parse(await self._patch(path, payload))

    async def delete(self, measurement_id: str) -> None:
        """Delete a measurement with its data."""
        await self._caller.call("DELETE", join_path("cell_measurements", measurement_id))

    def list_tags(
        self, project_id: str | None = None, q: str | None = None, limit: int | None = None
    ) -> Listing[TagUsage]:
        """List the tags of a project, the most used first; ``q`` is a part of the tag."""

        async def fetch(page_size: int, _offset: int) -> Any:
            # This route knows no offset: one answer holds all that is asked for.
            params = {"project_id": self._project(project_id), "q": q, "limit": page_size}
            return await self._caller.call("GET", "/cell_measurements/tags", params=params)

        return Listing(fetch, TagUsage.model_validate, limit=limit, page_size=MAX_TAGGED)

    async def add_tags(self, measurement_ids: str | Iterable[str], tags: Iterable[str]) -> int:
        """Add tags to one measurement or many; return how many changed."""
        return await self._change_tags(measurement_ids, add=checked_tags(tags) or [], remove=[])

    async def remove_tags(self, measurement_ids: str | Iterable[str], tags: Iterable[str]) -> int:
        """Remove tags, in whatever case, from one measurement or many; return how many changed."""
        return await self._change_tags(measurement_ids, add=[], remove=checked_tags(tags) or [])

    async def attach_raw_data(self, cell_measurement_id: str, raw_data_ids: Iterable[str]) -> None:
        """Link raw files to a measurement; a link that is there already stays."""
        path = join_path("cell_measurements", cell_measurement_id, "raw_data")
        payload = {"raw_data_ids": id_list(raw_data_ids)}
        await self._caller.call("POST", path, json=payload, look=send_again)

    async def detach_raw_data(self, cell_measurement_id: str, raw_data_id: str) -> None:
        """Remove a link; the raw file stays."""
        path = join_path("cell_measurements", cell_measurement_id, "raw_data", raw_data_id)
        await self._caller.call("DELETE", path)

    def list_raw_data(
        self, cell_measurement_id: str, limit: int | None = None, offset: int | None = None
    ) -> Listing[RawData]:
        """List the raw files linked to a measurement, all pages."""
        path = join_path("cell_measurements", cell_measurement_id, "raw_data")
        return self._listing(path, RawData.parse, {}, limit=limit, offset=offset)

    async def _change_tags(
        self, measurement_ids: str | Iterable[str], *, add: Iterable[str], remove: Iterable[str]
    ) -> int:
        ids = id_list(measurement_ids)
        changed = 0
        # Adding or removing twice changes nothing more, so every part may be repeated.
        for start in range(0, len(ids), MAX_TAGGED):
            part = ids[start : start + MAX_TAGGED]
            payload = {"measurement_ids": part, "add": [*add], "remove": [*remove]}
            answer = await self._caller.call(
                "POST", "/cell_measurements/tags/bulk", json=payload, look=send_again
            )
            changed += int(part_of(answer, "updated_count"))
        return changed


def _tag_filter(tags: str | Iterable[str] | None) -> Any:
    return None if tags is None else id_list(tags) or None
