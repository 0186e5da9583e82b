"""Every page of the manual, and the README: its examples run, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkload.cli.commands.help import pages
from tests.conftest import ROOT
from tests.jobs import Jobs
from tests.manual.examples import Page, blocks, commands, matches

MANUAL = ROOT / "bulkload" / "manual"
PAGES = {"README": ROOT / "README.md"} | {name: MANUAL / f"{name}.md" for name in pages()}

#: What may stand in an ``sh`` block, which is not run: what needs a network, or a folder with the
#: sources of bulkload, or changes the home folder.
UNTESTED = re.compile(
    r"make \w+( +#.*)?|bulkload --install-completion"
    r"|(pip|apt|brew) install .+|ssh -L .+|python scripts/(?P<script>\w+\.py).*"
    r"|export IONWORKS_\w+=.*"
)

every_page = pytest.mark.parametrize("path", PAGES.values(), ids=list(PAGES))


@pytest.mark.timeout(300)
@every_page
def test_the_examples_of_a_page_run(path: Path, page: Page) -> None:
    page.run(path.read_text("utf-8"))


@every_page
def test_what_is_not_run_is_of_a_known_kind(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n```") == 2 * len(blocks(text)), "each fenced block names its language"
    for block in blocks(text):
        if block.file is not None:
            assert f"`{block.file}`" in text, f"the page does not name {block.file}"
        if block.language == "sh":
            for line in block.text.splitlines():
                found = UNTESTED.fullmatch(line)
                assert found, f"{line!r} could run: make it a console block"
                assert found["script"] is None or (ROOT / "scripts" / found["script"]).exists()


@every_page
def test_a_page_begins_with_its_title_and_its_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.match(r"# \S.*\n\n\S", text), "a page begins with its title and a paragraph"
    for label, target in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        led = path if not file else path.parent / file
        assert led.exists(), f"[{label}]({target}) leads nowhere"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", led.read_text("utf-8"), re.MULTILINE)
            assert anchor in {slug(title) for title in titles}, f"{target}: no such section"


def slug(title: str) -> str:
    """Return the anchor that a forge makes of a title."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_help_lists_the_pages_and_shows_one(jobs: Jobs) -> None:
    listed = jobs.command("help")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == list(pages())
    shown = jobs.command("help", "exit-codes")
    assert shown.out.startswith("# Outcomes")
    assert "<!--" not in shown.out


def test_an_unknown_topic_is_a_sentence(jobs: Jobs) -> None:
    ended = jobs.command("help", "exits")
    assert ended.code == 2
    assert "the manual has no page 'exits'" in ended.err
    assert "exit-codes" in ended.err


def test_a_session_is_read_as_commands_and_their_output() -> None:
    (first, second) = commands("$ one \\\n> two\nout\n\nmore\n$ three\n")
    assert (first.text, first.expected) == ("one \\\ntwo", "out\n\nmore")
    assert (second.text, second.expected) == ("three", "")


def test_dots_stand_for_any_text_and_white_space_is_one() -> None:
    assert matches("...\n 16  created\n...", "16 created\n0.3 s\n")
    assert matches("began ... ended", "began  at\n5 ended")
    assert not matches("16 created", "16 created, 1 failed")


def test_the_readme_is_two_screens() -> None:
    assert (ROOT / "README.md").read_text("utf-8").count("\n") < 200


def test_the_page_for_developers_names_every_folder_and_only_paths_that_exist() -> None:
    text = PAGES["developers"].read_text("utf-8")
    named = set(re.findall(r"`((?:bulkload|tests|scripts)(?:/[\w.]+)*)`", text))
    assert {path for path in named if not (ROOT / path).exists()} == set()
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for path in (ROOT / "bulkload").rglob("*.py")
        if path.parent.parent != ROOT
    }
    rooms = {folder for folder in folders if folder.count("/") == 1}
    assert rooms <= named


def test_the_page_for_developers_answers_twelve_questions() -> None:
    section = PAGES["developers"].read_text("utf-8").partition("## Where is it changed?")[2]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) >= 1 + 12
    assert all("`bulkload/" in row for row in rows[1:])
