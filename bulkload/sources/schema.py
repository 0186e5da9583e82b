"""The keys that a metadata file may have, and the type of each value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from bulkload.core.plan_check import Rule
from bulkload.core.text import shown
from bulkload.sources import value_checks as values

Parser = Callable[[object], Any]

MEASUREMENT_KEYS: Final[Mapping[str, Parser]] = {
    "protocol": values.protocol,
    "test_setup": values.mapping,
    "start_time": values.timestamp,
    "end_time": values.timestamp,
    "notes": values.text,
    "tags": values.tags,
    "data_type": values.text,
    "day_first": values.flag,
    "voltage": values.electrodes,
    "strict": values.flag,
    "skip_checks": values.checks,
    "transforms": values.transforms,
    "rated_capacity": values.positive,
    "voltage_window": values.window,
    "reader": values.text,
    "member": values.name,
}
CELL_KEYS: Final[Mapping[str, Parser]] = {
    "name": values.name,
    "batch": values.name,
    "date_manufactured": values.date,
    "measured_properties": values.mapping,
    "notes": values.text,
}
RATING_KEYS: Final[Mapping[str, Parser]] = dict.fromkeys(
    (
        *("capacity", "voltage_min", "voltage_max", "nominal_voltage", "energy"),
        *("energy_density_gravimetric", "energy_density_volumetric"),
        *("max_discharge_rate", "max_charge_rate"),
    ),
    values.quantity,
)
COMPONENTS: Final = ("anode", "cathode", "electrolyte", "separator", "case")
SPECIFICATION_KEYS: Final[Mapping[str, Parser]] = {
    "name": values.name,
    "ratings": values.mapping,
    "form_factor": values.name,
    "manufacturer": values.text,
    **dict.fromkeys(COMPONENTS, values.component),
    "properties": values.mapping,
    "source": values.mapping,
    "notes": values.text,
}


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One faulty key of a metadata file."""

    keys: tuple[str, ...]
    rule: Rule
    #: Completes the sentence that begins with the key.
    message: str


@dataclass(slots=True)
class Checked:
    """The content of a metadata file, checked key by key. A null counts as not stated."""

    fields: dict[str, Any] = field(default_factory=dict)
    faults: list[SchemaFault] = field(default_factory=list)


def check_keys(data: object, known: Mapping[str, Parser], above: tuple[str, ...] = ()) -> Checked:
    """Check an object against the keys that it may have."""
    checked = Checked()
    if not isinstance(data, dict):
        checked.faults.append(
            SchemaFault(above, Rule.BAD_VALUE, "must be an object of keys and values")
        )
        return checked
    for key, value in data.items():
        if key not in known:
            checked.faults.append(SchemaFault((*above, key), Rule.UNKNOWN_KEY, unknown(key, known)))
        elif value is not None:
            try:
                checked.fields[key] = known[key](value)
            except ValueError as error:
                checked.faults.append(SchemaFault((*above, key), Rule.BAD_VALUE, str(error)))
    return checked


def check_specification(data: object) -> Checked:
    """Check a specification, its ratings included."""
    checked = check_keys(data, SPECIFICATION_KEYS)
    if "ratings" in checked.fields:
        ratings = check_keys(checked.fields["ratings"], RATING_KEYS, ("ratings",))
        checked.fields["ratings"] = ratings.fields
        checked.faults += ratings.faults
    return checked


def unknown(key: str, known: Mapping[str, Any]) -> str:
    """Return the message for an unknown key, with the nearest known one."""
    near = get_close_matches(key, known, 1)
    if near:
        return f"is not known; did you mean {shown(near[0])}?"
    return "is not known; the known ones are " + ", ".join(known)


def with_lines(
    faults: list[SchemaFault], line_of: Callable[..., int]
) -> Iterator[tuple[Rule, str]]:
    """Yield each fault as its rule and a sentence with line and key."""
    for fault in faults:
        subject = f"key {shown('.'.join(fault.keys))}" if fault.keys else "the document"
        yield fault.rule, f"line {line_of(*fault.keys)}: {subject} {fault.message}"
