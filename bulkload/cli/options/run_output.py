"""Options on how a run is shown, and what it prints: `upload`, `resume` and `retry` share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from bulkload.cli.options.ports import is_port
from bulkload.cli.output.help_format import OUTPUT
from bulkload.cli.output.json_documents import AsJson


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class RunOutput:
    """How a run is shown.

    Parameters
    ----------
    page
        Show the run in a browser. On this port or a free one, while it lasts.
    metrics
        Serve metrics for Prometheus on this local port. 0 takes a free one; at the end
        they are in metrics.prom of the job folder.
    quiet
        Print only news: nothing after a run that found none. And errors, and what resumes it.
    as_json
        Print the result as one JSON object. `bulkload help machines` has its fields.
    """

    #: A port, or none for a free one; None where no page is asked for.
    page: Annotated[
        tuple[int, ...] | None,
        Parameter(consume_multiple=(0, 1), negative=(), validator=is_port),
    ] = None
    metrics: Annotated[int | None, Parameter(validator=is_port)] = None
    quiet: Annotated[bool, Parameter(negative=())] = False
    as_json: AsJson = False
