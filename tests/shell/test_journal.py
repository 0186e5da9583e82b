"""The journal: what was committed is there, what follows agrees, what is damaged is told."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bulkload.core.lifecycle import (
    TRANSITIONS,
    Act,
    Attempting,
    Confirmed,
    Event,
    Extended,
    Failed,
    Found,
    GaveUp,
    IllegalEventError,
    Initiated,
    JobState,
    ParentsKnown,
    ProcessingFailed,
    ProcessingReady,
    RawAttached,
    Restarted,
    RolledBack,
    SourcePrepared,
    SourceRejected,
    Stored,
    UrlExpired,
    advance,
)
from bulkload.core.plan_items import Checks, UploadJob
from bulkload.core.terms import JobKey, MeasurementType
from bulkload.errors import JournalBusyError, JournalError
from bulkload.journal import FILE_NAME, LOG_NAME, Store, database, events
from bulkload.journal.codec import (
    dump,
    event_from_text,
    event_to_text,
    job_from_text,
    job_to_text,
)
from bulkload.journal.database import connect
from bulkload.journal.journal import open_journal
from bulkload.journal.lock import exclusive
from bulkload.journal.recordfile import read_records
from bulkload.localstudio import LocalStudio
from tests.archives import archive
from tests.jobs import Jobs, running
from tests.official import judge_of

TEXT = st.text(max_size=8)
IDS = st.sampled_from(["m1", "m2", "m3"])
#: Events of each kind.
EVENTS: dict[type[Event], st.SearchStrategy[Any]] = {
    Attempting: st.builds(Attempting, act=st.sampled_from(Act)),
    SourcePrepared: st.builds(
        SourcePrepared,
        rows=st.integers(0, 9),
        size_bytes=st.integers(0, 9),
        sha256=TEXT,
        content_digest=TEXT,
        source_bytes=st.integers(0, 9),
        source_mtime_ns=st.integers(0, 9),
        source_sha256=TEXT,
        columns=st.lists(TEXT, max_size=3).map(tuple),
    ),
    ParentsKnown: st.builds(ParentsKnown, instance_id=IDS),
    Initiated: st.builds(Initiated, measurement_id=IDS),
    UrlExpired: st.builds(UrlExpired),
    Stored: st.builds(Stored),
    Extended: st.builds(Extended, measurement_id=IDS),
    RawAttached: st.builds(RawAttached, raw_data_id=TEXT),
    Confirmed: st.builds(Confirmed, measurement_id=IDS),
    ProcessingReady: st.builds(ProcessingReady, ready_updated_at=st.none() | TEXT),
    ProcessingFailed: st.builds(ProcessingFailed, message=TEXT),
    Found: st.builds(Found, measurement_id=IDS),
    SourceRejected: st.builds(SourceRejected, cause=TEXT, message=TEXT),
    Failed: st.builds(Failed, cause=TEXT, message=TEXT),
    GaveUp: st.builds(GaveUp, cause=TEXT, message=TEXT),
    RolledBack: st.builds(RolledBack),
    Restarted: st.builds(Restarted, reason=TEXT),
}


def a_job(number: int = 0) -> UploadJob:
    return UploadJob(key=JobKey("spec", f"cell {number % 3}", f"run {number}"), path=f"{number}")


def new_journal(path: Path | None, jobs: int = 1) -> Store:
    store = Store(path)
    store.begin_run("bulkload upload", {"url": None}, 0.0)
    with store.transaction():
        for number in range(jobs):
            job = a_job(number)
            store.add_job(1, job, job_to_text(job), "recipe")
    return store


# What follows from the events ----------------------------------------------------------------


class Replay(RuleBasedStateMachine):
    """Any events in any order: what the journal says of a job is what its events say."""

    def __init__(self) -> None:
        super().__init__()
        self.store = new_journal(None)
        self.given: set[str] = set()

    def teardown(self) -> None:
        self.store.close()

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Only what can happen: the far ends of a life are reached."""
        state = self.store.get_job(1).state
        kinds = [kind for kind in EVENTS if (state, kind) in TRANSITIONS]
        self.append(data.draw(st.sampled_from(kinds).flatmap(EVENTS.__getitem__)))

    @rule(event=st.one_of(*EVENTS.values()))
    def happen(self, event: Event) -> None:
        before = self.store.get_job(1)
        if (before.state, type(event)) in TRANSITIONS:
            self.append(event)
        else:
            with pytest.raises(IllegalEventError):
                self.append(event)
            assert self.store.get_job(1) == before

    def append(self, event: Event) -> None:
        with self.store.transaction():
            events.append(self.store, 1, 1, 0.0, event)
        if isinstance(event, Initiated | Confirmed):
            self.given.add(event.measurement_id)

    @invariant()
    def the_row_is_what_the_events_say(self) -> None:
        row = self.store._connection.execute("SELECT * FROM job WHERE id=1").fetchone()
        meant = replayed(self.store._connection)
        assert {name: row[name] for name in meant} == meant
        assert self.store.known_ids(1) == self.given


