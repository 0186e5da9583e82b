"""The SQL of the job folder: one file, each statement used, none of it elsewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bulkload.journal.queries import SQL

ROOM = Path(__file__).parents[2] / "bulkload" / "journal"
STATEMENT = re.compile(r"\s*(SELECT|INSERT INTO|INSERT OR|UPDATE \w+ SET|DELETE FROM|CREATE) ")


def strings_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_module_holds_a_statement_of_its_own() -> None:
    held = {
        (path.name, text)
        for path in ROOM.glob("*.py")
        for text in strings_of(path)
        if STATEMENT.match(text)
    }
    # Whether a file holds anything is asked before it is known to be ours.
    assert held == {("database.py", "SELECT 1 FROM sqlite_master LIMIT 1")}


def test_every_statement_is_used() -> None:
    used = set().union(*(strings_of(path) for path in ROOM.glob("*.py")))
    assert set(SQL) <= used
