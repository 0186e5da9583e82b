"""Values of metadata: each function checks what a person wrote and returns it normalised.

A faulty value raises :class:`WrongValueError`. The messages complete the sentence "<key> ..." and
never repeat a value that was not understood: a value in the wrong place may be a secret.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Final

from bulkload.core.rule_names import STRICT_CHECK_NAMES, TRANSFORM_NAMES
from bulkload.core.terms import MAX_TAG_LENGTH, MAX_TAGS
from bulkload.core.text import shown

#: Keys that no metadata may have: their values would be sent to Studio, where all can read them.
_SECRET_KEYS: Final = frozenset(
    {
        *("password", "passwd", "secret", "secretkey", "clientsecret", "apikey", "apitoken"),
        *("accesstoken", "privatekey", "awssecretaccesskey", "connectionstring", "ionworksapikey"),
    }
)


#: What the voltage of a file with three electrodes may be stated to be.
ELECTRODES: Final = ("ewe", "ewe-ece")


class WrongValueError(ValueError):
    """A value is not what its key takes; the message completes the sentence "<key> ..."."""


def text(value: object) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str):
        raise WrongValueError(f"must be text, not {_kind(value)}")
    if not value.strip():
        raise WrongValueError("is empty; leave it out if there is nothing to say")
    return value


def name(value: object) -> str:
    """Return a name; a whole number is one too."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def electrodes(value: object) -> str:
    """Return the voltage that is taken of three electrodes: ``ewe`` or ``ewe-ece``."""
    stated = text(value)
    if stated not in ELECTRODES:
        raise WrongValueError(f"must be {' or '.join(ELECTRODES)}")
    return stated


def timestamp(value: object) -> str:
    """Return a date or time in ISO 8601, given in its long form."""
    stated = text(value)
    try:
        if len(stated) <= len("2024-01-31"):
            return dt.date.fromisoformat(stated).isoformat()
        return dt.datetime.fromisoformat(stated).isoformat()
    except ValueError:
        example = "2024-01-31T12:00:00+01:00"
        raise WrongValueError(f"is not a time in ISO 8601, such as {example}") from None


def date(value: object) -> str:
    """Return a date in ISO 8601."""
    try:
        return dt.date.fromisoformat(text(value)).isoformat()
    except ValueError:
        raise WrongValueError("is not a date in ISO 8601, such as 2024-01-31") from None


def number(value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError(f"must be a number, not {_kind(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise WrongValueError("is not a finite number; leave it out if unknown")
    return found


def positive(value: object) -> float:
    """Return a finite number above zero."""
    found = number(value)
    if found <= 0:
        raise WrongValueError("must be greater than zero")
    return found


def flag(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise WrongValueError(f"must be true or false, not {_kind(value)}")
    return value


def tags(value: object) -> list[str]:
    """Return the tags of a measurement, within Studio's limits."""
    found = [tag.strip() for tag in texts(value)]
    if len(found) > MAX_TAGS:
        raise WrongValueError(f"has {len(found)} tags; Studio accepts at most {MAX_TAGS}")
    if any(len(tag) > MAX_TAG_LENGTH for tag in found):
        raise WrongValueError(f"has a tag of more than {MAX_TAG_LENGTH} characters")
    return found


def texts(value: object) -> list[str]:
    """Return a list of texts."""
    if not isinstance(value, list):
        raise WrongValueError(f"must be a list of texts, not {_kind(value)}")
    return [text(item) for item in value]


def checks(value: object) -> list[str]:
    """Return names of strict checks."""
    return _known(texts(value), STRICT_CHECK_NAMES, "check")


def transforms(value: object) -> list[str]:
    """Return names of transforms, in their order."""
    return _known(texts(value), TRANSFORM_NAMES, "transform")


def _known(found: list[str], names: Collection[str], what: str) -> list[str]:
    unknown = [name for name in found if name not in names]
    if unknown:
        near = get_close_matches(unknown[0], names, 1)
        hint = f"did you mean {near[0]!r}?" if near else ", ".join(sorted(names))
        raise WrongValueError(f"names an unknown {what}: {shown(unknown[0])}; {hint}")
    return found


def window(value: object) -> tuple[float, float]:
    """Return a lower and a higher voltage."""
    if not isinstance(value, list) or len(value) != 2:
        raise WrongValueError("must be a list of two numbers in V, [lower, upper]")
    low, high = number(value[0]), number(value[1])
    if low >= high:
        raise WrongValueError("must have its lower voltage first")
    return low, high


def mapping(value: object) -> dict[str, Any]:
    """Return an object with at least one key, and with no credentials in it."""
    if not isinstance(value, dict):
        raise WrongValueError(f"must be an object of keys and values, not {_kind(value)}")
    if not value:
        raise WrongValueError("is empty; leave it out if there is nothing to say")
    secret = _secret_key(value)
    if secret is not None:
        raise WrongValueError(
            f"has a key {shown(secret)}; remove it: credentials must not be in metadata"
        )
    return value


def protocol(value: object) -> dict[str, Any]:
    """Return a protocol: an object, or its name alone."""
    if isinstance(value, str):
        return {"name": text(value)}
    found = mapping(value)
    if "ambient_temperature_degc" in found:
        return found | {"ambient_temperature_degc": number(found["ambient_temperature_degc"])}
    return found


def quantity(value: object) -> dict[str, Any]:
    """Return a Quantity: ``{"value": 5.0, "unit": "A.h"}``."""
    example = 'must be a quantity, such as {"value": 5.0, "unit": "A.h"}'
    if not isinstance(value, dict) or set(value) != {"value", "unit"}:
        raise WrongValueError(example)
    try:
        return {"value": number(value["value"]), "unit": text(value["unit"])}
    except ValueError as error:
        raise WrongValueError(f"{example}: the value or the unit {error}") from None


def component(value: object) -> dict[str, Any]:
    """Return a component of a cell: ``properties`` and a named ``material``."""
    found = mapping(value)
    for key in found:
        if key not in ("properties", "material"):
            raise WrongValueError(f"may have 'properties' and 'material', not {shown(key)}")
        mapping(found[key])
    if "material" in found:
        try:
            name(found["material"].get("name"))
        except ValueError:
            raise WrongValueError("has a material without a name") from None
    return found


def _secret_key(value: object) -> str | None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if "".join(filter(str.isalnum, key.lower())) in _SECRET_KEYS:
                return str(key)
            found = _secret_key(item)
            if found is not None:
                return found
    if isinstance(value, list):
        return next((found for item in value if (found := _secret_key(item))), None)
    return None


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        type(None): "nothing",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), type(value).__name__)
