"""LAND (LANHE, Landt): exports of LANDdt as text or workbook, in English or Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bulkload.core import terms
from bulkload.readers.derive import ENERGY
from bulkload.readers.dialect import (
    MODE,
    RECORD,
    STEP_TIME,
    TIMESTAMP,
    ColumnRule,
    Dialect,
    Kind,
    Sign,
)
from bulkload.readers.header_fields import grouped, labelled, with_iso_start
from bulkload.readers.probe import Probe
from bulkload.readers.table_format import TableFormat

_TIME: Final = ("testtime", "test time", "测试时间", "总时间", "累计时间")
_STEP_TIME: Final = ("steptime", "step time", "步骤时间", "工步时间", "步时间")
_VOLTAGE: Final = ("voltage", "volt", "电压")
_CHINESE: Final = ("系统时间", "步骤状态", "工作模式", "循环序号")
_CURRENT: Final = ("current", "cur", "电流")


def _dialect(*, slash: bool) -> Dialect:
    return Dialect(
        name="LANDdt export" + ("" if slash else " with brackets"),
        cycler="Landt",
        # A Maccor writes its times in one word too, but not the last of these.
        signature=(
            ("testtime", *_TIME[2:]),
            _VOLTAGE,
            _CURRENT,
            ("systime", "sys time", "step state", "soc|dod", *_CHINESE),
        ),
        columns=(
            ColumnRule(RECORD, ("record", "index", "记录", "记录号", "记录序号", "序号")),
            ColumnRule(
                TIMESTAMP,
                ("systime", "sys time", "system time", "系统时间", "绝对时间"),
                kind=Kind.TIMESTAMP,
            ),
            ColumnRule(terms.TIME, _TIME, kind=Kind.DURATION),
            ColumnRule(STEP_TIME, _STEP_TIME, kind=Kind.TEXT),
            ColumnRule(terms.VOLTAGE, _VOLTAGE),
            ColumnRule(terms.CURRENT, _CURRENT),
            ColumnRule(terms.CAPACITY, ("capacity", "容量"), needs_unit=True),
            ColumnRule(ENERGY, ("energy", "能量"), needs_unit=True),
            ColumnRule(
                terms.TEMPERATURE, ("auxtemp", "aux temp", "辅助温度", "温度"), needs_unit=True
            ),
            ColumnRule(
                terms.CYCLE_FROM_CYCLER,
                ("cycle index", "cycle", "cycle no", "循环序号", "循环号", "循环"),
            ),
            ColumnRule(
                terms.STEP_FROM_CYCLER,
                (
                    "step index",
                    "step",
                    "step no",
                    "步骤序号",
                    "步骤号",
                    "工步序号",
                    "工步号",
                    "步次",
                ),
            ),
            ColumnRule(
                MODE,
                ("step state", "state", "mode", "步骤状态", "工步状态", "工作模式", "状态"),
                kind=Kind.TEXT,
            ),
        ),
        # A discharge (RateD, D_CC) is written with a minus.
        sign=Sign.CHARGE_POSITIVE,
        slash_units=slash,
    )


_LABELS: Final = {
    "channel": "channel_number",
    "channel no": "channel_number",
    "start time": "start_time",
    "process": "procedure",
    "process name": "procedure",
    "remark": "notes",
    "通道": "channel_number",
    "通道号": "channel_number",
    "启动时间": "start_time",
    "开始时间": "start_time",
    "过程名称": "procedure",
    "备注": "notes",
}


def _preamble(lines: Sequence[str], _probe: Probe) -> dict[str, Any]:
    plain = (line.replace("\uff1a", ":").replace("\t", " ") for line in lines)
    return grouped(with_iso_start(dict(labelled(plain, _LABELS))))


FORMAT: Final = TableFormat(
    name="lanhe",
    dialects=(_dialect(slash=True), _dialect(slash=False)),
    preamble=_preamble,
)
