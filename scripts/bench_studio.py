"""A local Studio for a bench: steps are derived when they are asked for.

What a server does with what it stored is not part of an upload, but on one machine it would take
the time of the processes that are measured.

    python scripts/bench_studio.py DATA PORT_FILE --latency 0.05 --processing 1
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import anyio

from bulkload.localstudio import StudioSettings, serve


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="A local Studio for a bench.")
    parser.add_argument("data", type=Path)
    parser.add_argument("port_file", type=Path)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--processing", type=float, default=0.0)
    args = parser.parse_args()
    args.data.mkdir(parents=True)
    settings = StudioSettings(
        data_dir=args.data,
        latency_s=args.latency,
        processing_s=args.processing,
        derive_steps="first_read",
    )
    anyio.run(partial(serve, settings, port_file=args.port_file))


if __name__ == "__main__":
    main()