NO_WORDS: dict[str, Any] = {"cause": "", "message": ""}
#: What the events clear that end what was before.
OVER: dict[type[Event], dict[str, Any]] = {
    Found: NO_WORDS,
    Confirmed: NO_WORDS,
    ProcessingReady: NO_WORDS,
    RolledBack: {"raw_data_id": None},
    Restarted: NO_WORDS | {"has_given_up": 0, "is_extending": 0, "raw_data_id": None},
}


def replayed(connection: sqlite3.Connection) -> dict[str, Any]:
    """Fold the events of job 1 into what its row should say: a second, plainer telling."""
    said: dict[str, Any] = {
        "cause": "", "message": "", "has_given_up": 0, "is_extending": 0, "measurement_id": None,
        "raw_data_id": None,
    }  # fmt: skip
    stored: dict[str, Any] = dict.fromkeys(
        ("stored_id", "stored_rows", "stored_digest", "stored_source_mtime_ns")
    )
    last: SourcePrepared | None = None
    state = JobState.PLANNED
    for row in connection.execute("SELECT name, payload FROM event WHERE job=1 ORDER BY id"):
        event = event_from_text(row["name"], row["payload"])
        state = advance(state, event)
        fields = asdict(event)
        for name in ("measurement_id", "raw_data_id", "cause", "message"):
            said[name] = fields.get(name, said[name])
        said |= OVER.get(type(event), {})
        stored = stored_after(event, said, last, stored)
        match event:
            case SourcePrepared():
                last = event
            case GaveUp():
                said["has_given_up"] = 1
            case ProcessingFailed():
                said["cause"] = "processing_failed"
            case Restarted():
                last = None
            case Extended():
                said["is_extending"] = 1
            case ProcessingReady():
                said["is_extending"] = 0
            case _:
                pass
    return {"state": state.value} | said | stored


def stored_after(
    event: Event, said: dict[str, Any], last: SourcePrepared | None, stored: dict[str, Any]
) -> dict[str, Any]:
    """Return what Studio holds of the source after an event."""
    match event:
        case Stored():
            return holds(said["measurement_id"], last)
        case ProcessingReady() if said["is_extending"]:
            return holds(said["measurement_id"], last)
        case Confirmed() if last is not None:
            # Another record is confirmed only once it was compared with what was prepared last.
            is_other = event.measurement_id != stored["stored_id"]
            if is_other or last.content_digest == stored["stored_digest"]:
                return holds(event.measurement_id, last)
    return stored


def holds(measurement_id: str, prepared: SourcePrepared | None) -> dict[str, Any]:
    assert prepared is not None
    return {
        "stored_id": measurement_id,
        "stored_rows": prepared.rows,
        "stored_digest": prepared.content_digest,
        "stored_source_mtime_ns": prepared.source_mtime_ns,
    }


Replay.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestReplay = Replay.TestCase


@pytest.mark.parametrize(
    "event",
    [
        Attempting(act=Act.CONFIRM),
        Failed(cause="a", message='quote " and 🔋 and \n'),
        ProcessingReady(),
        SourcePrepared(
            rows=1,
            size_bytes=2,
            sha256="a",
            content_digest="b",
            source_bytes=3,
            source_mtime_ns=4,
            source_sha256="c",
            columns=("Time [s]",),
        ),
    ],
)
def test_an_event_reads_back_as_it_was_written(event: Event) -> None:
    assert event_from_text(type(event).__name__, event_to_text(event)) == event


