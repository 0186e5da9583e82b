"""Measure what it costs to start a command: CPU seconds, and modules loaded.

``python scripts/bench_start.py`` prints a table; ``--json F`` writes it too. The CPU is the least
of ``--runs`` starts, user and system of the command and its children: less is not to be had, and
what else the machine does adds to the others.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bulkload.demo import write_archive

#: The commands, and what each may cost in CPU seconds; None where no aim is set.
COMMANDS: tuple[tuple[str, float | None], ...] = (
    ("--help", 0.3),
    ("status --help", 0.3),
    ("upload --help", 0.3),
    ("status JOB", 0.3),
    ("account JOB", None),
    ("plan --help", None),
    ("check --help", None),
    ("plan ARCHIVE", None),
    ("upload ARCHIVE --local STUDIO --job JOB", None),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        places = {"ARCHIVE": "archive", "JOB": "job", "STUDIO": "studio"}
        write_archive(Path(folder, "archive"))
        _run("upload ARCHIVE --local STUDIO --job JOB", places, folder)
        rows = [
            {
                "command": command,
                "cpu_s": min(_cpu_s(command, places, folder) for _ in range(options.runs)),
                "modules": _modules(command, places, folder),
                "aim_s": aim_s,
            }
            for command, aim_s in COMMANDS
        ]
    print("| command | CPU s, least | modules loaded | aim |\n|---|---:|---:|---:|")
    for row in rows:
        aim = "" if row["aim_s"] is None else f"{row['aim_s']}"
        print(f"| `{row['command']}` | {row['cpu_s']:.3f} | {row['modules']} | {aim} |")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1), "utf-8")


def _run(
    command: str, places: dict[str, str], folder: str, *flags: str
) -> subprocess.CompletedProcess[str]:
    words = [places.get(word, word) for word in command.split()]
    # As installed: the modules are compiled once, not at each start.
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled")),
    }
    return subprocess.run(
        [sys.executable, *flags, "-m", "bulkload", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _cpu_s(command: str, places: dict[str, str], folder: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(command, places, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _modules(command: str, places: dict[str, str], folder: str) -> int:
    """Count the modules that the command loads itself, without its children."""
    done = _run(command, places, folder, "-X", "importtime")
    # Children that write to the same place are counted too: none of these commands has any.
    return sum(line.startswith("import time:") for line in done.stderr.splitlines()) - 1


if __name__ == "__main__":
    main()
