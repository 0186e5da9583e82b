"""A browser for report and page: the system's Chromium, and what it said and asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

#: Names of the browser, in the order in which they are looked for.
NAMES = ("chromium", "chromium-browser", "google-chrome")
#: How long the browser may take for one act on a busy machine, in milliseconds.
PATIENCE_MS = 60_000


@dataclass(kw_only=True)
class Opened:
    """A page, with what it wrote to the console and which addresses it asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page as it stands."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
            for one in found
            for node in one["nodes"]
        ]

    def too_wide(self) -> list[str]:
        """Return what makes the page wider than its window, as it stands; empty where nothing does.

        What scrolls within itself may be as wide as it likes.
        """
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found

    def unfold(self) -> None:
        """Open all that is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


#: The page's width where it is more than the window's, and the elements whose content stands out.
_TOO_WIDE = """() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const wide = [...document.querySelectorAll('body *')].filter(
        one => one.scrollWidth > root.clientWidth && getComputedStyle(one).overflowX === 'visible');
    return [`${root.scrollWidth} pixels`, ...wide.map(
        one => `${one.localName}#${one.id} in ${one.parentNode.id}: ${one.scrollWidth}`)];
}"""

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; skipped where there is none, which in CI is a failure.

    While it is open its own event loop runs in this thread: it ends with the module, so that
    commands of other tests can run theirs.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = f"no browser on the path ({', '.join(NAMES)}); apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # The tests may run as root in a container, where Chromium's own sandbox cannot.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """Open an address in a window of a width, in light or dark."""
    with ExitStack() as stack:

        def open_(url: str, *, width: int = 1280, scheme: Any = "light") -> Opened:
            context = chromium.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            opened = Opened(page=page)
            page.on("console", lambda message: opened.said.append(message.text))
            page.on("pageerror", lambda error: opened.said.append(str(error)))
            page.on("request", lambda request: opened.asked.append(request.url))
            page.goto(url)
            return opened

        yield open_
