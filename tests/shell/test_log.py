"""The log of a run: one library writes it, and an event name means one thing."""

from __future__ import annotations

import ast
import json
from datetime import datetime
from pathlib import Path
from typing import get_args

from bulkload.client.http.events import LevelChanged, WireEvent
from bulkload.core.lifecycle import EVENTS, Initiated, JobState, Stored
from bulkload.core.plan_items import UploadJob
from bulkload.core.terms import JobKey
from bulkload.engine.jobs import JobContext
from bulkload.engine.log import LogWatcher, _named, open_log

PACKAGE = Path(__file__).parents[2] / "bulkload"


def logged_names() -> list[str]:
    """Return the first argument of every ``logger.<level>(...)`` in the package."""
    return [
        node.args[0].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"debug", "info", "warning", "error", "exception"}
        and "logger" in ast.unparse(node.func.value)
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]


def test_no_two_events_share_a_name() -> None:
    wire = [kind.__name__ for kind in get_args(WireEvent)]
    names = [*EVENTS, *wire, *logged_names()]
    assert "run.started" in names
    assert sorted(names) == sorted(set(names))


def test_nothing_is_logged_past_the_log_of_the_run() -> None:
    """Python's own logging reaches no ``log.jsonl``: it is only told to keep a library quiet."""
    calls = [
        ast.unparse(node.func)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logging.")
    ]
    assert {call.rpartition(".")[2] for call in calls} <= {"getLogger", "setLevel"}


def test_a_change_of_level_keeps_the_name_of_what_changed(tmp_path: Path) -> None:
    """A line's own ``level`` says how grave it is."""
    logger, file = open_log(tmp_path / "log.jsonl")
    with file:
        LogWatcher(logger, file).on_wire(
            LevelChanged(service="api", level="window", value=3.0, reason="quick answers")
        )
    line = json.loads((tmp_path / "log.jsonl").read_text("utf-8"))
    assert (line["level"], line["control"], line["value"]) == ("info", "window", 3.0)


def test_a_line_of_a_job_is_what_a_json_library_would_write(tmp_path: Path) -> None:
    key = JobKey('S"', "c\\", "m \u2028 \x1b é 😀")
    context = JobContext(
        id=7, job=UploadJob(key=key, path="a.csv"), state=JobState.PREPARED,
        known_ids=frozenset(), stored=None, instance_id=None, measurement_id=None,
        source_sha256=None, raw_data_id=None, has_attempted_extension=False,
    )  # fmt: skip
    logger, file = open_log(tmp_path / "log.jsonl", run=3)
    with file:
        watcher = LogWatcher(logger, file)
        watcher.on_event(context, Initiated(measurement_id='i"d'))
        watcher.on_event(context, Stored())
        logger.info("run.started", command="x", planned=2)
    lines = (tmp_path / "log.jsonl").read_text("utf-8").split("\n")[:-1]
    found = [json.loads(line) for line in lines]
    assert [json.dumps(one, ensure_ascii=False) for one in found] == lines
    times = [one.pop("timestamp") for one in found]
    assert all(datetime.fromisoformat(one).tzinfo is not None for one in times)
    own = {"run": 3, "job": 7, "key": str(key)}
    assert found == [
        own | {"measurement_id": 'i"d', "event": "Initiated", "level": "info"},
        own | {"event": "Stored", "level": "info"},
        {"run": 3, "command": "x", "planned": 2, "event": "run.started", "level": "info"},
    ]


def test_no_field_of_an_event_has_the_name_of_one_that_every_line_has() -> None:
    for kind in (*EVENTS.values(), *get_args(WireEvent)):
        names = {name for name, _ in _named(kind)}
        assert not names & {"run", "job", "key", "event", "level", "timestamp"}, kind
