"""The page's server: who may see it, what it sends, and that it costs the run nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from urllib.parse import urlsplit

import pytest

from bulkload.core.lifecycle import SourceRejected
from bulkload.journal import FILE_NAME, Store, events
from bulkload.report.limits import PAGE_CLIENTS
from bulkload.report.page.access import is_token, refusal
from bulkload.report.page.watch import Watch
from scripts.make_job import BEGAN, JobSize, make_job
from tests.archives import series, specification, write
from tests.jobs import Jobs, StartStudio, running, until
from tests.report.serving import Viewer, asked, served


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished job that every test reads and none changes."""
    folder = tmp_path_factory.mktemp("page") / "job"
    make_job(folder, JobSize(cells=3, measurements=20))
    return folder


@pytest.fixture(scope="module")
def page(job: Path) -> Iterator[str]:
    with served(job) as address:
        yield address


def test_the_address_alone_opens_it(page: str) -> None:
    parts = urlsplit(page)
    assert parts.hostname == "127.0.0.1"
    assert len(parts.path) > 30
    assert asked(page)[0] == 200
    root = f"http://{parts.netloc}"
    wrong = f"{root}/{'x' * (len(parts.path) - 2)}/"
    for address in (f"{root}/", wrong, f"{root}/favicon.ico"):
        status, _, text = asked(address)
        assert (status, "bulkload" in text) == (404, False)
    for path in ("stream", "cell", "story?job=1", "plot.svg?job=20", "page.js"):
        assert asked(wrong, path)[0] == 404


