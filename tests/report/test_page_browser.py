"""The page in a browser: it follows a run, by keyboard and for a screen reader too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from bulkload.core.lifecycle import Failed
from bulkload.journal import FILE_NAME, Store, events
from scripts.make_job import BEGAN, JobSize, make_job
from tests.report.conftest import PATIENCE_MS, Open, Opened
from tests.report.serving import behind_a_prefix, served
from tests.report.test_report_browser import HOSTILE, LONG

expect.set_options(timeout=PATIENCE_MS)

# A browser takes longer to start than most of these tests.
pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished job that the tests only look at."""
    folder = tmp_path_factory.mktemp("page") / "job"
    make_job(folder, JobSize(cells=12, measurements=10))
    return folder


@pytest.fixture(scope="module")
def page(job: Path) -> Iterator[str]:
    with served(job) as address:
        yield address


def loaded(open_page: Open, address: str, **options: object) -> Opened:
    """Open the page and wait for what the stream sends first."""
    opened = open_page(address, **options)
    expect(opened.page.locator("#cell-count")).to_contain_text("of 12 cells")
    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_accessible(open_page: Open, page: str, width: int, scheme: str) -> None:
    opened = loaded(open_page, page, width=width, scheme=scheme)
    window = opened.page
    window.get_by_text("As a table").first.click()
    window.get_by_text("As a table").last.click()
    window.locator("#tiles").get_by_role("button", name="cell-00001").click()
    window.locator("#cell-list").get_by_role("button", name="009").click()
    expect(window.locator("#story-plot img")).to_be_visible()
    assert opened.said == []
    assert opened.violations() == []
    assert opened.too_wide() == []


def test_it_asks_its_own_server_only(open_page: Open, page: str) -> None:
    opened = loaded(open_page, page)
    assert all(address.startswith(page) for address in opened.asked), opened.asked
    assert opened.said == []
    for name in (
        "Now",
        "Throughput",
        "Stages, lanes and workers",
        "Cells",
        "Causes",
        "Last events",
    ):
        assert opened.page.get_by_role("region", name=name, exact=True).count() == 1


def test_it_follows_the_run(open_page: Open, tmp_path: Path) -> None:
    make_job(tmp_path / "job", JobSize(cells=12, measurements=10, open=30))
    with served(tmp_path / "job") as address:
        window = loaded(open_page, address).page
        expect(window.locator("#headline")).to_contain_text("93 of 123 entries have an outcome")
        last = window.locator("#tiles").get_by_role("button", name="cell-00011")
        expect(last).to_have_class("tile is-not-done")
        with Store(tmp_path / "job" / FILE_NAME) as store, store.transaction():
            for number in range(30):
                failed = Failed(cause="conflict", message="no such channel")
                events.append(store, 1, 91 + number, BEGAN.timestamp() + 7000 + number, failed)
        expect(last).to_have_class("tile is-failed")
        expect(last).to_have_attribute("aria-label", "cell-00011, NMC 21702: 10 failed")
        expect(window.locator("#causes")).to_contain_text("no such channel")
        expect(window.locator("#events li").first).to_contain_text("Failed")
        # A screen reader hears of it.
        assert window.get_by_role("status").inner_text() != ""


def test_the_filters(open_page: Open, page: str) -> None:
    window = loaded(open_page, page).page
    window.get_by_role("combobox", name="Outcome").select_option("rejected")
    expect(window.locator("#cell-count")).to_have_text("6 of 12 cells")
    window.get_by_role("searchbox", name="Name").fill("0000")
    expect(window.locator("#cell-count")).to_have_text("5 of 12 cells")
    assert window.locator(".tile:visible").count() == 5
    window.get_by_role("combobox", name="Outcome").select_option("failed")
    expect(window.locator("#cell-count")).to_have_text("0 of 12 cells")


