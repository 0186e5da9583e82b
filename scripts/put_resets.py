"""Uploads whose connection is reset in mid-body: what is stored is what was spooled.

``python scripts/put_resets.py --uploads 1000`` sends files of random bytes over real HTTP to a
local Studio that resets connections after part of the body, and compares the SHA-256 of each
stored object with that of its file.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from bulkload.client.storage.storage import Storage
from bulkload.client.studio import AsyncStudio
from bulkload.core.flow.retry import RetryPolicy
from bulkload.core.flow.retry_budget import RetryBudget
from bulkload.localstudio import FaultKind, FaultRule, LocalStudio, StudioSettings

#: Bodies in bytes: from less than a block of the wire to several.
SMALLEST, LARGEST = 1_000, 1_500_000
#: After which parts of a body connections are reset, each for this part of the requests.
FRACTIONS = (0.01, 0.3, 0.6, 0.99)
RESET_EACH = 0.1
#: Uploads at a time.
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it."""

    uploads: int
    resets: int
    equal: int


async def measure(uploads: int, folder: Path, seed: int) -> Result:
    """Send so many files and compare what is stored."""
    chance = random.Random(seed)
    policy = RetryPolicy(base_s=0.001, cap_s=0.01, same_answer_limit=100, attempt_limit=100)
    # The shared budget would slow this down to one retry a second: that is its purpose.
    patient = Storage(policy=policy, budget=RetryBudget(earned_per_request=10.0))
    limiter = anyio.CapacityLimiter(AT_ONCE)
    equal = 0
    async with LocalStudio(StudioSettings(data_dir=folder / "studio")) as studio:
        for number, fraction in enumerate(FRACTIONS):
            rule = FaultRule(
                kind=FaultKind.RESET_DURING,
                endpoint="storage.put",
                fraction=fraction,
                probability=RESET_EACH,
                seed=seed + number,
            )
            studio.faults.add(rule)
        async with (
            AsyncStudio(
                api_key=studio.api_key, base_url=studio.url, project_id=studio.project_id
            ) as client,
            patient,
            anyio.create_task_group() as group,
        ):
            spec = await client.cell_spec.create({"name": "spec", "ratings": {}})
            cell = await client.cell_instance.create(spec.id, {"name": "cell"})

            async def send(number: int, data: bytes) -> None:
                nonlocal equal
                path = folder / f"{number}.bin"
                await anyio.Path(path).write_bytes(data)
                answer = await client.cell_measurement.initiate(cell.id, f"run {number}")
                target = answer.target("time_series.parquet")
                await patient.put_target(target.model_dump(), path)
                stored = sorted((folder / "studio" / "objects").rglob(f"{answer.measurement_id}.*"))
                equal += [_sha256(one) for one in stored] == [_sha256(path)]
                path.unlink()
                stored[0].unlink()
                limiter.release_on_behalf_of(number)

            for number in range(uploads):
                await limiter.acquire_on_behalf_of(number)
                data = chance.randbytes(chance.randint(SMALLEST, LARGEST))
                group.start_soon(send, number, data)
        resets = studio.faults.struck[FaultKind.RESET_DURING]
    return Result(uploads=uploads, resets=resets, equal=equal)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Show the figure; 1 where an object differs."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--uploads", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bulkload-resets-") as folder:
        result = anyio.run(measure, asked.uploads, Path(folder), asked.seed)
    print(
        f"{result.uploads} uploads, {result.resets} resets in mid-body: "
        f"{result.equal} stored objects have the SHA-256 of their file "
        f"({time.monotonic() - began:.0f} s)"
    )
    return 0 if result.equal == result.uploads and result.resets else 1


if __name__ == "__main__":
    sys.exit(main())
