"""Three electrodes: which potential is the voltage of the cell, and what becomes of the others.

A potentiostat measures the working electrode (``Ewe``) against a reference, often the counter
electrode (``Ece``) too. The voltage of the cell is their difference. It is taken where the file
has it, or has both; the potentials are kept as columns of their own. In a file with ``Ewe`` alone
that is the voltage: where the reference is the counter electrode, as in most cells, it is the
cell's. In a spectrum of the working electrode the voltage is that electrode's, as its impedance.
"""

from __future__ import annotations

import numpy as np

from bulkload.core import terms
from bulkload.core.decisions import DecisionCode
from bulkload.errors import UnreadableError
from bulkload.readers.derive import SWEEP_HZ
from bulkload.readers.dialect import DIFFERENCE, DIFFERENCE_COLUMN
from bulkload.readers.raw_columns import Floats, Raw
from bulkload.readers.reading import EWE, EWE_ECE


def set_voltage(raw: Raw, wanted: str | None) -> None:
    """Take the voltage of the cell from what the file has of its electrodes.

    ``wanted`` is ``ewe`` or ``ewe-ece`` where the user states it; raises ``UnreadableError``
    where the file does not have that.
    """
    working = _measured(raw, terms.WORKING_POTENTIAL)
    counter = _measured(raw, terms.COUNTER_POTENTIAL)
    stated = raw.columns.pop(DIFFERENCE, None)
    difference = None if stated is None else np.asarray(stated, dtype=np.float64)
    if working is None and difference is None:
        return
    taken, evidence = wanted, "stated"
    if taken is None:
        if terms.VOLTAGE in raw.columns:
            return
        evidence = "columns of the file"
        is_cell = difference is not None or (counter is not None and not _is_spectrum(raw))
        taken = EWE_ECE if is_cell or working is None else EWE
    if difference is None and working is not None and counter is not None:
        difference = working - counter
    if taken == EWE_ECE and difference is not None:
        raw.columns[terms.VOLTAGE] = difference
    elif taken == EWE and working is not None:
        raw.columns[terms.VOLTAGE] = working
        if difference is not None and stated is not None:
            raw.columns[DIFFERENCE_COLUMN] = difference
        if difference is None:
            # The voltage itself: a second column of the same numbers would say nothing.
            del raw.columns[terms.WORKING_POTENTIAL]
    else:
        raise UnreadableError(
            f"{raw.name}: the voltage was stated to be {taken}, and the file does not have that; "
            "state the other, or none",
            cause="missing_column",
        )
    raw.decide(
        DecisionCode.VOLTAGE_TAKEN,
        _sentence(taken, is_computed=stated is None, is_alone=difference is None),
        evidence=evidence,
        rows=raw.rows,
    )


def _measured(raw: Raw, name: str) -> Floats | None:
    """Return a potential, None where the file has none or none of its values."""
    values = raw.columns.get(name)
    if values is None:
        return None
    potential = np.asarray(values, dtype=np.float64)
    return None if np.isnan(potential).all() else potential


def _is_spectrum(raw: Raw) -> bool:
    """Return whether most rows are of an impedance sweep, which is the working electrode's."""
    frequency = raw.columns.get(terms.FREQUENCY)
    if frequency is None:
        return False
    return float(np.mean(np.asarray(frequency, dtype=np.float64) > SWEEP_HZ)) > 0.5


def _sentence(taken: str, *, is_computed: bool, is_alone: bool) -> str:
    if taken == EWE_ECE:
        how = "Ewe less Ece" if is_computed else "the column Ewe-Ece"
        return f"voltage of the cell: {how}; the potentials of the electrodes are kept beside it"
    if is_alone:
        return "voltage: Ewe, the only potential in the file; it is the cell's against its counter"
    return "voltage: Ewe, the working electrode against the reference; Ece is kept beside it"
