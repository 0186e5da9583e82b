"""``--metrics``: what Prometheus reads while a run is in progress, and the file at its end."""

from __future__ import annotations

import re
import socket
import sys
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bulkload.cli.commands.help import pages
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio
from tests.archives import archive
from tests.jobs import Jobs, running

Metrics = dict[tuple[str, str], float]


def metrics_of(text: str) -> Metrics:
    """Return the values by name and label."""
    found: Metrics = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, ",".join(sample.labels.values())] = sample.value
    return found


def test_a_run_in_progress_is_asked_for_its_metrics(studio: LocalStudio, tmp_path: Path) -> None:
    archive(tmp_path / "archive", measurements=3)
    fault = studio.faults.add(FaultRule(kind=FaultKind.STATUS, endpoint="storage.put", status=503))
    words = ["upload", "archive", "--job", "job", "--workers", "1", "--metrics", "0"]
    with running(words, folder=tmp_path, studio=studio) as run:
        assert run.process.stderr is not None
        said = run.process.stderr.readline()
        url = re.fullmatch(r"metrics: (http://127\.0\.0\.1:\d+/metrics)\n", said)
        assert url is not None, said
        shown: Metrics = {}
        while shown.get(("bulkload_limited_by", "server")) != 1:
            with urllib.request.urlopen(url[1]) as answer:
                shown = metrics_of(answer.read().decode("utf-8"))
        assert shown["bulkload_entries_planned", ""] == 3
        assert shown["bulkload_run_state", "waiting"] == 1
        assert shown["bulkload_run_state", "running"] == 0
        assert shown["bulkload_stage_capacity", "prepare"] == 1
        assert ("bulkload_exit_code", "") not in shown
        studio.faults.remove(fault)
        assert run.wait().code == 0
    ended = metrics_of((tmp_path / "job/metrics.prom").read_text("utf-8"))
    assert ended["bulkload_entries_total", "created"] == 3
    assert ended["bulkload_stage_done_total", "processing"] == 3
    assert ended["bulkload_exit_code", ""] == 0
    assert ended["bulkload_run_state", "ended"] == 1
    assert ended["bulkload_retries_total", ""] > 0


def test_names_follow_the_conventions_and_say_what_they_are(
    jobs: Jobs, studio: LocalStudio
) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=1)
    assert jobs.upload("archive", "--metrics", "0").code == 0
    text = (jobs.folder / "job/metrics.prom").read_text("utf-8")
    for family in text_string_to_metric_families(text):
        assert re.fullmatch(r"bulkload_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        if family.type == "counter":
            assert all(one.name.endswith("_total") for one in family.samples)
    page = pages()["machines"]
    named = set(re.findall(r"bulkload_[a-z_]+", page.partition("## Metrics")[2]))
    shown = {sample for sample, _ in metrics_of(text)}
    assert shown <= named
    # What a run that has ended does not have any more.
    assert named - shown == {"bulkload_remaining_seconds", "bulkload_lost_entries_total"}
    # The library's own metrics of the process are another registry's.
    assert "python_gc" not in text
    assert studio.api_key not in text


def test_a_port_that_is_taken_is_a_sentence(jobs: Jobs, studio: LocalStudio) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = jobs.upload("archive", "--metrics", str(port))
    assert ended.code == 2
    assert f"--metrics {port}: the port cannot be used" in ended.err
    assert studio.requests.total == 0
    assert jobs.upload("archive", "--metrics", "70000").code == 2


def test_without_its_extra_it_names_the_install_command(
    jobs: Jobs, studio: LocalStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=1)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    ended = jobs.upload("archive", "--metrics", "0")
    assert ended.code == 2
    assert "pip install 'bulkload[metrics]'" in ended.err
