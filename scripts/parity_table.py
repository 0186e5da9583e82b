"""Print which calls of the vendor's client touch an upload, and what bulkload has for each.

The table is made from the public names of both libraries. A name or argument that bulkload
leaves out stands in it with the reason; one without a reason is an error (exit code 1).

    python scripts/parity_table.py > parity.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import ionworks
import ionworks.validators as official_validators

import bulkload.validators as our_validators
from bulkload.client import sync
from bulkload.client.studio import AsyncStudio

#: Sub-clients that an upload goes through: (attribute, ours).
SUB_CLIENTS: Final[Mapping[str, type]] = {
    "project": sync.ProjectClient,
    "cell_spec": sync.CellSpecClient,
    "cell_batch": sync.CellBatchClient,
    "cell_instance": sync.CellInstanceClient,
    "cell_measurement": sync.CellMeasurementClient,
    "raw_data": sync.RawDataClient,
}

_NO_UPLOAD: Final = "touches no upload"
_EQUIPMENT: Final = "equipment is set up once, by hand; an upload names a channel by its id"
#: Sub-clients that are left out, with the reason.
LEFT_OUT_CLIENTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "analysis",
            "ecm",
            "electrolyte",
            "job",
            "lab",
            "material",
            "material_property_dataset",
            "model",
            "model_builder",
            "optimization",
            "parameterized_model",
            "pipeline",
            "planned_measurement",
            "search",
            "simple_pipeline",
            "simulation",
            "study",
            "urls",
        ),
        _NO_UPLOAD,
    ),
    "organization": "administration; `whoami` tells the organization",
    "protocol": "protocols are written in Studio; an upload names one by its id",
    "site": _EQUIPMENT,
    "cycler": _EQUIPMENT,
    "channel": _EQUIPMENT,
    "measurement": "an older name of `cell_measurement`",
}

_PEOPLE: Final = "administration of people"
_WIRE: Final = "raw HTTP: the sub-clients are the interface"
#: Calls that are left out, with the reason.
LEFT_OUT_CALLS: Final[Mapping[str, str]] = {
    "project.roles": _PEOPLE,
    "project.add_member": _PEOPLE,
    "project.invite_member": _PEOPLE,
    "project.update_member": _PEOPLE,
    "project.remove_member": _PEOPLE,
    "cell_spec.related_specs": "a search over materials; touches no upload",
    "cell_measurement.watch": "a view of the lab; touches no upload",
    "cell_measurement.unwatch": "a view of the lab; touches no upload",
    **dict.fromkeys(
        (
            "request",
            "request_raw",
            "redirect_url",
            "get",
            "post",
            "post_multipart",
            "patch",
            "delete",
            "upload_multipart",
        ),
        _WIRE,
    ),
    "capabilities": "discovery for agents; touches no upload",
    "schema": "discovery for agents; touches no upload",
    "pybamm_models": _NO_UPLOAD,
    "validate_pybamm_model_config": _NO_UPLOAD,
}

_UNCACHED: Final = "nothing is cached: what is read is what Studio holds now"
_WAITS: Final = "patience is set once, on the client (`timeout`, `delivery`)"
#: Arguments that are left out wherever they occur, with the reason.
LEFT_OUT_ARGUMENTS: Final[Mapping[str, str]] = {
    "use_cache": _UNCACHED,
    "read_timeout": _WAITS,
    "raw_data.upload.timeout": _WAITS,
}

#: Validators of the vendor that are no part of a measurement's upload.
LEFT_OUT_VALIDATORS: Final = "an inside of the vendor's pipelines or of its table conversion"


@dataclass(slots=True)
class Row:
    """One call of the vendor's client."""

    call: str
    arguments: list[str]
    ours: str
    notes: list[str] = field(default_factory=list)


def rows() -> Iterator[Row]:
    """Give the calls of the vendor's client that touch an upload."""
    yield _row("Studio(...)", ionworks.Ionworks.__init__, AsyncStudio.__init__)
    for name, call in _public(ionworks.Ionworks):
        yield _row(name, call, getattr(AsyncStudio, name, None))
    client = ionworks.Ionworks("key", "http://127.0.0.1:1", "project")
    client.session.close()
    for attribute, ours in SUB_CLIENTS.items():
        for name, call in _public(type(getattr(client, attribute))):
            twin = getattr(object.__new__(ours), name, None)
            yield _row(f"{attribute}.{name}", call, twin)


