"""Spans of OpenTelemetry: one for the run, each job and each attempt; off unless asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bulkload.engine import spans
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs, running


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_provider", lambda: provider)
    return exporter


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_run_its_jobs_and_its_attempts_are_spans(
    jobs: Jobs, studio: LocalStudio, recorded: InMemorySpanExporter
) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=2)
    good = next((jobs.folder / "archive").rglob("*.csv"))
    good.with_name("bad.csv").write_text("a,b\n1,2\n", "utf-8")
    ended = jobs.upload("archive")
    found = recorded.get_finished_spans()
    (run,) = [one for one in found if one.name == "run"]
    assert attributes(run)["bulkload.command"].startswith("bulkload upload")  # type: ignore[attr-defined]
    children = [one for one in found if one.parent is not None]
    assert all(one.parent.span_id == run.context.span_id for one in children)
    assert len(children) == len(found) - 1
    of_jobs = {attributes(one)["bulkload.measurement"]: one for one in found if one.name == "job"}
    assert {name: attributes(one)["bulkload.outcome"] for name, one in of_jobs.items()} == {
        "run 0": "created", "run 1": "created", "bad": "rejected"
    }  # fmt: skip
    bad = of_jobs["bad"]
    assert attributes(bad)["bulkload.cause"] == "unknown_format"
    assert not bad.status.is_ok
    stages = [event.name for event in of_jobs["run 0"].events]
    assert stages[0] == "prepare"
    assert list(dict.fromkeys(stages)) == ["prepare", "api", "storage", "processing"]
    attempts = [one for one in found if one.name not in {"run", "job"}]
    assert len(attempts) == ended.summary["requests"]
    assert {one.name for one in attempts} >= {"POST api", "PUT storage"}
    assert {attributes(one)["http.response.status_code"] for one in attempts} <= {200, 201, 404}
    assert studio.api_key not in "".join(one.to_json() for one in found)


def test_nothing_is_loaded_where_nobody_asks(jobs: Jobs, studio: LocalStudio) -> None:
    jobs.use(studio)
    archive(jobs.folder / "archive", measurements=1)
    program = (
        "import sys; from bulkload.cli import run; run(sys.argv[1:]); "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=jobs.folder, check=False)
    assert done.returncode == 0


def test_a_collector_that_is_not_there_costs_nothing_but_its_spans(
    jobs: Jobs, studio: LocalStudio
) -> None:
    archive(jobs.folder / "archive", measurements=1)
    words = ["upload", "archive", "--job", "job", "--workers", "1"]
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with running(words, folder=jobs.folder, studio=studio, environment=environment) as run:
        ended = run.wait()
    assert ended.code == 0
    assert [line for line in ended.err.splitlines() if not line.startswith("running: ")] == []
