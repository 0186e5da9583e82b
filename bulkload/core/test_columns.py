"""What tables call the columns by which they hold several tests or cells.

The readers tell the tests apart by them, and the plan looks for them in the beginning of a file
without loading the readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEST: Final = "test"
CHANNEL: Final = "channel"
CELL: Final = "cell"
BARCODE: Final = "barcode"
SERIAL: Final = "serial number"

#: What a column holds -> its names, folded: words in lower case with a space between.
TEST_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    TEST: (
        *("test id", "test number", "test no", "test", "test name", "experiment", "experiment id"),
        *("file", "file name", "filename", "source file", "datei", "dateiname", "测试编号"),
    ),
    CHANNEL: (
        *("channel", "channel id", "channel number", "channel no", "channel index", "chl"),
        *("chan", "slot", "kanal", "kanalnummer", "kanal nr", "canal", "voie"),
        *("通道", "通道号", "通道编号"),
    ),
    CELL: (
        *("cell id", "cell name", "cell number", "cell no", "cell", "battery id", "battery"),
        *("battery name", "battery number", "battery no", "batterie", "batteriename"),
        *("batterie nr", "batterienummer", "prüfling", "batería", "bateria", "pila"),
        *("sample id", "sample name", "sample", "specimen", "specimen id", "device"),
        *("device id", "dut", "dut id", "unit", "unit id", "module", "module id", "position"),
        *("zelle", "zellnummer", "zelle nr", "zellen nr", "zell id", "zellen id", "akku", "probe"),
        *("probennummer", "proben nr", "cellule", "échantillon", "celda", "muestra", "cella"),
        *("电池编号", "电池", "电池号", "电芯", "电芯编号", "样品", "样品编号"),
    ),
    BARCODE: ("barcode", "bar code", "条码", "条形码"),
    SERIAL: (
        *("serial number", "serial no", "serial", "cell serial", "sn", "seriennummer"),
        *("numéro de série", "número de serie", "序列号"),
    ),
}
