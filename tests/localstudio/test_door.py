"""What holds for each endpoint: keys, content type, correlation, encodings, unknown paths."""

from __future__ import annotations

import gzip
import json
import socket
import stat
import sys
from pathlib import Path

import pytest

from bulkload.localstudio.routes import ENDPOINTS
from tests.localstudio.support import Api, OpenApi, made

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("headers", [{"X-API-Key": ""}, {"X-API-Key": "wrong"}])
async def test_missing_or_wrong_key_is_401(api: Api, headers: dict[str, str]) -> None:
    answer = await api.get("/users/me", headers=headers)
    assert answer.status == 401
    assert answer.json == {"detail": "Not authenticated"}


async def test_bearer_token_opens_what_the_key_opens(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.studio.api_token}", "X-API-Key": ""}
    assert (await api.get("/users/me", headers=headers)).status == 200
    wrong = {"Authorization": f"Bearer {api.studio.api_key}x", "X-API-Key": ""}
    assert (await api.get("/users/me", headers=wrong)).status == 401


async def test_read_only_key_may_read_and_gets_403_for_the_rest(api: Api) -> None:
    spec = await api.spec()
    api.key = api.studio.read_only_key
    assert (await api.get(f"/cell_specifications/{spec}")).status == 200
    refused = await api.delete(f"/cell_specifications/{spec}")
    assert refused.status == 403
    assert refused.json["error_code"] == "FORBIDDEN"


async def test_another_organization_is_403(api: Api) -> None:
    own = {"X-Organization-Id": api.studio.organization_id}
    assert (await api.get("/users/me", headers=own)).status == 200
    assert (await api.get("/users/me", headers={"X-Organization-Id": "other"})).status == 403


async def test_health_needs_no_key(api: Api) -> None:
    assert (await api.get("/healthz", headers={"X-API-Key": ""})).status == 200


@pytest.mark.parametrize("path", ["/users/me", "/nowhere", "/cell_specifications?limit=0"])
async def test_each_json_answer_has_the_bare_content_type_and_a_correlation_id(
    api: Api, path: str
) -> None:
    answer = await api.get(path)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-correlation-id"]


async def test_correlation_ids_differ(api: Api) -> None:
    seen = {(await api.get("/users/me")).headers["x-correlation-id"] for _ in range(5)}
    assert len(seen) == 5


async def test_doubled_slash_is_404(api: Api) -> None:
    host, port = "127.0.0.1", api.studio.port
    with socket.create_connection((host, port)) as plain:
        request = f"GET //users/me HTTP/1.1\r\nHost: x\r\nX-API-Key: {api.key}\r\n\r\n"
        plain.sendall(request.encode())
        plain.setblocking(False)
        first = await _receive(plain)
    assert first.startswith(b"HTTP/1.1 404")


async def _receive(plain: socket.socket) -> bytes:
    import asyncio

    return await asyncio.get_running_loop().sock_recv(plain, 4096)


async def test_gzip_bodies_are_read(api: Api) -> None:
    body = {"name": "zipped", "ratings": {}, "project_id": api.studio.project_id}
    packed = gzip.compress(json.dumps(body).encode(), compresslevel=1)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    made(await api.send("POST", "/cell_specifications", data=packed, headers=headers))
    listed = await api.get("/cell_specifications")
    assert [item["name"] for item in listed.json["items"]] == ["zipped"]


async def test_body_that_is_no_json_is_422(api: Api) -> None:
    assert (await api.send("POST", "/cell_specifications", data=b"{")).status == 422


async def test_body_that_is_no_object_is_422(api: Api) -> None:
    answer = await api.post("/cell_specifications", ["name"])
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["body", "body"]


@pytest.mark.parametrize(
    "path",
    ["/cell_specifications/none", "/cell_instances/none", "/cell_measurements/none"],
)
async def test_unknown_id_is_404_in_the_standard_form(api: Api, path: str) -> None:
    answer = await api.get(path)
    assert answer.status == 404
    assert answer.json["error_code"] == "NOT_FOUND"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the rights of the folder")
