"""What the columns of a sheet of cells or tests mean: proposed by name, in five languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from bulkload.core.sheets.quantities import unit_of

#: Rows in which a header is looked for: above it stand titles, dates, remarks.
MAX_HEADER_ROW: Final = 40
#: Columns whose names must be understood for a row to be taken for the header.
MIN_KNOWN: Final = 2

#: Field -> what its column is called, reduced by :func:`plain`.
_CELL_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "cell": (
        "cell", "cell id", "cell name", "cell no", "cell number", "cell nr", "sample", "sample id",
        "cellid", "cellname", "cellnr", "zellid", "zellenid", "zelle nr", "zellen nummer",
        "zelle nummer", "cell code", "sample name", "battery", "battery id", "zelle", "zellname",
        "zellen id", "zell id",
        "zellnummer", "zellen nr", "zell nr", "zellbezeichnung", "probe", "proben id", "batterie",
        "cellule", "nom cellule", "id cellule", "numero cellule", "echantillon", "celda",
        "id celda", "nombre celda", "celula", "muestra", "电池", "电池编号", "电芯", "电芯编号",
        "样品", "编号", "cell label", "dut", "specimen", "serial number", "serial no",
        "seriennummer", "numero de serie", "nom de la cellule", "id de celda", "bezeichnung",
    ),
    "spec": (
        "spec", "specification", "cell type", "type", "model", "cell model", "design", "zelltyp",
        "typ", "modell", "spezifikation", "bauart", "modele", "type de cellule", "type cellule",
        "tipo", "modelo", "tipo de celda", "tipo celda", "especificacion", "型号", "规格", "类型",
        "chemistry", "zellchemie", "chemie", "chimie", "quimica", "product", "cell design",
    ),
    "batch": (
        "batch", "lot", "batch id", "batch no", "lot no", "lot number", "batch number", "charge",
        "chargennummer", "los", "losnummer", "serie", "lote", "numero de lote", "numero de lot",
        "批次", "批号", "chargen nr", "production batch", "build",
    ),
    "date_manufactured": (
        "date manufactured", "manufactured", "manufacturing date", "production date", "build date",
        "assembly date", "made", "date made", "assembled", "herstelldatum", "herstellungsdatum",
        "produktionsdatum", "baudatum", "assembliert", "assemblierdatum", "fertigungsdatum",
        "gebaut am", "date de fabrication", "date fabrication", "date assemblage",
        "fecha de fabricacion", "fecha fabricacion", "fecha de montaje", "生产日期", "制造日期",
        "组装日期", "hergestellt", "hergestellt am", "gebaut", "fabrique le", "fabricado el",
        "fertigung", "datum der herstellung",
    ),
    "notes": (
        "notes", "note", "comment", "comments", "remark", "remarks", "bemerkung", "bemerkungen",
        "kommentar", "anmerkung", "notiz", "remarque", "remarques", "commentaire", "observaciones",
        "comentario", "comentarios", "notas", "备注", "注释", "说明",
    ),
    "spec.form_factor": (
        "form factor", "format", "size", "bauform", "zellformat", "formfaktor", "baugrosse",
        "facteur de forme", "factor de forma", "formato", "尺寸", "外形", "form", "case size",
    ),
    "spec.manufacturer": (
        "manufacturer", "maker", "supplier", "hersteller", "fabricant", "fabricante", "制造商",
        "厂家", "lieferant", "vendor", "brand",
    ),
    "spec.ratings.capacity": (
        "rated capacity", "nominal capacity", "nennkapazitat", "nennkap", "nominalkapazitat",
        "capacite nominale", "capacidad nominal", "额定容量", "标称容量", "design capacity",
        "q nom", "qnom", "c nom", "cnom", "capacity nominal", "soll kapazitat",
    ),
    "capacity": (
        "capacity", "cap", "kapazitat", "kap", "capacite", "capacidad", "容量", "q",
    ),
    "spec.ratings.voltage_min": (
        "voltage min", "min voltage", "minimum voltage", "u min", "umin", "v min", "vmin",
        "lower cutoff voltage", "lower voltage limit", "discharge cutoff", "cutoff low",
        "entladeschlussspannung", "untere spannung", "min spannung", "tension min", "u low",
        "tension minimale", "tension de coupure basse", "voltaje minimo", "tension minima",
        "v low", "lower cutoff", "下限电压", "最低电压", "放电截止电压", "lower cut off",
    ),
    "spec.ratings.voltage_max": (
        "voltage max", "max voltage", "maximum voltage", "u max", "umax", "v max", "vmax",
        "upper cutoff voltage", "upper voltage limit", "charge cutoff", "cutoff high",
        "ladeschlussspannung", "obere spannung", "max spannung", "tension max", "u high",
        "tension maximale", "tension de coupure haute", "voltaje maximo", "tension maxima",
        "v high", "upper cutoff", "上限电压", "最高电压", "充电截止电压", "upper cut off",
    ),
    "spec.ratings.nominal_voltage": (
        "nominal voltage", "nennspannung", "tension nominale", "voltaje nominal", "标称电压",
        "额定电压", "u nom", "v nom",
    ),
    "spec.ratings.energy": (
        "energy", "rated energy", "nennenergie", "energie", "energia", "能量",
    ),
    "spec.cathode.material.name": (
        "cathode", "cathode material", "kathode", "kathodenmaterial", "positive electrode",
        "catodo", "materiau cathode", "material catodo", "正极", "正极材料", "cam",
    ),
    "spec.anode.material.name": (
        "anode", "anode material", "anodenmaterial", "negative electrode", "anodo",
        "materiau anode", "material anodo", "负极", "负极材料",
    ),
    "spec.electrolyte.material.name": (
        "electrolyte", "elektrolyt", "electrolito", "电解液",
    ),
    "spec.separator.material.name": ("separator", "separateur", "separador", "隔膜"),
    "measured_properties.cell.capacity": (
        "measured capacity", "gemessene kapazitat", "ist kapazitat", "capacite mesuree",
        "capacidad medida", "initial capacity", "anfangskapazitat", "实测容量", "q meas",
    ),
    "measured_properties.cell.mass": (
        "mass", "weight", "cell mass", "cell weight", "masse", "gewicht", "gemessene masse",
        "poids", "peso", "masa", "质量", "重量", "zellmasse", "zellgewicht", "measured mass",
    ),
    "measured_properties.cell.thickness": (
        "thickness", "cell thickness", "dicke", "zelldicke", "epaisseur", "espesor", "厚度",
    ),
    "measured_properties.cathode.mass_loading": (
        "loading", "mass loading", "cathode loading", "areal loading", "beladung",
        "kathodenbeladung", "flachenbeladung", "massenbeladung", "charge massique",
        "grammage", "carga", "carga masica", "面密度", "载量", "loading cathode",
    ),
    "measured_properties.anode.mass_loading": (
        "anode loading", "anodenbeladung", "loading anode", "负极面密度",
    ),
    "measured_properties.cathode.active_mass": (
        "active mass", "aktivmasse", "masse active", "masa activa", "活性物质质量", "am mass",
        "active material mass", "cathode mass", "kathodenmasse",
    ),
    "measured_properties.cell.resistance": (
        "resistance", "internal resistance", "ir", "acir", "dcir", "innenwiderstand",
        "resistance interne", "resistencia", "resistencia interna", "内阻", "r i", "ri",
    ),
    "measured_properties.cell.open_circuit_voltage": (
        "ocv", "open circuit voltage", "ruhespannung", "leerlaufspannung", "tension a vide",
        "开路电压", "initial ocv",
    ),
    "measured_properties.cell.electrolyte_volume": (
        "electrolyte volume", "elektrolytmenge", "volume electrolyte", "电解液量",
    ),
    "spec.voltage_window": (
        "voltage window", "voltage range", "cutoff voltages", "spannungsbereich",
        "spannungsfenster", "plage de tension", "fenetre de tension", "rango de voltaje",
        "ventana de voltaje", "电压范围", "voltage limits", "spannungsgrenzen",
    ),
    "alias": ("alias", "short name", "kurzname", "barcode", "label", "old name", "alter name"),
    "channel": ("channel", "ch", "kanal", "canal", "voie", "通道", "cycler channel", "channel no"),
}  # fmt: skip
_TEST_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "path": (
        "path", "file", "filename", "file name", "datei", "dateiname", "pfad", "fichier",
        "nom du fichier", "chemin", "archivo", "nombre de archivo", "ruta", "文件",
        "文件名", "路径",
    ),
    "measurement": (
        "measurement", "test", "test name", "experiment", "messung", "versuch", "pruefung",
        "prufung", "essai", "mesure", "ensayo", "prueba", "medicion", "测试", "试验", "测量",
        "messungsname", "test id",
    ),
    "start_time": (
        "start time", "start", "date", "started", "test date", "start date", "datum", "startdatum",
        "beginn", "startzeit", "date de debut", "debut", "date essai", "fecha", "fecha de inicio",
        "inicio", "日期", "开始时间", "测试日期", "messdatum", "prufdatum",
    ),
    "end_time": (
        "end time", "end", "end date", "ende", "enddatum", "fin", "date de fin", "fecha de fin",
        "结束时间",
    ),
    "ambient_temperature_degc": (
        "ambient temperature degc", "temperature", "temp", "ambient temperature", "temperatur",
        "pruftemperatur", "umgebungstemperatur", "t", "temperatura", "温度", "环境温度", "t amb",
        "chamber temperature", "temperature ambiante",
    ),
    "protocol": (
        "protocol", "procedure", "schedule", "recipe", "protokoll", "prozedur", "programm",
        "prufplan", "protocole", "protocolo", "programa", "工步", "流程", "testplan",
    ),
    "cycler": ("cycler", "tester", "machine", "zyklierer", "gerat", "cycleur", "equipo", "设备"),
    "operator": (
        "operator", "user", "bediener", "bearbeiter", "prufer", "operateur", "operador", "操作员",
    ),
    "tags": ("tags", "tag", "schlagworter", "etiquetas", "标签"),
    "data_type": ("data type", "datentyp"),
    "spec": ("spec", "specification", "cell type", "zelltyp", "spezifikation", "modele", "型号"),
    **{name: _CELL_NAMES[name] for name in ("cell", "batch", "notes", "channel")},
    "rated_capacity": (*_CELL_NAMES["spec.ratings.capacity"], "rated capacity a h"),
    "voltage_min": _CELL_NAMES["spec.ratings.voltage_min"],
    "voltage_max": _CELL_NAMES["spec.ratings.voltage_max"],
}  # fmt: skip

#: Fields below which a person may name any property.
OPEN_FIELDS: Final = ("measured_properties.", "spec.")
#: A field that says: this column goes nowhere.
IGNORED: Final = "-"

_UNIT: Final = re.compile(r"[\[(](?P<unit>[^\[\]()]+)[\])]\s*\Z|(?:/| in )\s*(?P<bare>\S+)\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetColumn:
    """A column of a sheet and where its cells belong."""

    index: int
    #: As it stands in the sheet.
    name: str
    field: str
    #: Unit that the header states, empty for none.
    unit: str = ""
    #: How the field was found: "stated" by a person or "by name".
    how: str = "by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetHeader:
    """The header of a sheet: its row (from 0) and its columns."""

    row: int
    columns: tuple[SheetColumn, ...]
    #: Columns that nothing is known of.
    unknown: tuple[str, ...] = ()


def plain(name: str) -> str:
    """Return a column's name without case, accents, signs and unit."""
    name = _UNIT.sub("", name) if unit_in(name) else re.sub(r"[\[(][^\[\]()]*[\])]", " ", name)
    text = unicodedata.normalize("NFKD", name.casefold())
    text = "".join(char for char in text if not unicodedata.combining(char)).replace("ß", "ss")
    return " ".join(re.findall(r"[^\W_]+", text))


