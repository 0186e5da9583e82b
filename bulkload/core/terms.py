"""The field's words: column names, measurement types, and the sign of current.

Sign of current: **positive is discharge**, negative is charge. Readers convert to it,
the sign rule proves it, and nothing else in bulkload knows another convention.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

TIME: Final = "Time [s]"
VOLTAGE: Final = "Voltage [V]"
CURRENT: Final = "Current [A]"
TEMPERATURE: Final = "Temperature [degC]"
POWER: Final = "Power [W]"
STEP_COUNT: Final = "Step count"
CYCLE_COUNT: Final = "Cycle count"
STEP_FROM_CYCLER: Final = "Step from cycler"
CYCLE_FROM_CYCLER: Final = "Cycle from cycler"
DISCHARGE_CAPACITY: Final = "Discharge capacity [A.h]"
CHARGE_CAPACITY: Final = "Charge capacity [A.h]"
DISCHARGE_ENERGY: Final = "Discharge energy [W.h]"
CHARGE_ENERGY: Final = "Charge energy [W.h]"
FREQUENCY: Final = "Frequency [Hz]"
Z_RE: Final = "Z_Re [Ohm]"
Z_IM: Final = "Z_Im [Ohm]"
CAPACITY: Final = "Capacity [A.h]"
#: Of electrodes, where a cell has a reference: against that reference.
WORKING_POTENTIAL: Final = "Ewe [V]"
COUNTER_POTENTIAL: Final = "Ece [V]"
STOICHIOMETRY: Final = "Stoichiometry"
SOC: Final = "SOC"

#: Columns that restart from zero at each step and never fall within one.
CUMULATIVE_COLUMNS: Final = (
    DISCHARGE_CAPACITY,
    CHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    CHARGE_ENERGY,
)

#: Longest measurement name that Studio accepts, in characters. The limit for specifications,
#: batches and instances is not published: the same is assumed, so that a plan fails early.
MAX_NAME_LENGTH: Final = 255

#: Tags that Studio accepts on a measurement, and the characters of each (its answer is 400).
MAX_TAGS: Final = 50
MAX_TAG_LENGTH: Final = 50


class MeasurementType(StrEnum):
    """What a measurement holds."""

    TIME_SERIES = "time_series"
    FILE = "file"
    PROPERTIES = "properties"


#: The reader of a measurement that lies in a database (``bulkload.databases.measurement``).
DATABASE: Final = "database"
#: The reader of a measurement that lies in several files (``bulkload.readers.joined``).
JOINED: Final = "joined"


class JobKey(NamedTuple):
    """What makes an upload job one and the same in every run: its names in Studio."""

    spec: str
    cell: str
    measurement: str

    def __str__(self) -> str:
        return " / ".join(self)