def test_a_job_reads_back_as_it_was_written() -> None:
    job = UploadJob(
        key=JobKey("spec", "cell", 'run "1" 🔋'),
        type=MeasurementType.FILE,
        path="/data/x.csv",
        member="Sheet 2",
        reader="maccor",
        data_type="eis",
        batch="LOT-7",
        metadata={"notes": "n", "protocol": {"name": "p"}, "tags": ["a"]},
        checks=Checks(
            strict=False,
            skip_checks=frozenset({"time_gaps"}),
            rated_capacity=2.0,
            voltage_window=(2.5, 4.2),
        ),
    )
    assert job_from_text(job_to_text(job)) == job
    for one in (job, replace(job, checks=Checks(), day_first=True, expects_new=True)):
        # Journals of earlier runs hold the text that the encoder writes.
        assert job_to_text(one) == dump(json.loads(job_to_text(one)))


# The file -------------------------------------------------------------------------------------


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:2000] = b"\xff" * 1900
    path.write_bytes(data)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photo (id)")


def of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=999")


SPOILED = {
    "damaged": (damaged, "malformed"),
    "text": (lambda path: path.write_text("no database at all " * 100), "not a database"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "malformed"),
    "foreign": (foreign, "not a journal of bulkload"),
    "another version": (of_another_version, "version 999"),
}


@pytest.mark.parametrize("case", ["text", "foreign", "another version"])
@pytest.mark.parametrize("read_only", [False, True], ids=["write", "read"])
def test_a_file_that_is_no_journal_is_not_opened(
    case: str, *, read_only: bool, tmp_path: Path
) -> None:
    path = tmp_path / FILE_NAME
    new_journal(path).close()
    spoil, words = SPOILED[case]
    spoil(path)
    with pytest.raises(JournalError, match=words) as told:
        Store(path, is_read_only=read_only)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("case", SPOILED)
@pytest.mark.parametrize("command", ["upload", "status"])
def test_a_command_on_a_spoiled_journal_ends_with_a_sentence(
    case: str, command: str, jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    archive(tmp_path / "archive", measurements=1)
    (tmp_path / "job").mkdir()
    path = tmp_path / "job" / FILE_NAME
    with new_journal(path, jobs=50) as store:
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoil, words = SPOILED[case]
    spoil(path)
    jobs.use(studio)
    ended = jobs.upload("archive") if command == "upload" else jobs.command("status", "job")
    assert ended.code == 2, ended.out + ended.err
    assert "journal" in ended.err
    assert words in ended.err
    assert studio.requests.total == 0


def test_a_lock_is_held_by_one_and_let_go_at_the_end(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path),
        pytest.raises(JournalBusyError, match="another run"),
        exclusive(tmp_path),
    ):
        pytest.fail("two hold it")
    with exclusive(tmp_path):
        pass


# The writer -----------------------------------------------------------------------------------

#: Seconds after which a test that waits for a write has waited for one that never comes.
WRITER_LIMIT_S = 10


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database_path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / FILE_NAME
    with new_journal(path, jobs=500):
        yield path