def unit_in(name: str) -> str:
    """Return the unit that a column's name ends with, as it is sent; empty for none."""
    found = _UNIT.search(name.strip())
    return (unit_of(found["unit"] or found["bare"]) or "") if found else ""


def find_header(
    rows: Sequence[Sequence[object]],
    stated: Mapping[str, str],
    *,
    is_tests: bool,
) -> SheetHeader | None:
    """Return the row whose cells are the names of columns, None where no row is.

    ``stated`` maps columns to fields as a person did; it overrides any proposal. A band of
    merged cells above the header lends its words to the columns below it.
    """
    best: SheetHeader | None = None
    for number, row in enumerate(rows[:MAX_HEADER_ROW]):
        above = rows[number - 1] if number else ()
        header = _header(number, row, above, stated, is_tests=is_tests)
        known = [column for column in header.columns if column.field != IGNORED]
        if len(known) >= MIN_KNOWN and (best is None or len(known) > len(best.columns)):
            best = header
    return None if best is None else _with_types(best, rows[best.row + 1 :])


def _with_types(header: SheetHeader, rows: Sequence[Sequence[object]]) -> SheetHeader:
    """Take a second name that the cells share for their type: one of its own is no cell's alone."""
    if any(column.field == "spec" for column in header.columns):
        return header
    columns = tuple(
        replace(column, field="spec")
        if column.field == "alias" and column.how == "by name" and _is_shared(column.index, rows)
        else column
        for column in header.columns
    )
    return replace(header, columns=columns)


