"""What an EC-Lab binary (.mpr) records: column numbers, widths, and the names of its text export.

The layout is not published by the manufacturer; these are facts that several independent readers
and pairs of a binary with its own text export agree on. Numbers are 16 bit: where an export of
EC-Lab 11.50 is read a byte early, 468 looks like 212, so both spellings of one number stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Columns that share one byte: number to bits. Its place is that of the first of them.
FLAGS: Final[Mapping[int, int]] = {1: 0x03, 2: 0x04, 3: 0x08, 21: 0x10, 31: 0x20, 65: 0x80}

_SINGLE: Final[Mapping[int, str]] = {
    5: "control/V/mA",
    6: "Ewe/V",
    8: "I/mA",
    9: "Ece/V",
    16: "Analog IN 1/V",
    17: "Analog IN 2/V",
    19: "control/V",
    20: "control/mA",
    26: "Rapp/Ohm",
    27: "Ewe-Ece/V",
    32: "freq/Hz",
    33: "|Ewe|/V",
    34: "|I|/A",
    35: "Phase(Z)/deg",
    36: "|Z|/Ohm",
    37: "Re(Z)/Ohm",
    38: "-Im(Z)/Ohm",
    69: "R/Ohm",
    70: "P/W",
    75: "Analog OUT/V",
    76: "<I>/mA",
    77: "<Ewe>/V",
    78: "Cs-2/µF-2",
    96: "|Ece|/V",
    98: "Phase(Zce)/deg",
    99: "|Zce|/Ohm",
    100: "Re(Zce)/Ohm",
    101: "-Im(Zce)/Ohm",
    163: "|Estack|/V",
    168: "Rcmp/Ohm",
    169: "Cs/µF",
    172: "Cp/µF",
    173: "Cp-2/µF-2",
    174: "<Ewe>/V",
    178: "(Q-Qo)/C",
    179: "dQ/C",
    185: "<Ece>/V",
    206: "Temperature/°C",
    215: "<Ece>/V",
    271: "Phase(Z1)/deg",
    272: "Phase(Z2)/deg",
    301: "|Z1|/Ohm",
    302: "|Z2|/Ohm",
    331: "Re(Z1)/Ohm",
    332: "Re(Z2)/Ohm",
    361: "-Im(Z1)/Ohm",
    362: "-Im(Z2)/Ohm",
    391: "<E1>/V",
    392: "<E2>/V",
    419: "|Estack|/V",
    422: "Phase(Zstack)/deg",
    423: "|Zstack|/Ohm",
    424: "Re(Zstack)/Ohm",
    425: "-Im(Zstack)/Ohm",
    426: "<Estack>/V",
    430: "Phase(Zwe-ce)/deg",
    431: "|Zwe-ce|/Ohm",
    432: "Re(Zwe-ce)/Ohm",
    433: "-Im(Zwe-ce)/Ohm",
    434: "(Q-Qo)/C",
    435: "dQ/C",
    441: "<Ece>/V",
    462: "Temperature/°C",
    471: "<Ece>/V",
    **{
        first + n: f"{what}/%"
        for first in (217, 473)
        for n, what in enumerate(
            (
                "THD Ewe",
                "THD I",
                "THD Ece",
                "NSD Ewe",
                "NSD I",
                "NSD Ece",
                "NSR Ewe",
                "NSR I",
                "NSR Ece",
            )
        )
    },
    **{first + n: f"|Ewe h{n + 2}|/V" for first in (230, 486) for n in range(6)},
    **{first + n: f"|I h{n + 2}|/A" for first in (236, 492) for n in range(6)},
    248: "Rac/Ohm",
    249: "Rdc/Ohm",
    504: "Rac/Ohm",
    505: "Rdc/Ohm",
}

_DOUBLE: Final[Mapping[int, str]] = {
    4: "time/s",
    7: "dq/mA.h",
    11: "<I>/mA",
    13: "(Q-Qo)/mA.h",
    23: "dQ/mA.h",
    24: "cycle number",
    74: "|Energy|/W.h",
    110: "Energy ce/W.h",
    112: "Energy we/W.h",
    115: "Energy ce charge/W.h",
    116: "Energy ce discharge/W.h",
    123: "Energy charge/W.h",
    124: "Energy discharge/W.h",
    125: "Capacitance charge/µF",
    126: "Capacitance discharge/µF",
    182: "step time/s",
    211: "Q charge/discharge/mA.h",
    438: "step time/s",
    467: "Q charge/discharge/mA.h",
}

#: Number -> name and NumPy type of a column of its own.
COLUMNS: Final[Mapping[int, tuple[str, str]]] = {
    **{number: (name, "<f4") for number, name in _SINGLE.items()},
    **{number: (name, "<f8") for number, name in _DOUBLE.items()},
    39: ("I Range", "<u2"),
    131: ("Ns", "<u2"),
    212: ("half cycle", "<u4"),
    213: ("z cycle", "<u4"),
    253: ("Acir/Dcir Control", "|u1"),
    468: ("half cycle", "<u4"),
    469: ("z cycle", "<u4"),
    509: ("Acir/Dcir Control", "|u1"),
}

#: Numbers with two meanings of different width: of a battery technique, and of a harmonic. The
#: length of a record decides; a time series needs none of them.
AMBIGUOUS: Final[Mapping[int, tuple[tuple[str, str], tuple[str, str]]]] = {
    number: ((battery, "<f8"), (f"|Ece h{number - 496}|/V", "<f4"))
    for number, battery in (
        (498, "Q charge/mA.h"),
        (499, "Q discharge/mA.h"),
        (500, "step time/s"),
        (501, "Efficiency/%"),
        (502, "Capacity/mA.h"),
    )
}

#: First byte of the settings module -> technique, as the text export names it for short.
TECHNIQUES: Final[Mapping[int, str]] = {
    0x04: "GCPL",
    0x06: "CV",
    0x0B: "OCV",
    0x16: "MP",
    0x18: "CA",
    0x19: "CP",
    0x1C: "WAIT",
    0x1D: "PEIS",
    0x1E: "GEIS",
    0x30: "CV",
    0x32: "ZIR",
    0x33: "CVA",
    0x6C: "LSV",
    0x75: "CoV",
    0x76: "CoC",
    0x77: "GCPL",
    0x7F: "MB",
}