def test_the_keyboard_is_enough(open_page: Open, page: str) -> None:
    window = loaded(open_page, page).page
    window.get_by_role("combobox", name="Outcome").focus()
    window.keyboard.press("Tab")
    name = "document.activeElement.querySelector('.name')?.textContent"
    first = window.evaluate(name)
    window.keyboard.press("ArrowRight")
    second = window.evaluate(name)
    assert first != second
    window.keyboard.press("End")
    window.keyboard.press("Home")
    assert window.evaluate(name) == first
    window.keyboard.press("Enter")
    heading = window.get_by_role("heading", name=first).first
    expect(heading).to_be_focused()
    expect(window.locator("#cell-list button")).to_have_count(10)
    # The list scrolls by keyboard; then its first measurement.
    window.keyboard.press("Tab")
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    expect(window.locator("#story-title")).to_be_focused()
    expect(window.locator("#story-title")).to_contain_text(first)
    window.keyboard.press("Escape")
    expect(window.locator("#story")).to_be_hidden()
    assert window.evaluate(name) == first


def test_the_focus_stays_in_the_events_while_the_page_goes_on(open_page: Open, page: str) -> None:
    window = loaded(open_page, page).page
    second = window.locator("#events button").nth(1)
    second.focus()
    seen = window.locator("#seen").inner_text()
    expect(window.locator("#seen")).not_to_have_text(seen)
    expect(second).to_be_focused()


def test_a_picture_has_words(open_page: Open, page: str) -> None:
    window = loaded(open_page, page).page
    window.locator("#tiles").get_by_role("button", name="cell-00001").click()
    window.locator("#cell-list").get_by_role("button", name="009").click()
    picture = window.locator("#story-plot img")
    expect(picture).to_be_visible()
    assert "flagged at row 519" in (picture.get_attribute("alt") or "")
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 100
    expect(window.locator("#story-facts")).to_contain_text("voltage_continuity")


def test_behind_the_prefix_of_a_proxy(open_page: Open, page: str) -> None:
    with behind_a_prefix(page) as outside:
        assert "/lab/jobs/" in urlsplit(outside).path
        opened = loaded(open_page, outside)
        window = opened.page
        window.locator("#tiles").get_by_role("button", name="cell-00001").click()
        window.locator("#cell-list").get_by_role("button", name="009").click()
        expect(window.locator("#story-plot img")).to_be_visible()
        assert opened.said == []
        assert all(address.startswith(outside) for address in opened.asked)
        window.close()


def test_whatever_names_and_messages_hold_is_text(open_page: Open, tmp_path: Path) -> None:
    make_job(tmp_path / "job", JobSize(cells=2, measurements=40, spice=HOSTILE + LONG))
    with served(tmp_path / "job") as address:
        opened = open_page(address, width=400)
        window = opened.page
        expect(window.locator("#cell-count")).to_contain_text("2 of 2 cells")
        assert opened.too_wide() == []
        window.locator(".tile").first.click()
        expect(window.locator("#cell-list button")).to_have_count(40)
        assert opened.too_wide() == []
        # A name that is long takes a few lines of a list, and not the screen.
        for place in ("#events li", "#cell-list li"):
            heights = window.locator(place).evaluate_all("all => all.map(one => one.offsetHeight)")
            assert 0 < max(heights) < 250
        window.locator("#cell-list button").nth(19).click()
        expect(window.locator("#story-plot img")).to_be_visible()
        assert opened.said == []
        assert window.title() == "Finished: 5 of 83 entries did not arrive · job"
        assert window.locator("main img").count() == 1
        assert window.locator("a[href^='javascript']").count() == 0
        text = window.locator("body").text_content() or ""
        assert "<script>document.title='owned'</script><img src=x onerror=alert(1)>" in text
        assert LONG in text
        assert "\\u202egnp.exe \\x1b[2J" in text
        assert "\u202e" not in text
        assert opened.too_wide() == []
        opened.unfold()
        window.get_by_role("combobox", name="Outcome").select_option("rejected")
        expect(window.locator("#cell-rows tr")).to_have_count(2)
        assert opened.too_wide() == []
        assert opened.violations() == []


def test_it_says_when_its_server_is_gone(open_page: Open, job: Path) -> None:
    with served(job) as address:
        window = loaded(open_page, address).page
    expect(window.locator("#detail")).to_contain_text("No connection to the page's server")
    expect(window.get_by_role("status")).to_have_text("Connection lost: trying again")
