"""Health, identity and discovery."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from bulkload.core.version import VERSION
from bulkload.localstudio.app import Endpoint
from bulkload.localstudio.call import Call, answer
from bulkload.localstudio.studio import ORGANIZATION_NAME


async def _health(_call: Call) -> web.Response:
    return answer({"status": "ok", "server": f"bulkload local Studio {VERSION}"})


async def _whoami(call: Call) -> web.Response:
    organization = _organization(call)
    return answer(
        {
            "id": call.studio.user_id,
            "email": call.studio.email,
            "authorized_organization": {"id": organization["id"], "name": organization["name"]},
            "organizations": [organization],
        }
    )


async def _organizations(call: Call) -> web.Response:
    return answer([_organization(call)])


async def _capabilities(_call: Call) -> web.Response:
    return answer(
        {
            "domain_context": {"key_concepts": {}},
            "schemas": {},
            "openapi_spec": None,
            "authentication": "X-API-Key or a bearer token",
        }
    )


def _organization(call: Call) -> dict[str, Any]:
    return {"id": call.studio.organization_id, "name": ORGANIZATION_NAME, "slug": "local"}


ENDPOINTS: Final = (
    Endpoint("health", "GET", "/healthz", _health),
    Endpoint("whoami", "GET", "/users/me", _whoami),
    Endpoint("organization.list", "GET", "/organizations", _organizations),
    Endpoint("capabilities", "GET", "/discovery/capabilities", _capabilities),
)
