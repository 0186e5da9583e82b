"""The report in a browser: it works, asks for nothing, and whatever is in it is only text."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkload.report.write import write_report
from scripts.make_job import JobSize, make_job
from tests.report.conftest import Open

# A browser takes longer to start than most of these tests.
pytestmark = pytest.mark.xdist_group("browser")

LONG = "x" * 10_000
#: What names and messages of others may hold. A file name holds less, a server's message all of it.
HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    '"\'><a href="javascript:alert(1)">javascript:alert(2)</a> {{7*7}} \u202egnp.exe \x1b[2J '
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "job"
    make_job(folder, JobSize(cells=12, measurements=10))
    write_report(folder, folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_accessible(open_page: Open, report: Path, width: int, scheme: str) -> None:
    opened = open_page(report.as_uri(), width=width, scheme=scheme)
    for each in opened.page.locator("details").all()[:3]:
        each.evaluate("one => one.open = true")
    assert opened.violations() == []
    assert opened.said == []
    # Nothing is wider than the window.
    assert opened.too_wide() == []


def test_it_asks_for_nothing_but_itself(open_page: Open, report: Path) -> None:
    opened = open_page(report.as_uri())
    assert opened.asked == [report.as_uri()]
    assert opened.said == []


def test_the_filter_works_by_keyboard(open_page: Open, report: Path) -> None:
    page = open_page(report.as_uri()).page
    status = page.get_by_role("status")
    assert status.inner_text() == "12 of 12 cells"
    page.get_by_label("Name").focus()
    page.keyboard.type("00003")
    assert status.inner_text() == "1 of 12 cells"
    assert page.locator("#cells tbody tr:visible").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    # Of every twenty measurements one is rejected: this cell has the 40th.
    assert status.inner_text() == "1 of 12 cells"
    page.get_by_label("Name").fill("00002")
    assert status.inner_text() == "0 of 12 cells"


def test_the_first_link_leads_past_the_navigation(open_page: Open, report: Path) -> None:
    page = open_page(report.as_uri()).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"


def test_whatever_names_and_messages_hold_is_text(open_page: Open, tmp_path: Path) -> None:
    make_job(tmp_path / "job", JobSize(cells=2, measurements=40, spice=HOSTILE + LONG))
    write_report(tmp_path / "job", tmp_path / "job" / "report.html")
    opened = open_page((tmp_path / "job" / "report.html").as_uri(), width=400)
    page = opened.page
    assert page.title() == "job · bulkload report"
    assert opened.said == []
    assert page.locator("img, a[href^='javascript']").count() == 0
    assert page.locator("script").count() == 1
    text = page.locator("body").text_content() or ""
    assert "<script>document.title='owned'</script><img src=x onerror=alert(1)>" in text
    assert LONG in text
    assert "{{7*7}}" in text
    # What would turn the order of letters, or a terminal, is seen as what it is.
    assert "\\u202egnp.exe \\x1b[2J" in text
    assert "\u202e" not in text
    assert opened.too_wide() == []
    opened.unfold()
    assert opened.too_wide() == []
    assert opened.violations() == []
