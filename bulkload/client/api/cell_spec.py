"""Cell specifications: the blueprints. Names are unique in a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulkload.client.api.arguments import checked_name
from bulkload.client.api.creation import Creation, Look
from bulkload.client.api.lists import Listing, list_filters
from bulkload.client.api.records import CellSpecification
from bulkload.client.api.resource import Resource
from bulkload.client.http.bodies import join_path


class AsyncCellSpecClient(Resource):
    """``client.cell_spec``."""

    async def get(self, cell_spec_id: str) -> CellSpecification:
        """Get a specification by its id, components nested."""
        path = join_path("cell_specifications", cell_spec_id)
        return CellSpecification.parse(await self._caller.call("GET", path))

    def list(
        self,
        include_components: bool = False,  # noqa: FBT001 - positional in the official client
        limit: int | None = None,
        offset: int | None = None,
        *,
        name: str | None = None,
        name_exact: str | None = None,
        form_factor: str | None = None,
        created_by_email: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
        order_by: str | None = None,
        order: str | None = None,
        project_id: str | None = None,
        material_id: str | Sequence[str] | None = None,
        anode_material_id: str | None = None,
        cathode_material_id: str | None = None,
        electrolyte_material_id: str | None = None,
        separator_material_id: str | None = None,
        case_material_id: str | None = None,
        exclude_cell_spec_id: str | None = None,
    ) -> Listing[CellSpecification]:
        """List specifications, all pages. By exact name or material: of one project."""
        materials = {
            "anode_material_id": anode_material_id,
            "cathode_material_id": cathode_material_id,
            "electrolyte_material_id": electrolyte_material_id,
            "separator_material_id": separator_material_id,
            "case_material_id": case_material_id,
            **_material_query(material_id),
        }
        # Names and materials are unique within a project only: without one, a sibling
        # project's specification could be taken for this one.
        is_identity = name_exact is not None or any(
            value is not None for value in materials.values()
        )
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
            form_factor=None if form_factor is None else f"eq.{form_factor}",
            full="true" if include_components else None,
            project_id=self._project(project_id) if is_identity else project_id,
            exclude_cell_spec_id=exclude_cell_spec_id,
            **materials,
        )
        if material_id is not None and not material_id:
            return _nothing()
        return self._listing(
            "/cell_specifications", CellSpecification.parse, query, limit=limit, offset=offset
        )

    async def find(self, name: str, project_id: str | None = None) -> CellSpecification | None:
        """Return the specification of exactly this name in the project, or None."""
        async for spec in self.list(name_exact=name, project_id=project_id):
            if spec.name == name:
                return spec
        return None

    async def create(self, data: Mapping[str, Any]) -> CellSpecification:
        """Create a specification, in the client's project unless ``project_id`` names one."""
        return await self._creation(data).create()

    async def create_or_get(self, data: Mapping[str, Any]) -> CellSpecification:
        """Get the specification of that name, as it is, or create it."""
        return await self._creation(data).create_or_get()

    async def update(self, cell_spec_id: str, data: Mapping[str, Any]) -> CellSpecification:
        """Change the fields given; components and materials may be nested."""
        path = join_path("cell_specifications", cell_spec_id)
        return CellSpecification.parse(await self._patch(path, data))

    async def delete(self, cell_spec_id: str) -> None:
        """Delete a specification, with its cells and their measurements."""
        await self._caller.call("DELETE", join_path("cell_specifications", cell_spec_id))

    def _creation(self, data: Mapping[str, Any]) -> Creation[CellSpecification]:
        name = checked_name(data, "cell specification")
        project_id = self._project(data.get("project_id"))
        payload = {**data, "project_id": project_id}

        async def send(look: Look) -> Any:
            return await self._caller.call("POST", "/cell_specifications", json=payload, look=look)

        return Creation(
            data=payload,
            send=send,
            parse=CellSpecification.parse,
            find=lambda: self.find(name, project_id),
            fetch=self.get,
            belongs=lambda spec: spec.project_id in (None, project_id),
        )


def _material_query(material_id: str | Sequence[str] | None) -> dict[str, Any]:
    if material_id is None or isinstance(material_id, str):
        return {"material_id": material_id}
    return {"material_ids": [*material_id]}


def _nothing() -> Listing[CellSpecification]:
    """Match none of no materials: a query cannot say that, so it is answered here."""

    async def fetch(_limit: int, _offset: int) -> Any:
        return []

    return Listing(fetch, CellSpecification.parse)