async def test_keys_are_for_the_owner_only(api: Api, tmp_path: Path) -> None:
    for name in ("api_key", "api_token", "read_only_key"):
        assert stat.S_IMODE((tmp_path / "studio" / name).stat().st_mode) == 0o600
    assert (tmp_path / "studio" / "api_key").read_text().strip() == api.studio.api_key


async def test_keys_are_in_no_repr_and_no_address_file(api: Api, tmp_path: Path) -> None:
    secrets = [api.studio.api_key, api.studio.api_token, api.studio.read_only_key]
    shown = repr(vars(api.studio)) + (tmp_path / "studio" / "studio.json").read_text()
    assert not any(secret in shown for secret in secrets)


async def test_two_studios_on_one_folder_the_second_refuses(api: Api, open_api: OpenApi) -> None:
    with pytest.raises(Exception, match="in use by the Studio with the process id"):
        await open_api()
    assert (await api.get("/healthz")).status == 200


async def test_requests_are_counted_by_endpoint_and_status(api: Api) -> None:
    await api.get("/users/me")
    await api.get("/nowhere")
    assert api.studio.requests.by_endpoint == {"whoami": 1, "unknown": 1}
    assert api.studio.requests.by_status == {200: 1, 404: 1}
    assert [seen.path for seen in api.studio.requests.recent] == ["/users/me", "/nowhere"]


def test_endpoint_names_are_distinct() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    assert len(names) == len(set(names))


CONTRACT = """
GET /healthz
GET /users/me
GET /discovery/capabilities
GET /projects
GET /projects/x
GET /organizations
POST /cell_specifications
GET /cell_specifications
GET /cell_specifications/x
PATCH /cell_specifications/x
DELETE /cell_specifications/x
POST /cell_specifications/x/cell_batches
GET /cell_specifications/x/cell_batches
GET /cell_batches/x
PATCH /cell_batches/x
DELETE /cell_batches/x
POST /cell_specifications/x/cell_instances
GET /cell_specifications/x/cell_instances
GET /cell_instances/x
PATCH /cell_instances/x
DELETE /cell_instances/x
GET /cell_instances/x/cell_measurements
POST /cell_instances/x/cell_measurements/initiate-upload
POST /cell_measurements/x/confirm-upload
POST /cell_instances/x/cell_measurements/create
GET /cell_measurements/x
PATCH /cell_measurements/x
DELETE /cell_measurements/x
GET /cell_measurements
POST /cell_measurements/x/initiate-extend
POST /cell_measurements/x/confirm-extend
GET /cell_measurements/x/time_series/download
GET /cell_measurements/x/steps/download
GET /cell_measurements/x/cycles
GET /cell_measurements/x/steps_and_cycles
GET /cell_measurements/x/files
GET /cell_measurements/x/files/y
GET /cell_measurements/tags
POST /cell_measurements/tags/bulk
POST /cell_measurements/x/raw_data
GET /cell_measurements/x/raw_data
DELETE /cell_measurements/x/raw_data/y
POST /raw_data/initiate-upload
POST /raw_data/x/confirm-upload
GET /raw_data
GET /raw_data/x
GET /raw_data/x/download-url
GET /raw_data/x/cell_measurements
PATCH /raw_data/x
DELETE /raw_data/x
GET /sites
POST /sites
GET /sites/x/cyclers
POST /sites/x/cyclers
GET /cyclers/x/channels
POST /cyclers/x/channels
GET /channels
GET /channels/x
GET /cyclers/x
GET /experiment_templates
POST /experiment_templates
GET /experiment_templates/x
GET /search
"""


async def test_every_endpoint_of_the_contract_is_known(api: Api) -> None:
    for line in CONTRACT.split("\n"):
        if line:
            method, path = line.split()
            answer = await api.send(method, path)
            assert answer.status in {200, 400, 404, 422}, line
    assert "unknown" not in api.studio.requests.by_endpoint
