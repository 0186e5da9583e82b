"""What the live view shows, as text: widths, heights, names that nobody should trust."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bulkload.cli.commands.help import pages
from bulkload.cli.live.lines import duration, headline, live_lines, pace, plain_line, size
from bulkload.cli.live.notices import Notices
from bulkload.core.limiting import Limit, LimitName
from bulkload.core.outcome import OutcomeKind
from bulkload.core.snapshot import (
    Eta,
    FileInHand,
    Pause,
    RunSnapshot,
    RunState,
    StageName,
    StageState,
)

RUN = RunSnapshot(
    at=1_700_000_100.0,
    started_at=1_700_000_000.0,
    pid=1,
    host="lab",
    run=1,
    command="bulkload upload archive",
    state=RunState.RUNNING,
    planned=5000,
    counts={OutcomeKind.REJECTED: 14, OutcomeKind.CREATED: 1190},
    causes={"unreadable": 4, "time_origin": 10},
    stages=(
        StageState(name=StageName.PLAN, done=5000),
        StageState(name=StageName.PREPARE, queued=3780, in_flight=2, done=1218, capacity=2,
                   rate=6.5),
        StageState(name=StageName.API, queued=4, in_flight=3, done=1206, capacity=32, rate=6.4),
        StageState(name=StageName.STORAGE, in_flight=1, done=1206, capacity=4, rate=0.4),
        StageState(name=StageName.PROCESSING, in_flight=12, done=1190, rate=0.005),
    ),
    bytes_read=1_234_000_000,
    bytes_sent=340_000_000,
    bytes_read_rate=12_300_000,
    bytes_sent_rate=3_400_000,
    requests=5210,
    retries=3,
    files=(
        FileInHand(path="/data/cell/slow.csv", key="s", stage=StageName.PREPARE, age_s=75.0),
        FileInHand(path="/data/cell/b.csv", key="b", stage=StageName.STORAGE, age_s=3.2),
    ),
    files_in_hand=22,
    pauses=(Pause(what="POST /x", why="the server asked", until=1_700_000_112.0),),
    limit=Limit(name=LimitName.PARSING, detail="2 of 2 workers busy, 80% of their time"),
    eta=Eta(left=3796, rate=6.5, over_s=85.0),
)  # fmt: skip

AT_80 = """\
running: 1,204 of 5,000 done (24 %), 1 min 40 s, about 9 min 44 s left
  3,796 left at 6.5 a second, the pace of the last 85 s
              waiting    in hand      done       rate
plan                                 5,000
prepare         3,780        2/2     1,218      6.5/s
api                 4       3/32     1,206      6.4/s
storage                      1/4     1,206   24.0/min
processing                    12     1,190     18.0/h
1,190 created, 14 rejected
causes: time_origin (10), unreadable (4)
read 1.2 GB (12.3 MB/s), sent 340.0 MB (3.4 MB/s), 5,210 requests (3 retries)
limited by parsing (2 of 2 workers busy, 80% of their time)
  to change that: more cores, or more --workers where cores are idle
