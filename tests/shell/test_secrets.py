"""A key reaches the API and nothing else: no file of the job folder, no word on the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive
from tests.jobs import Ended, running


def traces(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder that hold a secret."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def assert_no_trace(folder: Path, ended: Ended, *secrets: str) -> None:
    for secret in secrets:
        assert len(secret) > 8
        assert traces(folder, secret) == []
        assert secret not in ended.out + ended.err


@pytest.mark.parametrize("trouble", ["none", "server_echoes", "refused", "expired"])
def test_no_credential_is_left_anywhere(trouble: str, studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=3)
    (tmp_path / "archive" / "spec 0" / "cell 0" / "bad.csv").write_bytes(b"")
    environment = {}
    key = studio.api_key
    if trouble == "refused":
        key = environment["IONWORKS_API_KEY"] = "wrong-key-0123456789"
    elif trouble == "expired":
        studio.faults.add(FaultRule(kind=FaultKind.EXPIRED_URL, endpoint="storage.put", times=1))
    elif trouble == "server_echoes":
        rule = FaultRule(kind=FaultKind.STATUS, endpoint="measurement.*", status=500, times=2)
        studio.faults.add(rule)
    with running(
        ["upload", "archive", "--job", "job"],
        folder=tmp_path,
        studio=studio,
        environment=environment,
    ) as run:
        ended = run.wait()
    assert ended.code == (4 if trouble == "refused" else 3), ended.out + ended.err
    assert_no_trace(tmp_path / "job", ended, key, studio.api_key, studio.api_token)
    # Nor a signed URL, which is a key to one object.
    for path in (tmp_path / "job").rglob("*"):
        if path.is_file():
            assert not re.search(rb"signature=", path.read_bytes(), re.IGNORECASE), path
    assert studio.requests.leaked_headers == 0


def test_a_key_is_never_an_option(studio: LocalStudio, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    words = ["upload", "archive", "--api-key", "abcdefgh-12345678"]
    with running(words, folder=tmp_path, studio=studio) as run:
        ended = run.wait()
    assert ended.code == 2
    with running(["upload", "--help"], folder=tmp_path) as run:
        shown = run.wait().out.lower()
    assert "api-key" not in shown
    assert "token" not in shown