@pytest.fixture(params=["database", "log"])
def journal_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Give a journal in either form: a log that is not begun decides for the folder."""
    path = tmp_path / FILE_NAME
    if request.param == "log":
        (tmp_path / LOG_NAME).touch()
    with new_journal(path, jobs=500):
        yield path


@pytest.mark.anyio
@pytest.mark.timeout(WRITER_LIMIT_S)
async def test_events_that_come_together_share_a_commit(journal_path: Path) -> None:
    synced = commits_of(journal_path)
    states: list[JobState] = []

    async with open_journal(journal_path, 1, lambda: 0.0) as journal:

        async def append(job: int) -> None:
            states.append(await journal.append(job, Failed(cause="a", message="b")))

        async with anyio.create_task_group() as group:
            for job in range(1, 501):
                group.start_soon(append, job)
    assert states == [JobState.FAILED] * 500
    commits = commits_of(journal_path) - synced
    assert commits < 50, "500 events took a commit each"


def commits_of(path: Path) -> int:
    """Return a number that grows by one with each commit of another connection."""
    log = path.with_name(LOG_NAME)
    if log.exists():
        return len(list(read_records(log)))
    with closing(sqlite3.connect(path)) as connection:
        wal = path.with_name(path.name + "-wal")
        # A commit is a frame of the write-ahead log whose header says the size of the database.
        connection.execute("SELECT 1 FROM run").fetchone()
        if not wal.exists():
            return 0
        data = wal.read_bytes()
    size = 24 + int.from_bytes(data[8:12], "big")
    return sum(
        int.from_bytes(data[at + 4 : at + 8], "big") > 0 for at in range(32, len(data) - 24, size)
    )


@pytest.mark.anyio
@pytest.mark.timeout(WRITER_LIMIT_S)
async def test_an_event_is_on_disk_when_append_returns(journal_path: Path) -> None:
    async with open_journal(journal_path, 1, lambda: 0.0) as journal:
        await journal.append(7, Failed(cause="a", message="b"))
        with Store(journal_path, is_read_only=True) as reader:
            assert reader.get_job(7).state is JobState.FAILED


@pytest.mark.anyio
@pytest.mark.timeout(WRITER_LIMIT_S)
@pytest.mark.parametrize(
    ("on_network", "mode", "level"),
    # SQLite's numbers: 2 is FULL, 3 is EXTRA. NORMAL (1) loses commits when the power goes.
    [(False, "wal", 2), (True, "delete", 3)],
)
async def test_a_commit_is_made_to_survive_a_loss_of_power(
    *, on_network: bool, mode: str, level: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FILE_NAME
    new_journal(path).close()
    monkeypatch.setattr(database, "is_on_network", lambda _: on_network)
    async with open_journal(path, 1, lambda: 0.0) as journal:

        def durability(store: Store) -> tuple[str, int]:
            connection = store._connection
            (journal_mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
            return journal_mode, synchronous

        assert await journal._write(durability) == (mode, level)


@pytest.mark.anyio
@pytest.mark.timeout(WRITER_LIMIT_S)
async def test_a_writer_that_cannot_write_fails_the_event_and_those_after(
    database_path: Path,
) -> None:
    """A full disk, as SQLite meets it: no page more."""
    with closing(sqlite3.connect(database_path)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    long = Failed(cause="a" * 500, message="b" * 500)
    written = 0
    async with open_journal(database_path, 1, lambda: 0.0) as journal:
        limit = f"PRAGMA max_page_count={pages + 20}"
        await journal._write(lambda one: one._connection.execute(limit).fetchall())

        async def append_all() -> None:
            nonlocal written
            for job in range(1, 500):
                await journal.append(job, long)
                written += 1

        with pytest.raises(JournalError, match="cannot be written"):
            await append_all()
        with pytest.raises(JournalError, match="cannot be written"):
            await journal.append(500, Failed(cause="a" * 50_000, message="b"))
    # What was told as written is there; the one that failed left nothing half done.
    with closing(connect(database_path, is_read_only=True)) as reader:
        failed = reader.execute("SELECT COUNT(*) FROM job WHERE state='failed'").fetchone()[0]
        written_events = reader.execute("SELECT COUNT(*) FROM event").fetchone()[0]
    assert failed == written_events == written > 0


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_disk_that_fills_up_stops_the_run_and_the_next_one_goes_on(
    studio: LocalStudio, tmp_path: Path
) -> None:
    """No file may grow past a limit: the journal's log is the first that would."""
    import resource

    made = archive(tmp_path / "archive", cells=4, measurements=10)
    words = ["upload", "archive", "--job", "job", "--workers", "1", "--connections", "2"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    with running(words, folder=tmp_path, studio=studio, preexec_fn=limit) as run:
        ended = run.wait()
    assert "Traceback" not in ended.err, ended.err
    assert ended.code == 5, ended.out + ended.err
    assert "journal" in ended.out + ended.err
    assert (ended.out + ended.err).rstrip().endswith("bulkload " + " ".join(words))
    with running(words, folder=tmp_path, studio=studio) as run:
        again = run.wait()
    assert again.code == 0, again.out + again.err
    assert again.counts == {"created": len(made)}
    with judge_of(studio) as judge:
        assert set(judge.by_key()) == set(made)
