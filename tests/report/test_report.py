"""The report of a job: what it says of a real upload, and of made ones of any size."""

from __future__ import annotations

import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bulkload.demo import write_archive
from bulkload.report import limits, write
from bulkload.report.write import write_report
from scripts.make_job import JobSize, make_job
from tests.jobs import Jobs, StartStudio


class Text(HTMLParser):
    """The text of a page as a reader sees it, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"style", "script"}:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.words.append(data)

    def count(self, tag: str, **attributes: str) -> int:
        return sum(
            name == tag and all(found.get(key) == value for key, value in attributes.items())
            for name, found in self.tags
        )


def report_of(folder: Path, size: JobSize) -> Text:
    make_job(folder, size)
    write_report(folder, folder / "report.html")
    return Text((folder / "report.html").read_text("utf-8"))


def test_the_report_of_an_upload(jobs: Jobs, start_studio: StartStudio) -> None:
    """The sample archive: 56 entries, five of them bad on purpose, three of those readable."""
    jobs.use(start_studio())
    write_archive(jobs.folder / "archive")
    ended = jobs.upload("archive", "--report", "mine.html")
    assert ended.code == 3
    assert ended.job is not None
    html = (ended.job / "report.html").read_text("utf-8")
    found = Text(html)
    assert "Finished: 50 arrived, 5 did not" in found.text
    assert re.search(r"56 planned = 50 ✓ created \+ 0 = existing \+ 5 ▲ rejected", found.text)
    assert found.text.count("✓ adds up") == 2
    for cause in ("current_sign_reversed", "damaged", "empty_file", "step_count_missing"):
        assert f"bulkload retry {ended.job.name} --cause {cause}" in found.text
    assert "LTO-04/10 empty.csv: the file is empty (0 bytes); export it again" in found.text
    # Two of the five cannot be read: there is nothing of them to plot.
    assert found.count("figure", **{"class": "plot"}) == 3
    assert "Rows 0 to 4" in found.text
    assert "Measurements a minute" in found.text
    assert "12 cells" in found.text
    assert (jobs.folder / "mine.html").read_text("utf-8")[:5000] == html[:5000]


def test_no_credential_and_no_name_of_the_machine_is_in_it(tmp_path: Path) -> None:
    make_job(tmp_path / "job", JobSize(cells=2, measurements=30))
    write_report(tmp_path / "job", tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text("utf-8")
    assert "https://studio.example/api, project p-1" in html
    assert "secret" not in html
    assert "someone" not in html


def test_it_opens_offline(tmp_path: Path) -> None:
    found = report_of(tmp_path / "job", JobSize(cells=2, measurements=30))
    for tag, attributes in found.tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "report-pages/")), f"<{tag} {name}={value}>"


def test_every_number_is_the_journal_s(tmp_path: Path) -> None:
    """60 measurements: each 20th rejected, each 33rd there before, the rest created."""
    found = report_of(tmp_path / "job", JobSize(cells=3, measurements=20))
    assert re.search(
        r"63 planned = 56 ✓ created \+ 1 = existing \+ 4 ▲ rejected \+ 0 ✕ failed \+ 2 - skipped",
        found.text,
    )
    assert "Finished: 57 arrived, 4 did not" in found.text
    assert "current negated" in found.text
    assert "8 retries (server_error 8)" in found.text
    assert "Unreachable: 23:07:12 to 23:12:00 (no answer)." in found.text
    assert "dashed: api window" in found.text
    assert found.count("svg", **{"class": "spark"}) == 3


def test_an_unfinished_job_is_never_called_finished(tmp_path: Path) -> None:
    found = report_of(tmp_path / "job", JobSize(cells=3, measurements=20, open=7))
    assert "The last run is in progress, or was killed" in found.text
    assert "7 of 63 entries have no outcome yet" in found.text
    assert "Finished" not in found.text
    assert "○ 7 not done" in found.text


def test_what_is_too_much_is_in_pages_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "CELLS_INLINE": 2,
        "FILES_INLINE": 1,
        "FILES_PER_PAGE": 2,
        "PLOTS_INLINE": 3,
        "PLOTS_PER_PAGE": 2,
    }.items():
        monkeypatch.setattr(write, name, value)
    folder = tmp_path / "job"
    (folder / "report-pages").mkdir(parents=True)
    stale = folder / "report-pages" / "plots-09.html"
    stale.write_text("of an older report")
    found = report_of(folder, JobSize(cells=5, measurements=40))
    links = [
        str(one["href"]) for tag, one in found.tags if tag == "a" and "pages/" in str(one["href"])
    ]
    assert sorted(path.name for path in (folder / "report-pages").iterdir()) == sorted(
        Path(link).name for link in links
    )
    assert not stale.exists()
    pages = {link: Text((folder / link).read_text("utf-8")) for link in links}
    # 200 measurements, each 20th rejected with a plot: three are in the report.
    plots = [page for link, page in pages.items() if "plots-" in link]
    assert sum(page.count("figure", **{"class": "plot"}) for page in plots) == 7
    assert found.count("figure", **{"class": "plot"}) == 3
    files = [page.text for link, page in pages.items() if "cause-voltage" in link]
    assert "".join(files).count("the check voltage_continuity fails") == 4
    cells = [page.text for link, page in pages.items() if "cells-" in link]
    named = {name for text in [found.text, *cells] for name in re.findall(r"cell-\d{5}", text)}
    assert len(named) == 5


def test_plots_beyond_the_bound_are_counted(tmp_path: Path) -> None:
    make_job(tmp_path / "job", JobSize(cells=5, measurements=40))
    write_report(tmp_path / "job", tmp_path / "r.html", plots=4)
    assert "6 more are not drawn here" in Text((tmp_path / "r.html").read_text("utf-8")).text


def test_a_job_without_an_upload_has_no_report(jobs: Jobs) -> None:
    ended = jobs.command("report", jobs.folder)
    assert ended.code == 2
    assert "is not a job folder" in ended.err


def test_without_the_extra_one_sentence_says_what_to_install(
    jobs: Jobs, start_studio: StartStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bulkload.report import render

    jobs.use(start_studio())
    write_archive(jobs.folder / "archive")
    shutil.rmtree(jobs.folder / "archive" / "LTO pouch")
    render.environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    quiet = jobs.upload("archive", job="quiet")
    assert (quiet.code, "report" in quiet.err) == (0, False)
    assert not (jobs.folder / "quiet" / "report.html").exists()
    asked = jobs.upload("archive", "--report", "r.html", job="quiet")
    assert asked.code == 0
    assert (
        "no report: A report needs an optional package: pip install 'bulkload[report]'" in asked.err
    )
    refused = jobs.command("report", "quiet")
    assert (refused.code, refused.err.count("pip install 'bulkload[report]'")) == (2, 1)
    render.environment.cache_clear()


def test_the_bounds_leave_a_report_that_can_be_mailed() -> None:
    """10 MB, of which a plot takes 17 kB, a cell 2 kB, an entry 400 bytes."""
    assert limits.PLOTS_INLINE * 20_000 + limits.CELLS_INLINE * 2_000 < 5_000_000
    assert limits.MEASUREMENTS_INLINE * 500 < 3_000_000