def _is_shared(index: int, rows: Sequence[Sequence[object]]) -> bool:
    """Return whether the texts of a column stand in two rows each, or more, on the average."""
    texts = [str(row[index]).strip() for row in rows if index < len(row) and row[index]]
    return 0 < 2 * len(set(texts)) <= len(texts)


def _header(
    number: int,
    row: Sequence[object],
    above: Sequence[object],
    stated: Mapping[str, str],
    *,
    is_tests: bool,
) -> SheetHeader:
    by_name = {_key(name): field for name, field in stated.items()}
    names = _TEST_KEYS if is_tests else _CELL_KEYS
    columns: list[SheetColumn] = []
    unknown: list[str] = []
    for index, cell in enumerate(row):
        name = cell.strip() if isinstance(cell, str) else ""
        if not name:
            continue
        band = above[index] if index < len(above) and isinstance(above[index], str) else ""
        field, how = by_name.get(_key(name)), "stated"
        if field is None:
            field, how = _field(name, str(band), names), "by name"
        if field == "cell" and any(column.field == "cell" for column in columns):
            # A second name of the cells: files may be called by it.
            field = "alias"
        if field is None or any(column.field == field != IGNORED for column in columns):
            unknown.append(name)
        else:
            unit = unit_in(name)
            columns.append(SheetColumn(index=index, name=name, field=field, unit=unit, how=how))
    return SheetHeader(row=number, columns=tuple(columns), unknown=tuple(unknown))