paused: POST /x: the server asked; until 22:15:12 UTC, 12 s more
in hand, the oldest of 22
1 min 15 s  prepare    /data/cell/slow.csv
       3 s  storage    /data/cell/b.csv"""


def shown(snapshot: RunSnapshot, width: int, height: int = 40) -> list[str]:
    return [line.plain.rstrip() for line in live_lines(snapshot, width, height)]


def test_a_run_at_80_columns() -> None:
    assert "\n".join(shown(RUN, 80)) == AT_80


def test_the_manual_shows_this_view_and_has_a_word_on_each_stage_and_limit() -> None:
    page = pages()["progress"]
    assert AT_80 in page
    named = set(re.findall(r"`([a-z ]+)`", page))
    assert {str(name) for name in StageName} <= named
    assert {str(name) for name in LimitName} - {"none"} <= named


def test_at_60_columns_long_lines_are_broken_between_words() -> None:
    lines = shown(RUN, 60)
    assert max(map(len, lines)) < 60
    assert lines[0] == "running: 1,204 of 5,000 done (24 %), 1 min 40 s, about 9 m…"
    assert "read 1.2 GB (12.3 MB/s), sent 340.0 MB (3.4 MB/s), 5,210" in lines
    assert "  requests (3 retries)" in lines


def test_at_200_columns_the_files_stand_beside_the_stages() -> None:
    lines = shown(RUN, 200)
    assert max(map(len, lines)) < 200
    assert (
        lines[3] == f"{'plan':<32}{'5,000':>10}{'':<16}1 min 15 s  prepare    /data/cell/slow.csv"
    )
    assert not any(line.startswith("in hand") for line in lines)


@pytest.mark.parametrize("height", [1, 5, 14, 16])
def test_a_low_terminal_gets_the_first_lines_and_the_files_go_first(height: int) -> None:
    assert shown(RUN, 80, height) == AT_80.splitlines()[:height]


def test_a_narrow_terminal_is_survived() -> None:
    assert max(map(len, shown(RUN, 10))) == 20


def test_names_from_files_and_servers_are_text() -> None:
    evil = "/data/\x1b[2J\u202e[bold]x[/bold]\n.csv"
    file = FileInHand(path=evil, key="", stage=StageName.PREPARE, age_s=1.0)
    pause = Pause(what="api", why="<b>\x07\x1b]0;title\x07")
    lines = shown(replace(RUN, files=(file,), pauses=(pause,)), 200)
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]" in text


def test_a_long_path_keeps_its_end() -> None:
    long = "/data/" + "folder/" * 40 + "電池 7.csv"
    file = FileInHand(path=long, key="", stage=StageName.PREPARE, age_s=1.0)
    line = shown(replace(RUN, files=(file,)), 80)[-1]
    assert line.startswith("       1 s  prepare    …")
    assert line.endswith("/電池 7.csv")


def test_a_plan_in_the_making_says_how_many_it_found() -> None:
    planning = replace(
        RUN, state=RunState.PLANNING, planned=0, counts={}, eta=None,
        stages=(StageState(name=StageName.PLAN, done=1234),),
    )  # fmt: skip
    assert headline(planning) == "planning: 1,234 found, 1 min 40 s"


def test_a_line_of_a_log_is_one_line() -> None:
    assert plain_line(RUN) == (
        "running: 1,204 of 5,000 done (24 %), 1 min 40 s, about 9 min 44 s left; "
        "1,190 created, 14 rejected; limited by parsing; 340.0 MB sent; 3 retries; "
        "paused: the server asked"
    )
    assert "\n" not in plain_line(replace(RUN, pauses=(Pause(what="api", why="a\nb"),)))


def test_all_but_one_is_not_all() -> None:
    nearly = replace(RUN, planned=1000, counts={"created": 999}, eta=None)
    assert headline(nearly) == "running: 999 of 1,000 done (99 %), 1 min 40 s"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 01 s"), (1800, "30 min"), (7500, "2 h 05 min"),
     (200_000, "2 days 7 h")],
)  # fmt: skip
def test_lengths_of_time(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_sizes_and_rates() -> None:
    assert [size(one) for one in (999, 1500, 2.5e6, 3e9, 4e12)] == [
        "999 B", "1.5 kB", "2.5 MB", "3.0 GB", "4.0 TB"
    ]  # fmt: skip
    assert [pace(one) for one in (0, 12.34, 0.5, 0.001)] == ["0/s", "12.3/s", "30.0/min", "3.6/h"]


def test_what_is_news_is_said_once() -> None:
    notices = Notices()
    first = replace(RUN, examples={"unreadable": "a.csv: no rows"})
    assert notices.of(RUN) == []
    assert notices.of(first) == ["unreadable: a.csv: no rows"]
    assert notices.of(first) == []


def test_a_server_that_is_away_and_back_is_said_with_the_time() -> None:
    notices = Notices()
    away = replace(RUN, pauses=(Pause(what="server", why="503 at api\x1b"),))
    assert notices.of(away) == [
        r"22:15:00 UTC: the server is unreachable, so everything waits: 503 at api\x1b"
    ]
    assert notices.of(replace(away, at=away.at + 30)) == []
    assert notices.of(replace(RUN, at=away.at + 90)) == [
        "22:16:30 UTC: the server answers again, after 1 min 30 s"
    ]