def unknown_sub_clients() -> list[str]:
    """Name the sub-clients of the vendor that this script has never heard of."""
    client = ionworks.Ionworks("key", "http://127.0.0.1:1", "project")
    client.session.close()
    found = {
        name for name, value in vars(client).items() if type(value).__name__.endswith("Client")
    }
    return sorted(found - SUB_CLIENTS.keys() - LEFT_OUT_CLIENTS.keys())


def validators() -> tuple[list[str], list[str]]:
    """Name the vendor's validators: those that are here, and those that are not."""
    theirs = {
        name
        for name, value in vars(official_validators).items()
        if name.startswith("validate_") and inspect.isfunction(value)
    }
    ours = {name for name in theirs if hasattr(our_validators, name)}
    return sorted(ours), sorted(theirs - ours)


def problems(table: list[Row]) -> list[str]:
    """Say what is missing without a reason."""
    found = [f"{row.call}: {note}" for row in table for note in row.notes if "NO REASON" in note]
    found += [f"sub-client {name}: NO REASON" for name in unknown_sub_clients()]
    found += [f"validator {name}: NO REASON" for name in validators()[1]]
    return found


def _row(name: str, theirs: Any, ours: Any) -> Row:
    arguments = _arguments(theirs)
    if ours is None:
        reason = LEFT_OUT_CALLS.get(name, "NO REASON")
        return Row(name, arguments, "left out", [reason])
    here = _arguments(ours)
    notes = [
        f"`{argument}`: {_why_not(name, argument)}"
        for argument in arguments
        if argument not in here
    ]
    if [each for each in arguments if each in here] != [each for each in here if each in arguments]:
        notes.append("another order of arguments: NO REASON")
    more = [argument for argument in here if argument not in arguments]
    if more:
        notes.append("also " + ", ".join(f"`{argument}`" for argument in more))
    return Row(name, arguments, "yes", notes)


def _why_not(call: str, argument: str) -> str:
    known = LEFT_OUT_ARGUMENTS.get(f"{call}.{argument}") or LEFT_OUT_ARGUMENTS.get(argument)
    return f"left out, {known}" if known else "NO REASON"


def _public(kind: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            yield name, member


def _arguments(call: Any) -> list[str]:
    return [name for name in inspect.signature(call).parameters if name != "self"]


def _markdown(table: list[Row]) -> Iterator[str]:
    yield f"Official client {ionworks_version()}, by its public names.\n"
    yield "| call of the official client | arguments | bulkload | notes |"
    yield "|---|---|---|---|"
    for row in table:
        arguments = ", ".join(row.arguments)
        yield f"| `{row.call}` | {arguments} | {row.ours} | {'; '.join(row.notes)} |"
    yield "\nCalls of bulkload that the official client has not: " + ", ".join(
        f"`{name}`" for name in only_ours()
    )
    yield "\nSub-clients that are left out:\n"
    for name, reason in sorted(LEFT_OUT_CLIENTS.items()):
        yield f"- `{name}`: {reason}"
    yield "\nValidators under the official names: " + ", ".join(
        f"`{name}`" for name in validators()[0]
    )


def only_ours() -> list[str]:
    """Name the calls that the vendor's client has not."""
    client = ionworks.Ionworks("key", "http://127.0.0.1:1", "project")
    client.session.close()
    return [
        f"{attribute}.{name}"
        for attribute, kind in SUB_CLIENTS.items()
        for name in sorted(vars(kind))
        if not name.startswith("_") and not hasattr(getattr(client, attribute), name)
    ]


def ionworks_version() -> str:
    """Give the version of the vendor's client that the table was made from."""
    from importlib.metadata import version

    return version("ionworks-api")


def main() -> int:
    """Print the table."""
    table = list(rows())
    print("\n".join(_markdown(table)))
    missing = problems(table)
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
