"""Write the tables of the manual and the README from the code.

python scripts/manual_tables.py            write them
python scripts/manual_tables.py --check    exit 1 where a table is not what the code says

A page holds a table between two marks, each on a line of its own: ``<!-- begin NAME -->`` and
``<!-- end NAME -->``; `TABLES` names them.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

from bulkload.cli import app
from bulkload.cli.commands.help import pages
from bulkload.core.campaign import CampaignCode
from bulkload.core.decisions import DecisionCode
from bulkload.core.issues import ExtraCode, IssueCode
from bulkload.core.outcome import OutcomeKind
from bulkload.core.plan_check import Rule
from bulkload.core.rule_names import STRICT_CHECK_NAMES
from bulkload.core.rules.transforms import TRANSFORMS
from bulkload.core.tally import ExitCode
from bulkload.readers.registry import FALLBACKS, VENDOR_FORMATS
from bulkload.sources import schema
from bulkload.sources.columns import COLUMNS, REQUIRED_COLUMNS
from scripts.machine_tables import documents, live_state, log_events
from scripts.messages import Message, messages
from scripts.state_diagram import diagram

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "bulkload"
MANUAL: Final = PACKAGE / "manual"

_TABLE: Final = re.compile(
    r"^<!-- begin ([\w-]+) -->\n.*?^<!-- end \1 -->$", re.MULTILINE | re.DOTALL
)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def commented(kind: type[Enum]) -> list[tuple[str, str, str]]:
    """Return an enumeration's members as (value, comment, heading), in their order.

    The comment is the one above the member that begins with ``#:``, the heading the last ordinary
    comment before it. Raises ``ValueError`` for a member without a comment.
    """
    source = Path(importlib.import_module(kind.__module__).__file__ or "").read_text("utf-8")
    body = source.partition(f"class {kind.__name__}(")[2].partition("\n\n\n")[0]
    found, comment, heading = [], [], ""
    for line in body.splitlines():
        text = line.strip()
        if text.startswith("#:"):
            comment.append(text[2:].strip())
        elif text.startswith("# "):
            heading = text[2:].rstrip(".")
        elif member := re.match(r"([A-Z_]+) = ", text):
            if not comment:
                raise ValueError(f"{kind.__name__}.{member[1]} has no comment that says what it is")
            found.append((str(kind[member[1]].value), " ".join(comment), heading))
            comment = []
    return found


def enumeration(kind: type[Enum], header: str) -> str:
    """Return a table of the members of an enumeration."""
    rows = [(f"`{value}`", text.rstrip(".")) for value, text, _ in commented(kind)]
    return table((header, "meaning"), rows)


def plan_rules() -> str:
    """Return the rules that stand in the way of a plan, or warn, by their group."""
    rows = [
        (part.partition(":")[0].lower(), f"`{value}`", text.rstrip("."))
        for value, text, part in commented(Rule)
        if not text.startswith("Skipped")
    ]
    return table(("group", "rule", "meaning"), rows)


def skip_rules() -> str:
    """Return the rules by which an entry is left out."""
    rows = [
        (f"`{value}`", text.removeprefix("Skipped: ").rstrip("."))
        for value, text, _ in commented(Rule)
        if text.startswith("Skipped")
    ]
    return table(("rule", "what is left out"), rows)


def strict_checks() -> str:
    """Return the names that ``--skip-check`` takes."""
    return table(("strict check",), [(f"`{name}`",) for name in sorted(STRICT_CHECK_NAMES)])


def transforms() -> str:
    """Return the transforms and what each does."""
    rows = [
        (
            f"`{name}`",
            (one.change.__doc__ or "").rstrip("."),
            ", ".join(f"`{n}`" for n in one.needs),
        )
        for name, one in TRANSFORMS.items()
    ]
    return table(("transform", "what it does", "columns it needs"), rows)


def readers() -> str:
    """Return the readers, in the order in which a file is held against them."""
    rows = []
    for one in (*VENDOR_FORMATS, *FALLBACKS):
        dialects = [dialect.name for dialect in getattr(one, "dialects", ())]
        text = ", ".join(dialects) or (type(one).__doc__ or "").partition("\n")[0].rstrip(".")
        rows.append((f"`{one.name}`", text.rstrip(".")))
    return table(("reader", "reads"), rows)


def manifest_columns() -> str:
    """Return the columns of a manifest."""
    rows = [(f"`{one}`", "yes" if one in REQUIRED_COLUMNS else "") for one in COLUMNS]
    return table(("column", "required"), rows)


def metadata_keys() -> str:
    """Return the keys of the files of metadata, and what each takes."""
    files: Mapping[str, Mapping[str, Any]] = {
        "spec.*": schema.SPECIFICATION_KEYS,
        "spec.*: ratings": schema.RATING_KEYS,
        "cell.*": schema.CELL_KEYS,
        "<measurement>.meta.*": schema.MEASUREMENT_KEYS,
    }
    rows = []
    for file, keys in files.items():
        for key, parse in keys.items():
            takes = (
                (parse.__doc__ or "")
                .partition("\n")[0]
                .removeprefix("Return ")
                .rstrip(".")
                .replace("``", "`")
            )
            rows.append(
                (
                    f"`{file}`",
                    f"`{key}`",
                    takes,
                )
            )
    return table(("file", "key", "takes"), rows)


def options(command: str) -> str:
    """Return the options of a command as its ``--help`` has them."""
    rows = []
    for one in app[command].assemble_argument_collection(parse_docstring=True):
        is_option = one.field_info.kind is one.field_info.KEYWORD_ONLY
        if one.names == ("*",) or not one.show or not is_option:
            continue
        default = one.field_info.default
        value = default.value if isinstance(default, Enum) else default
        unset = (None, False, (), "", one.field_info.empty)
        shown = "" if value in unset else f"`{value}`"
        names = ", ".join(f"`{name}`" for name in one.names)
        rows.append((names, shown, one.parameter.help or ""))
    return table(("option", "default", "meaning"), rows) if rows else "No options."


def all_options() -> str:
    """Return the options of every command, a section each."""
    return "\n\n".join(
        f"## bulkload {name}\n\n{app[name].help}\n\n{options(name)}" for name in command_names()
    )


def command_names() -> list[str]:
    """Return the names of the commands, in the order of ``bulkload --help``."""
    return [name for name in app if not name.startswith("-") and name != "journal"]


def commands() -> str:
    """Return the commands and what each does."""
    rows = [
        (f"`bulkload {name}`", str(app[name].help).partition("\n")[0]) for name in command_names()
    ]
    rows.append(("`bulkload journal check`", "Check that a job's journal is intact."))
    return table(("command", "what it does"), rows)


def topics() -> str:
    """Return the pages of the manual, with a link to each."""
    rows = []
    for name, text in pages().items():
        title = text.partition("\n")[0].removeprefix("# ")
        rows.append((f"[{name}](bulkload/manual/{name}.md)", title))
    return table(("page", "what it says"), rows)


def causes() -> str:
    """Return the causes of what was rejected or failed, each with its messages."""
    found: dict[str, list[Message]] = {}
    for one in messages():
        room = one.path.split("/")[1]
        is_cause = re.fullmatch(r"[a-z]+(_[a-z]+)*", one.code) and one.is_code
        if is_cause and room in {"readers", "worker", "engine", "errors.py"}:
            found.setdefault(one.code, []).append(one)
    rows = []
    for cause, group in sorted(found.items()):
        texts = list(dict.fromkeys(_plain(one.text) for one in group))
        rows.append((f"`{cause}`", "<br>".join(texts[:3])))
    return table(("cause", "messages (… stands for a value)"), rows)


def _plain(text: str) -> str:
    kept, depth = "", 0
    for char in text:
        if char == "{":
            kept += "…" if depth == 0 else ""
            depth += 1
        elif char == "}":
            depth -= 1
        elif depth == 0:
            kept += char
    return re.sub(r"^…: ", "", kept).replace("<", "&lt;")


def limits() -> str:
    """Return every bound that stands in a module of settings or limits, with its reason."""
    rows = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem not in {"settings", "limits"} or "localstudio" in path.parts:
            continue
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for constant, reason in _constants(path):
            value = getattr(importlib.import_module(name), constant)
            if isinstance(value, int | float):
                rows.append((f"`{constant}`", f"{value:,}", reason, f"`{name}`"))
    return table(("limit", "value", "what it bounds, and why", "module"), rows)


def _constants(path: Path) -> list[tuple[str, str]]:
    """Return the constants of a module with the comment above each."""
    lines = path.read_text("utf-8").splitlines()
    found = []
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above: list[str] = []
            at = node.lineno - 2
            while at >= 0 and lines[at].startswith("#:"):
                above.insert(0, lines[at][2:].strip())
                at -= 1
            if above:
                found.append((node.target.id, " ".join(above)))
    return found


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "campaign-codes": lambda: enumeration(CampaignCode, "code"),
    "causes": causes,
    "commands": commands,
    "decisions": lambda: enumeration(DecisionCode, "decision"),
    "exit-codes": lambda: enumeration(ExitCode, "code"),
    "extra-codes": lambda: enumeration(ExtraCode, "code"),
    "json-documents": lambda: table(("object", "field", "type", "meaning"), documents()),
    "issue-codes": lambda: enumeration(IssueCode, "code"),
    "limits": limits,
    "live-state": lambda: table(("object", "field", "type", "meaning"), live_state()),
    "log-events": lambda: table(("event", "fields", "meaning"), log_events()),
    "manifest-columns": manifest_columns,
    "metadata-keys": metadata_keys,
    "options": all_options,
    "outcomes": lambda: enumeration(OutcomeKind, "outcome"),
    "plan-rules": plan_rules,
    "readers": readers,
    "skip-rules": skip_rules,
    "state-diagram": diagram,
    "strict-checks": strict_checks,
    "topics": topics,
    "transforms": transforms,
}


def filled(page: str) -> str:
    """Return a page with its tables as the code says them."""

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- begin {name} -->\n\n{TABLES[name]().strip()}\n\n<!-- end {name} -->"

    return _TABLE.sub(fill, page)


def pages_with_tables() -> list[Path]:
    """Return the README and the pages of the manual."""
    return [ROOT / "README.md", *sorted(MANUAL.glob("*.md"))]


def main(words: list[str]) -> int:
    """Write the tables, or check them; return the exit code."""
    stale = [
        path
        for path in pages_with_tables()
        if filled(path.read_text("utf-8")) != path.read_text("utf-8")
    ]
    for path in stale:
        if "--check" in words:
            print(f"{path.relative_to(ROOT)}: run python scripts/manual_tables.py")
        else:
            path.write_text(filled(path.read_text("utf-8")), "utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
