"""``bulkload show --plot``: the table as it was read, in the terminal and as a file."""

from __future__ import annotations

import pytest
from rich.console import Console

from bulkload.cli.commands.show_plot import Plots
from bulkload.demo import write_archive
from tests.archives import series, specification, write
from tests.jobs import Jobs, StartStudio, running

BAD = "archive/LTO pouch/LTO-04/08 time runs back.csv"


def test_in_the_terminal_the_curve_has_its_marks(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_archive(jobs.folder / "archive")
    ended = jobs.command("show", BAD, "--plot")
    assert ended.code == 3
    lines = ended.out.splitlines()
    begin = lines.index("Voltage [V]")
    assert "flagged at row 50" in lines[begin - 1]
    assert lines[begin + 1].startswith("   2.691 │")
    assert lines[begin + 8].startswith("   1.743 │")
    # Row 50 of 4,595, on 70 columns.
    assert lines[begin + 9] == " flagged │ ▲"
    assert lines[begin + 10].split() == ["row", "0", "4,594"]
    assert lines[begin + 11] == "Current [A]"
    assert all(len(line) <= 80 for line in lines[begin:])


def test_a_file_is_drawn_by_its_ending(jobs: Jobs) -> None:
    write_archive(jobs.folder / "archive")
    svg = jobs.command("show", BAD, "--plot", "a.svg")
    assert svg.out.splitlines()[-1] == "plot: a.svg"
    text = (jobs.folder / "a.svg").read_text("utf-8")
    assert "<title" in text
    assert "flagged at row 50" in text
    assert "var(--voltage)" in text
    jobs.command("show", BAD, "--plot", "a.png")
    assert (jobs.folder / "a.png").read_bytes().startswith(b"\x89PNG")
    refused = jobs.command("show", BAD, "--plot", "a.gif")
    assert (refused.code, refused.out) == (2, "")
    assert "--plot a.gif: a plot is written as .svg or .png" in refused.err


def test_a_file_that_is_fit_is_plotted_whole_with_its_spike(jobs: Jobs) -> None:
    write(jobs.folder / "fit.csv", series(rows=5000, steps=10))
    ended = jobs.command("show", "fit.csv", "--no-strict", "--plot")
    assert ended.code == 0
    assert "Rows 0 to 4,999 of 5,000" in ended.out


def test_a_table_without_voltage_and_current_has_no_plot(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Plots(Console(), None).draw("", "title")
    assert capsys.readouterr().out == "nothing to plot: no table with voltage or current was read\n"


def test_a_terminal_that_cannot_draw_is_told_so(jobs: Jobs) -> None:
    write(jobs.folder / "fit.csv", series(rows=5000, steps=10))
    words = ("show", "fit.csv", "--no-strict", "--plot")
    with running(words, folder=jobs.folder, environment={"PYTHONIOENCODING": "ascii"}) as one:
        ended = one.wait()
    assert ended.code == 0
    assert "this terminal cannot draw curves; name a file after --plot" in ended.out


def test_a_measurement_of_a_job_is_read_again_as_the_job_read_it(
    jobs: Jobs, start_studio: StartStudio
) -> None:
    jobs.use(start_studio())
    folder = jobs.folder / "lab" / "spec"
    specification(folder)
    write(folder / "cell" / "one.csv", series(rows=400))
    table = series(rows=400, seed=3)
    late = table.set_column(0, "Time [s]", [[float(10 * row + 5) for row in range(400)]])
    write(folder / "cell" / "late.csv", late)
    assert jobs.upload("lab").code == 3
    ended = jobs.command("show", "one", "--job", "job", "--plot")
    assert "Rows 0 to 399 of 400" in ended.out
    # The source has gone: the journal still has what was rejected.
    (folder / "cell" / "late.csv").unlink()
    ended = jobs.command("show", "late", "--job", "job", "--plot", "late.svg")
    assert ended.out.splitlines()[-1] == "plot: late.svg"
    assert "of 400; voltage" in (jobs.folder / "late.svg").read_text("utf-8")