def _field(name: str, band: str, names: Mapping[str, str]) -> str | None:
    exact = name.partition(" [")[0].strip()
    if exact in names.values() or exact.startswith(OPEN_FIELDS):
        return exact
    key = plain(name)
    joined = f"{plain(band)} {key}" if band else key
    for words in (joined, key):
        found = names.get(words) or names.get(" ".join(sorted(words.split())))
        if found is not None:
            return _told_apart(found, joined)
    near = get_close_matches(key, names, 1, cutoff=0.92) if len(key) > 5 else []
    return names[near[0]] if near else None


def manifest_field(name: str) -> str | None:
    """Return the column of a manifest that this name stands for, None for an unknown name."""
    return _TEST_KEYS.get(plain(name))


def _told_apart(field: str, words: str) -> str:
    """Distinguish rated from measured where a band above the column says it."""
    if field == "capacity" and _RATED.search(words):
        return "spec.ratings.capacity"
    if field == "capacity" and _MEASURED.search(words):
        return "measured_properties.cell.capacity"
    return field


_RATED: Final = re.compile(r"\b(?:nenn|nominal|nominale|rated|soll|design)")
_MEASURED: Final = re.compile(r"\b(?:gemessen|measured|ist|mesure|medid)")


def known_fields(*, is_tests: bool) -> tuple[str, ...]:
    """Return the fields that a column may be mapped to."""
    return tuple(_TEST_NAMES if is_tests else _CELL_NAMES)


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _keys(fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, names in fields.items():
        for name in names:
            found.setdefault(plain(name), field)
            # The words in any order: "nominal capacity", "capacity nominal".
            found.setdefault(" ".join(sorted(plain(name).split())), field)
    return found


_CELL_KEYS: Final = _keys(_CELL_NAMES)
_TEST_KEYS: Final = _keys(_TEST_NAMES)