def test_no_other_machine_reaches_it(page: str) -> None:
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    port = urlsplit(page).port
    for address in own - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((str(address), port), timeout=10)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("", {"Host": "127.0.0.1:8321"}, 200),
        ("", {"Host": "localhost"}, 200),
        ("", {"Host": "[::1]:8321"}, 200),
        ("", {"Host": "evil.example"}, 403),
        ("", {"Host": "127.0.0.1.evil.example"}, 403),
        ("page.js", {"Origin": "https://evil.example"}, 403),
        ("page.js", {"Origin": "null"}, 403),
        ("page.js", {"Origin": "http://localhost:8321"}, 200),
        ("", {"Sec_Fetch_Site": "cross-site"}, 200),
        ("page.js", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("story?job=1", {"Sec_Fetch_Site": "same-site"}, 403),
        ("story?job=1", {"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_other_pages_get_nothing(
    page: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert asked(page, path, **headers)[0] == status


def test_every_answer_forbids_what_the_page_does_not_need(page: str) -> None:
    for path in ("", "page.js", "story?job=1", "nothing"):
        policy = asked(page, path)[1]["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert asked(page, path)[1]["Referrer-Policy"] == "no-referrer"
    picture = asked(page, "plot.svg?job=20")[1]["Content-Security-Policy"]
    assert picture == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_words_of_a_request_decide() -> None:
    assert refusal("localhost:1", {}, is_document=False) == ""
    assert refusal(None, {}, is_document=True)
    assert refusal("[::1", {}, is_document=True)
    assert is_token("abc", "abc")
    assert not is_token("ab\udce4", "abc")


def test_what_is_asked_for_wrongly_is_refused_in_words(page: str) -> None:
    assert asked(page, "story?job=x")[0] == 400
    assert asked(page, "cell?id=no")[0] == 404
    assert asked(page, "story?job=9999")[0] == 404
    assert asked(page, "story?job=1&part=7")[0] == 404
    assert asked(page, "../../etc/passwd")[0] == 404
    assert asked(page, "%2e%2e/page.js")[0] == 404
    status, _, text = asked(page, "plot.svg?job=1")
    assert status == 404
    assert "the source is not there" in text


def test_a_story_and_its_plot(page: str) -> None:
    """The 20th measurement was rejected: the journal kept what there is to plot."""
    viewer = Viewer(page)
    (first, *_) = json.loads(viewer.event("cells"))["cells"]
    viewer.close()
    assert first[1] == "cell-00000"
    cell = json.loads(asked(page, f"cell?id={first[3]}")[2])
    assert len(cell) == 20
    assert cell[19] == {
        "part": 0, "job": 20, "measurement": "019", "outcome": "rejected",
        "cause": "voltage_continuity", "rows": 4000,
    }  # fmt: skip
    story = json.loads(asked(page, "story?part=0&job=20")[2])
    assert story["title"] == "NMC 21700 / cell-00000 / 019"
    assert story["plot"] == "kept"
    assert [one["name"] for one in story["history"]] == ["SourceRejected"]
    svg = asked(page, "plot.svg?part=0&job=20")[2]
    assert svg.startswith("<svg")
    assert "flagged at row 519" in svg


def test_the_stream_sends_the_state_and_then_only_cells_that_changed(
    job: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "job"
    copytree(job, folder)
    with served(folder) as address:
        viewer = Viewer(address)
        state = json.loads(viewer.event("state"))
        assert (state["planned"], state["counts"]["created"], state["counts"]["rejected"]) == (
            63,
            56,
            4,
        )
        assert state["course"]["ended"]["created"]
        cells = json.loads(viewer.event("cells"))
        assert cells["whole"] is True
        assert cells["cells"][0][:3] == ["NMC 21700", "cell-00000", {"created": 19, "rejected": 1}]
        with Store(folder / FILE_NAME) as store:
            run = store.begin_run(
                "bulkload retry job", {"is_waiting": True}, BEGAN.timestamp() + 9000
            )
            with store.transaction():
                store.take_over_plan(run, store.plan_before(run))
                store.write("job_set", "planned", 1, columns=("state",))
                rejected = SourceRejected(cause="empty_file", message="empty")
                events.append(store, run, 1, BEGAN.timestamp() + 9001, rejected)
        changed = json.loads(viewer.event("cells"))
        assert changed["whole"] is False
        (only,) = changed["cells"]
        assert only[:3] == ["NMC 21700", "cell-00000", {"created": 18, "rejected": 2}]
        viewer.close()


def test_viewers_are_bounded_and_make_room_when_they_go(page: str) -> None:
    viewers = [Viewer(page) for _ in range(PAGE_CLIENTS)]
    assert [viewer.answer.status for viewer in viewers] == [200] * PAGE_CLIENTS
    refused = Viewer(page)
    assert refused.answer.status == 503
    assert b"viewers are watching" in refused.answer.read()
    for viewer in (*viewers, refused):
        viewer.close()

    def has_room() -> bool:
        viewer = Viewer(page)
        viewer.close()
        return viewer.answer.status == 200

    until(has_room, "a viewer that has gone makes room")


def test_it_ends_while_it_is_watched(
    job: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At any moment of its looks: each stream is ended properly, and nothing hangs or complains."""
    monkeypatch.setattr("bulkload.report.page.server.LOOK_EVERY_S", 0.0)
    for _ in range(4):
        with served(job) as address:
            viewers = [Viewer(address) for _ in range(3)]
            for viewer in viewers:
                viewer.event("state")
        for viewer in viewers:
            viewer.answer.read()
            assert viewer.answer.isclosed()
            viewer.close()
    assert caplog.records == []


def test_a_journal_that_is_slow_to_read_is_read_seldom(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read of 2 s is followed by none for 48 s: at most a twenty-fifth of the time."""
    clock = [100.0]
    reads: list[float] = []
    watch = Watch(job)

    def read(_: float) -> None:
        reads.append(clock[0])
        clock[0] += 2.0

    monkeypatch.setattr("bulkload.report.page.watch.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(watch, "_read_journal", read, raising=False)
    for _ in range(150):
        watch.look(0.0)
        clock[0] += 1.0
    assert reads == [100.0, 152.0, 204.0]


def test_a_job_that_has_not_begun_is_shown_as_that(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    with served(tmp_path / "job") as address:
        viewer = Viewer(address)
        state = json.loads(viewer.event("state"))
        assert (state["trouble"], state["liveness"], "planned" in state) == ("", "unknown", False)
        make_job(tmp_path / "job", JobSize(cells=1, measurements=20))
        while not json.loads(viewer.event("state")).get("planned"):
            pass
        viewer.close()


def test_a_job_of_several_parts_is_one_page(jobs: Jobs, start_studio: StartStudio) -> None:
    jobs.use(start_studio())
    specification(jobs.folder / "lab" / "spec")
    for number in range(4):
        path = jobs.folder / "lab" / "spec" / f"cell {number}" / "one.csv"
        write(path, series(seed=number))
    assert jobs.upload("lab", "--parts", "2").code == 0
    state = Watch(jobs.folder / "job").look(0.0)
    assert state.state["counts"]["created"] == 4
    assert len(state.cells) == 4
    assert len(state.state["parts"]) == 2
    with served(jobs.folder / "job") as address:
        viewer = Viewer(address)
        cells = json.loads(viewer.event("cells"))["cells"]
        viewer.close()
        assert sorted(one[1] for one in cells) == ["cell 0", "cell 1", "cell 2", "cell 3"]
        plotted: set[int] = set()
        for _, name, _, number in cells:
            (found,) = json.loads(asked(address, f"cell?id={number}")[2])
            story = json.loads(asked(address, f"story?part={found['part']}&job={found['job']}")[2])
            assert story["title"] == f"spec / {name} / one"
            if found["part"] not in plotted:
                # The source is read again, by a process of its own.
                svg = asked(address, f"plot.svg?part={found['part']}&job={found['job']}")[2]
                assert "Rows 0 to 59 of 60" in svg
                plotted.add(found["part"])
        assert plotted == {0, 1}


def test_upload_serves_it_for_the_length_of_the_run(jobs: Jobs, start_studio: StartStudio) -> None:
    studio = start_studio()
    specification(jobs.folder / "lab" / "spec")
    for number in range(3):
        write(jobs.folder / "lab" / "spec" / "cell" / f"{number}.csv", series(seed=number))
    words = ("upload", "lab", "--job", "job", "--workers", "1", "--page")
    with running(words, folder=jobs.folder, studio=studio) as started:
        ended = started.wait()
    assert ended.code == 0
    (line,) = [
        line for line in ended.err.splitlines() if line.startswith("page: http://127.0.0.1:")
    ]
    address = line.removeprefix("page: ")

    def has_ended() -> bool:
        try:
            return not asked(address)[0]
        except OSError:
            return True

    until(has_ended, "the page ends after its run")


def test_a_port_that_is_taken_is_said_and_the_run_goes_on(
    jobs: Jobs, start_studio: StartStudio
) -> None:
    jobs.use(start_studio())
    specification(jobs.folder / "lab" / "spec")
    write(jobs.folder / "lab" / "spec" / "cell" / "one.csv", series())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = jobs.upload("lab", "--page", str(port))
        again = [jobs.command(name, "job", "--page", str(port)) for name in ("resume", "retry")]
        alone = jobs.command("page", "job", "--port", str(port))
    for one in (ended, *again):
        assert one.code == 0
        assert f"page: the page cannot listen on port {port}" in one.err
    assert (alone.code, "give another one" in alone.err) == (2, True)


def test_the_page_beside_a_run_ends_with_its_input(job: Path) -> None:
    """As when the run is killed: its end of the pipe is closed by the system."""
    words = [sys.executable, "-m", "bulkload.report.page", str(job)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        assert asked(one.stdout.readline().strip())[0] == 200
        one.communicate(timeout=120)
        assert one.returncode == 0
