"""``bulkload demo``: sample archive, local Studio, upload, summary, in one go."""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio
from rich.console import Console

from bulkload.cli.jobs.folder import absolute
from bulkload.cli.jobs.local_studio import local_studio
from bulkload.cli.jobs.run import carry_out
from bulkload.cli.options.run_output import RunOutput
from bulkload.cli.output.console import say
from bulkload.client.studio import AsyncStudio
from bulkload.core.path_layout import Layout
from bulkload.core.tally import ExitCode
from bulkload.demo import EXPECTED, write_archive
from bulkload.demo.archive import EXISTING
from bulkload.engine.planning import planner
from bulkload.engine.request import RunRequest
from bulkload.engine.studios import opener
from bulkload.engine.target import RunningStudio, Target
from bulkload.errors import SettingsError
from bulkload.settings import RunSettings
from bulkload.sources.read_source import read_source


def demo(*, folder: Path | None = None) -> int:
    """Write a sample archive, start a local Studio, upload the archive, and report.

    Parameters
    ----------
    folder
        New folder for archive, Studio and job. A temporary one, which is kept, by default.
    """
    console = Console()
    root = folder or Path(tempfile.mkdtemp(prefix="bulkload-demo-"))
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise SettingsError(f"{root} is not an empty folder; give --folder a new or empty one")
    archive, data, job = root / "archive", root / "studio", root / "job"
    write_archive(archive)
    say(console, f"archive: {archive}")
    with local_studio(data) as studio:
        say(console, f"local Studio: {studio.url}")
        anyio.run(_put_existing, studio, archive)
        settings, target = RunSettings(), Target(url=data.resolve().as_uri())
        sources = absolute([str(archive)])
        request = RunRequest(
            job_dir=job,
            make_plan=planner(
                lambda: read_source(archive, layout=Layout.parse()), settings, sources, job
            ),
            target=target,
            sources=sources,
            settings=settings,
            command=f"bulkload upload {archive} --local {data} --job {job}",
            open_studio=opener(studio, target),
        )
        code, counts = carry_out(request, RunOutput())
    say(console, "\nFive of the files are bad on purpose; the causes above say how. See also:")
    say(console, f"  {job / 'summary.json'}    the summary of the run")
    say(console, f"  {job / 'report.html'}    the run as a page, with plots")
    say(console, f"  {job / 'log.jsonl'}    the events, one on each line")
    say(console, f"  bulkload status {job}")
    say(console, f"  bulkload upload {archive} --local {data} --job {job}    makes no request now")
    say(console, f"  bulkload studio --data {data}    the Studio with its data")
    # The demo also tests the installation: it succeeds only with the expected outcomes.
    as_expected = code == ExitCode.PARTIAL and all(
        counts.get(kind, 0) == expected for kind, expected in EXPECTED.items()
    )
    return ExitCode.ARRIVED if as_expected else ExitCode.DEFECT


async def _put_existing(studio: RunningStudio, archive: Path) -> None:
    """Create one of the measurements in Studio, as an earlier upload would have done."""
    spec, cell, measurement = EXISTING
    path = archive / spec / cell / f"{measurement}.csv"
    import pyarrow.csv

    async with AsyncStudio(
        api_key=studio.api_key, base_url=studio.url, project_id=studio.project_id
    ) as client:
        specification = await client.cell_spec.create_or_get(
            {"name": spec, "ratings": {"capacity": {"value": 2.5, "unit": "A*h"}}}
        )
        instance = await client.cell_instance.create_or_get(specification.id, {"name": cell})
        await client.cell_measurement.create(
            instance.id,
            {
                "measurement": {"name": measurement},
                "time_series": pyarrow.csv.read_csv(path),
            },
        )
