"""The examples of the README run, in order, as one program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bulkload.localstudio import LocalStudio
from tests.conftest import ROOT

SECTION = "## The Python client"


def blocks(text: str) -> list[str]:
    """Give the Python examples of the section."""
    _, found, rest = text.partition(f"{SECTION}\n")
    assert found, f"README.md has no section {SECTION!r}"
    section = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def test_the_examples_run(
    studio: LocalStudio,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IONWORKS_API_KEY", studio.api_key)
    monkeypatch.setenv("IONWORKS_API_URL", studio.url)
    monkeypatch.setenv("IONWORKS_PROJECT_ID", studio.project_id)
    monkeypatch.chdir(tmp_path)
    Path("front.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(16))
    Path("formation.csv").write_bytes(b"time,voltage\n")
    examples = blocks((ROOT / "README.md").read_text("utf-8"))
    names: dict[str, Any] = {"__name__": "readme"}
    for number, example in enumerate(examples):
        exec(compile(example, f"README.md, example {number + 1}", "exec"), names)
    text = "\n".join(examples)
    sub_clients = ("project", "cell_spec", "cell_batch", "cell_instance", "cell_measurement")
    for sub_client in (*sub_clients, "raw_data"):
        assert f"client.{sub_client}." in text
    assert "{'ready'}" in capsys.readouterr().out
