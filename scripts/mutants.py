"""Change the decisions of the program one by one and see whether a test notices (mutmut 3).

    python scripts/mutants.py                          all decision modules, an hour at most
    python scripts/mutants.py core                     one group: core, journal or engine
    python scripts/mutants.py core --only bulkload.core.resume    these, also where they have run
    python scripts/mutants.py --minutes 10             go on: what is killed is not run again
    python scripts/mutants.py --report                 only write the report again

``[tool.mutmut]`` in pyproject.toml names the modules; each group has tests of its own, so that a
mutant takes a moment. A copy of the repository is changed, one a group in ``.mutants``. The
report, ``scripts/MUTANTS.md``, has the figures of each module and every survivor with its reason
from ``scripts/survivors.toml``. Exits with 1 where fewer than the floor are killed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIES = ROOT / ".mutants"
#: A folder in memory, on systems that have one.
MEMORY = Path("/dev/shm")
JOURNAL_TESTS = ("tests/journal", "tests/shell/test_journal.py")
#: They start processes or write 300,000 entries: what they show of the journal, the others show
#: without. The last one reads the source, which a mutant changes.
DESELECTED = (
    "tests/shell/test_journal.py::test_a_command_on_a_spoiled_journal_ends_with_a_sentence",
    "tests/shell/test_journal.py::test_a_disk_that_fills_up_stops_the_run_and_the_next_one_goes_on",
    "tests/journal/test_plan_writer.py::test_memory_does_not_grow_with_the_measurements_of_a_plan",
    "tests/journal/test_queries.py::test_no_module_holds_a_statement_of_its_own",
)
#: Group of modules -> the tests that run against its mutants.
TESTS = {
    "core": ("tests/core",),
    "journal": (*JOURNAL_TESTS, *(f"--deselect={name}" for name in DESELECTED)),
    "engine": tuple(
        f"tests/simulation/test_{name}.py"
        for name in ("decisions", "events", "job_steps", "processing", "rollback")
    ),
}
REPORT = ROOT / "scripts" / "MUTANTS.md"
REASONS = ROOT / "scripts" / "survivors.toml"
#: Part of the mutants of all decision modules that the tests must kill, in percent.
FLOOR = 90.0
#: Minutes after which a run stops; the next one goes on from there.
LIMIT_MIN = 60.0
#: mutmut's exit codes: no test failed, and no selected test calls the function. With any other
#: the mutant is killed, by a failing test or by a limit of time.
SURVIVED = 0
NO_TESTS = 33


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function, and how the tests ended: None where they have not run."""

    module: str
    name: str
    code: int | None


def main() -> int:
    """Run mutants, write the report; return 1 where too many survive."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("groups", nargs="*", help=f"of {', '.join(TESTS)}; all by default")
    options.add_argument("--only", help="a module or function")
    options.add_argument("--minutes", type=float, default=LIMIT_MIN, help="when to stop")
    options.add_argument("--floor", type=float, default=FLOOR, help="percent to be killed")
    options.add_argument("--report", action="store_true", help="run nothing")
    asked = options.parse_args()
    ends_s = time.monotonic() + 60.0 * asked.minutes
    for group in asked.groups or TESTS:
        if not asked.report and time.monotonic() < ends_s:
            copy_tree(group)
            forget_survivors(COPIES / group)
            run(COPIES / group, [f"{asked.only}*"] if asked.only else [], ends_s)
    found = [one for group in TESTS for one in mutants(group)]
    killed = write_report(found)
    print(f"{killed:.1f} % killed; see {REPORT.relative_to(ROOT)}")
    return 0 if killed >= asked.floor else 1


def copy_tree(group: str) -> None:
    """Bring a group's copy up to date; results of functions that did not change stay."""
    copy = COPIES / group
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for folder in ("bulkload", "tests", "scripts"):
        shutil.rmtree(copy / folder, ignore_errors=True)
    for name in listed:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    others = [f"bulkload/{other}/*" for other in TESTS if other != group]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"pytest_add_cli_args_test_selection = {json.dumps(TESTS[group])}\n")
        file.write(f"do_not_mutate = {json.dumps(others)}\n")


