"""Projects: what specifications belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkload.client.api.arguments import checked_name
from bulkload.client.api.creation import Creation, Look
from bulkload.client.api.lists import Listing, list_filters
from bulkload.client.api.records import Project
from bulkload.client.api.resource import Resource
from bulkload.client.http.bodies import join_path


class AsyncProjectClient(Resource):
    """``client.project``."""

    async def get(self, project_id: str) -> Project:
        """Get a project by its id."""
        return Project.parse(await self._caller.call("GET", join_path("projects", project_id)))

    def list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        *,
        name: str | None = None,
        name_exact: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        updated_after: str | None = None,
        updated_before: str | None = None,
        order_by: str | None = None,
        order: str | None = None,
    ) -> Listing[Project]:
        """List projects, all pages."""
        query = list_filters(
            name=name,
            name_exact=name_exact,
            created_after=created_after,
            created_before=created_before,
            updated_after=updated_after,
            updated_before=updated_before,
            order_by=order_by,
            order=order,
        )
        return self._listing("/projects", Project.parse, query, limit=limit, offset=offset)

    async def find(self, name: str) -> Project | None:
        """Return the project of exactly this name, or None."""
        async for project in self.list(name_exact=name):
            if project.name == name:
                return project
        return None

    async def create(self, data: Mapping[str, Any]) -> Project:
        """Create a project; ``name`` is required, ``description`` optional."""
        return await self._creation(data).create()

    async def create_or_get(self, data: Mapping[str, Any]) -> Project:
        """Get the project of that name, or create it."""
        return await self._creation(data).create_or_get()

    async def update(self, project_id: str, data: Mapping[str, Any]) -> Project:
        """Change the fields given."""
        return Project.parse(await self._patch(join_path("projects", project_id), data))

    async def delete(self, project_id: str) -> None:
        """Delete a project."""
        await self._caller.call("DELETE", join_path("projects", project_id))

    def _creation(self, data: Mapping[str, Any]) -> Creation[Project]:
        payload = dict(data)
        name = checked_name(payload, "project")

        async def send(look: Look) -> Any:
            return await self._caller.call("POST", "/projects", json=payload, look=look)

        return Creation(
            data=payload,
            send=send,
            parse=Project.parse,
            find=lambda: self.find(name),
            fetch=self.get,
            belongs=lambda _: True,
        )