def forget_survivors(copy: Path) -> None:
    """Have what survived run again: a test may have come that kills it."""
    for path in (copy / "mutants" / "bulkload").rglob("*.py.meta"):
        kept = json.loads(path.read_text("utf-8"))
        kept["exit_code_by_key"] = {
            name: None if code in (SURVIVED, NO_TESTS) else code
            for name, code in kept["exit_code_by_key"].items()
        }
        path.write_text(json.dumps(kept), "utf-8")


def run(copy: Path, patterns: list[str], ends_s: float) -> None:
    """Run mutmut in a copy, two mutants at a time, until it ends or the time is over.

    Without a pattern it leaves out what has a result.
    """
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *patterns]
    # Tests that write many small files: none of them has to outlast the machine.
    scratch = {"TMPDIR": str(MEMORY)} if MEMORY.is_dir() else {}
    process = subprocess.Popen(command, cwd=copy, env=os.environ | scratch)
    try:
        process.wait(ends_s - time.monotonic())
    except subprocess.TimeoutExpired:
        print("the time is over; run it again to go on")
        process.terminate()
        process.wait()


def mutants(group: str) -> Iterator[Mutant]:
    """Yield the mutants of a group with their results."""
    folder = COPIES / group / "mutants"
    for path in sorted((folder / "bulkload" / group).rglob("*.py.meta")):
        module = str(path.relative_to(folder)).removesuffix(".py.meta").replace("/", ".")
        for name, code in json.loads(path.read_text("utf-8"))["exit_code_by_key"].items():
            yield Mutant(module, name, code)


def write_report(found: list[Mutant]) -> float:
    """Write the figures and the survivors; return the part that is killed, in percent."""
    reasons = tomllib.loads(REASONS.read_text("utf-8"))
    modules = defaultdict[str, Counter[str]](Counter)
    survivors = []
    for one in found:
        kind = kind_of(one)
        modules[one.module][kind] += 1
        if kind == "survived":
            survivors.append(one)
    total = sum(modules.values(), Counter[str]())
    lines = [
        "# Mutants", "",
        "Written by `python scripts/mutants.py` (mutmut 3); do not edit. mutmut changes functions,",
        "not the constants and tables beside them: `tests/core/test_lifecycle.py` holds the table",
        "of the lifecycle entry by entry.", "",
        "| module | killed | survived | no test calls it | not run | killed, of those run |",
        "|---|---:|---:|---:|---:|---:|",
        *(row(name, counts) for name, counts in sorted(modules.items()) if counts),
        row("**all**", total), "", "## Survivors", "",
    ]  # fmt: skip
    for function, those in by_function(survivors).items():
        reason = reasons.get(function, "not explained")
        lines += [f"- `{function}` ({len(those)}): {reason}"]
    REPORT.write_text("\n".join(lines) + "\n", "utf-8")
    return part(total)


def kind_of(one: Mutant) -> str:
    """Return the column of the report for a mutant."""
    if one.code is None:
        return "not run"
    if one.code == SURVIVED:
        return "survived"
    return "no test" if one.code == NO_TESTS else "killed"


def row(name: str, counts: Counter[str]) -> str:
    """Return a line of the table."""
    cells = [str(counts[kind]) for kind in ("killed", "survived", "no test", "not run")]
    return f"| {name} | " + " | ".join(cells) + f" | {part(counts):.1f} % |"


def part(counts: Counter[str]) -> float:
    """Return the part of the mutants that is killed, of those that were run, in percent."""
    ran = counts["killed"] + counts["survived"] + counts["no test"]
    return 100.0 * counts["killed"] / ran if ran else 100.0


def by_function(survivors: list[Mutant]) -> dict[str, list[Mutant]]:
    """Return the survivors of each function, named as in the source."""
    found = defaultdict[str, list[Mutant]](list)
    for one in survivors:
        name = re.sub(r"__mutmut_\d+$", "", one.name.removeprefix(f"{one.module}."))
        name = name.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
        found[f"{one.module}.{name}"].append(one)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
