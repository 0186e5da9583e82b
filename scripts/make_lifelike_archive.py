"""Make an archive as battery labs keep them, with the truth about every file beside it.

    python scripts/make_lifelike_archive.py FOLDER [--data SHARED_DATA] [--cells 96] [--seed 7]

``FOLDER/archive`` holds the files, ``FOLDER/Zelluebersicht.xlsx`` the lab's sheet of cells and
``FOLDER/truth.json`` what each path is: whether it is to be uploaded (and if not, why), its
specification, cell, batch, day and ambient temperature, and the measurement that a careful person
would call it. Seven people of four countries have named files in it over four years.

Real cycler files are taken from ``--data`` where it lies; without it the archive is made of
synthetic tests alone. Nothing here reads ``bulkload.surveying``: the names were written first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import xlsxwriter

from scripts.lifelike_lab import (
    SPECS,
    Cell,
    Lab,
    Truth,
    arbin_csv,
    ionworks_csv,
    maccor_txt,
    make_cells,
    neware_csv,
)


def formation(lab: Lab) -> None:
    """Write as a technician in Münster: German words, points in dates, all in one folder."""
    for cell in lab.of("NMC622 CR2032"):
        start = lab.day(cell, 2)
        name = f"{cell.name}_Formierung_{start:%d.%m.%Y}_25°C.csv"
        lab.test(
            f"2021 Formierung Knopfzellen/{name}", cell, start, neware_csv,
            measurement="Formierung", temperature=25.0,
        )  # fmt: skip


def check_ups(lab: Lab) -> None:
    """Write as a careful student: a folder a temperature, a folder a cell, ISO dates."""
    for number, cell in enumerate(lab.of("LFP 18650")):
        for check in range(1, 4):
            degrees = (10, 25, 45)[number % 3]
            start = lab.day(cell, 30 * check)
            name = f"{cell.name}_RPT{check}_{start:%Y-%m-%d}.csv"
            lab.test(
                f"RPT/{degrees}degC/{cell.name}/{name}", cell, start, arbin_csv,
                measurement=f"RPT{check}", temperature=float(degrees),
            )  # fmt: skip


def cycling(lab: Lab) -> None:
    """Write as a post-doc who dislikes hyphens and zeros: the sheet's CC-004 becomes cc4."""
    for number, cell in enumerate(lab.of("NMC622 CR2032")[:16]):
        written = "cc" + cell.name.removeprefix("CC-").lstrip("0")
        start = lab.day(cell, 12)
        first = f"JS/cycling/{start:%Y%m%d} {written} cyc part1.txt"
        lab.test(first, cell, start, maccor_txt, measurement="cyc part1")
        if number % 2:
            again = start + dt.timedelta(days=4)
            second = f"JS/cycling/{again:%Y%m%d} {written} cyc part2.txt"
            lab.test(second, cell, again, maccor_txt, measurement="cyc part2", continues=first)


def rate_tests(lab: Lab) -> None:
    """Rates and temperatures in the names, both with a C; channels as Neware gives them."""
    for number, cell in enumerate(lab.of("NCA 21700")):
        for later, rate in enumerate(("0.2C", "1C", "3C")):
            degrees = (5, 10, 25)[number % 3]
            start = lab.day(cell, 40 + 2 * later)
            channel = f"Ch{number % 8 + 1}"
            name = f"{cell.name}_{channel}_rate {rate}_{degrees}C.csv"
            lab.test(
                f"Ratenfähigkeit/NCA/{name}", cell, start, neware_csv, dated=False,
                measurement=f"rate {rate}", temperature=float(degrees),
            )  # fmt: skip


def partner(lab: Lab) -> None:
    """Write as a partner in Detroit: month first, and Maccor's own numbers as endings."""
    for number, cell in enumerate(lab.of("NMC811 pouch")):
        for test, days in (("DST", 50), ("HPPC", 63)):
            start = lab.day(cell, days)
            name = f"{cell.name}-{test}-{start:%m-%d-%Y}.{number % 30 + 1:03d}"
            lab.test(f"US partner/{name}", cell, start, maccor_txt, measurement=test)


def storage(lab: Lab) -> None:
    """Calendar ageing: test and cell are folders, the file is always called data.csv."""
    for cell in lab.of("LFP 18650")[:8]:
        for month in ("M01", "M03"):
            start = lab.day(cell, 100)
            lab.test(
                f"Kalendarisch/Temp45/{month}/{cell.name}/data.csv", cell, start, ionworks_csv,
                measurement=month, dated=False, temperature=45.0,
            )  # fmt: skip


def cold(lab: Lab) -> None:
    """Write tests below zero, one day written with the month's name."""
    for cell in lab.of("NCA 21700")[:8]:
        start = lab.day(cell, 200)
        name = f"{start:%d%b%Y}_{cell.name}_capacity_m20degC.csv"
        lab.test(
            f"cold chamber/{name}",
            cell,
            start,
            arbin_csv,
            measurement="capacity",
            temperature=-20.0,
        )


def oddities(lab: Lab) -> None:
    """Write what only a person can settle: five cells of the plan."""
    first, second, *_ = lab.of("NMC622 CR2032")
    start = lab.day(first, 300)
    lab.test(
        "JS/special measurement for Anna.csv", first, start, arbin_csv, dated=False,
        measurement="special measurement for Anna",
    )  # fmt: skip
    path = f"2021 Formierung Knopfzellen/{first.name} und {second.name}_Ruhe.csv"
    lab.test(
        path, second, lab.day(second, 310), arbin_csv, dated=False,
        measurement=f"{first.name} und {second.name}_Ruhe",
    )  # fmt: skip
    path = f"JS/{first.name}_Lagerung 10C.csv"
    lab.test(
        path, first, lab.day(first, 320), arbin_csv, dated=False, measurement="Lagerung 10C",
        temperature=10.0,
    )  # fmt: skip
    path = f"JS/{first.name}_EIS_before.csv"
    right = lab.test(
        path, first, lab.day(first, 330), arbin_csv, dated=False, measurement="EIS_before"
    )
    wrong = right.with_name(f"{second.name}_EIS_before.csv")
    shutil.copyfile(right, wrong)
    lab.truth[wrong.relative_to(lab.root).as_posix()] = Truth(upload=False, why="copy")


def zipped(lab: Lab) -> None:
    """Write a year that somebody has packed."""
    folder = lab.root / "packed"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "pulses_2022.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, cell in enumerate(lab.of("NMC811 pouch")[:10]):
            start = lab.day(cell, 90)
            inner = (
                f"{cell.name}/{cell.name}_pulse_{start:%Y%m%d}_{25 if number % 2 else 40}degC.csv"
            )
            path = f"packed/pulses_2022.zip!/{inner}"
            target = folder / f"member{number}.csv"
            lab.test(
                f"packed/{target.name}", cell, start, arbin_csv, measurement="pulse",
                temperature=25.0 if number % 2 else 40.0,
            )  # fmt: skip
            archive.write(target, inner)
            target.unlink()
            lab.truth[path] = lab.truth.pop(f"packed/{target.name}")
    lab.truth["packed/pulses_2022.zip"] = Truth(upload=False, why="archive")


def clutter(lab: Lab) -> None:
    """Write what lies between: photos, documents, programs, copies, half-written files."""
    jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(range(256))
    for number in range(8):
        lab.other(f"Fotos/IMG_2{number:03d}.JPG", jpeg + bytes([number]), "picture")
    lab.other("RPT/setup sketch.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "picture")
    lab.other("JS/thesis_final_v3.docx", b"PK\x03\x04" + b"word/document.xml" * 9, "document")
    lab.other("Ratenfähigkeit/Auswertung.pdf", b"%PDF-1.4\n" + bytes(90), "document")
    lab.other("JS/plot_capacity.py", b"import numpy as np\nprint(np.pi)\n" * 4, "program")
    lab.other(
        "US partner/README.txt", b"Data of the pouch cells.\nAsk Dave for the key.\n", "document"
    )
    lab.other("cold chamber/~$notes.xlsx", b"\x05Anna" + bytes(50), "temporary")
    lab.other("RPT/Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(80), "system")
    lab.other("US partner/P03-DST.tmp", b"Rec#\t", "temporary")
    lab.other("2021 Formierung Knopfzellen/CC-099_Formierung.csv", b"", "empty")
    lab.other("cold chamber/schedule_m20.sdx", b"\x01\x02SCHEDULE" + bytes(70), "program")
    lab.other(
        "JS/chamber log.csv",
        b"when;chamber;setpoint\n" + b"2021-05-03 10:00;2;25,1\n" * 40, "unknown_table",
    )  # fmt: skip
    _half_written(lab)
    _copies(lab)


def _half_written(lab: Lab) -> None:
    for number, path in enumerate(sorted(lab.truth)[20:80:20]):
        source = lab.root / path
        if not lab.truth[path].upload or not source.is_file():
            continue
        cut = source.with_name(f"{source.stem.replace('_', '-', 1)} lost{number}{source.suffix}")
        text = source.read_bytes()
        # In the middle of a row, as a full disk or a pulled plug leaves it.
        end = text.index(b"\n", int(len(text) * 0.7)) + 12
        cut.write_bytes(text[:end])
        lab.truth[cut.relative_to(lab.root).as_posix()] = Truth(upload=False, why="cut_short")


def _copies(lab: Lab) -> None:
    tests = [path for path in sorted(lab.truth) if lab.truth[path].upload and "!/" not in path]
    for path in tests[3:60:12]:
        source = lab.root / path
        target = source.with_name(f"{source.stem} - Kopie{source.suffix}")
        shutil.copyfile(source, target)
        lab.truth[target.relative_to(lab.root).as_posix()] = Truth(upload=False, why="copy")
    for path in tests[70:130:10]:
        target = lab.root / "backup 2022" / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lab.root / path, target)
        lab.truth[target.relative_to(lab.root).as_posix()] = Truth(upload=False, why="copy")


def real_files(lab: Lab, data: Path) -> None:
    """Real files of several makers in one folder, named by the cell that they are said to be of."""
    coins = lab.of("NMC622 CR2032")[-6:]
    larger = {"long life": lab.of("LFP 18650")[-1], "diagnosis": lab.of("NCA 21700")[-1]}
    names = [
        ("biologic/gcpl.issue_211.mpt", "02_GCPL_C0{n}.mpt", "02_GCPL", True),
        ("biologic/gcpl.issue_211.mpr", "02_GCPL_C0{n}.mpr", "02_GCPL", False),
        ("neware/neware_uio.csv", "slow cycles.csv", "slow cycles", True),
        ("neware/custom_data_003.xls", "capacity.xls", "capacity", True),
        ("maccor/maccor_one.txt", "long life.txt", "long life", True),
        ("maccor/xTESLADIAG_000038con.078", "diagnosis.078", "diagnosis", True),
        ("biologic/mb.issue_95.de.mpt", "MB_C0{n}.mpt", "MB", True),
        ("gamry/eispot_data.dta", "EIS.DTA", "EIS", True),
    ]
    for number, (source, rest, measurement, is_kept) in enumerate(names):
        cell = larger.get(measurement, coins[0 if number < 2 else number % len(coins)])
        path = f"mixed/{cell.name}_{rest.format(n=3)}"
        target = lab.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / "cycler" / source, target)
        lab.truth[path] = Truth(
            upload=is_kept, why="" if is_kept else "other_form", spec=cell.spec, cell=cell.name,
            batch=cell.batch, measurement=measurement, begun=None,
        )  # fmt: skip


def sheet_of_cells(path: Path, cells: Sequence[Cell], rng: random.Random) -> None:
    """Write the lab's overview: a title, a merged band, blank rows, units where people put them."""
    with xlsxwriter.Workbook(str(path)) as book:
        old = book.add_worksheet("alt")
        old.write_row(0, 0, ["Zelle", "Typ"])
        old.write_row(1, 0, ["CC-001", "veraltet"])
        old.hide()
        sheet = book.add_worksheet("Zellen")
        sheet.activate()
        sheet.set_first_sheet()
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        sheet.merge_range(
            0, 0, 0, 8, "Zellübersicht AG Batterien, Stand 14.03.2022", book.add_format()
        )
        sheet.merge_range(2, 3, 2, 5, "Nennwerte", book.add_format())
        header = [
            "Zellname", "Zelltyp", "Charge", "Nennkap. [mAh]", "U min", "U max", "Bauform",
            "gemessene Masse", "Herstelldatum", "Bemerkung",
        ]  # fmt: skip
        sheet.write_row(3, 0, header)
        row = 4
        for cell in cells:
            if rng.random() < 0.05:
                row += 1
            spec = SPECS[cell.spec]
            sheet.write(row, 0, cell.name + (" " if rng.random() < 0.1 else ""))
            sheet.write(row, 1, cell.spec)
            sheet.write(row, 2, cell.batch)
            sheet.write(
                row, 3, f"{spec['capacity_mah']:g}" if rng.random() < 0.2 else spec["capacity_mah"]
            )
            sheet.write(row, 4, f"{spec['low']:g} V".replace(".", ","))
            sheet.write(row, 5, f"{spec['high']:g} V".replace(".", ","))
            sheet.write(row, 6, spec["form"])
            sheet.write(row, 7, f"{cell.mass_g} g".replace(".", ","))
            sheet.write_datetime(row, 8, dt.datetime.combine(cell.made, dt.time()), day)
            if rng.random() < 0.1:
                sheet.write(row, 9, "leicht verbeult")
            row += 1


def make(root: Path, *, data: Path | None, cells: int = 96, seed: int = 7) -> dict[str, Truth]:
    """Make the archive below ``root`` and return the truth about each of its paths."""
    rng = random.Random(seed)
    lab = Lab(root, make_cells(cells, rng), rng)
    root.mkdir(parents=True, exist_ok=True)
    for habit in (
        formation,
        check_ups,
        cycling,
        rate_tests,
        partner,
        storage,
        cold,
        oddities,
        zipped,
    ):
        habit(lab)
    if data is not None and data.is_dir():
        real_files(lab, data)
    clutter(lab)
    sheet_of_cells(root / "Zelluebersicht.xlsx", lab.cells, rng)
    truth = {path: asdict(one) for path, one in sorted(lab.truth.items())}
    (root / "truth.json").write_text(json.dumps(truth, indent=1, ensure_ascii=False), "utf-8")
    return dict(sorted(lab.truth.items()))


def main() -> None:
    """Make an archive where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("BULKLOAD_SHARED_DATA"))
    parser.add_argument("--cells", type=int, default=96)
    parser.add_argument("--seed", type=int, default=7)
    stated = parser.parse_args()
    data = None if stated.data is None else Path(stated.data)
    truth = make(stated.folder, data=data, cells=stated.cells, seed=stated.seed)
    print(f"{len(truth)} paths, {sum(one.upload for one in truth.values())} to be uploaded")


if __name__ == "__main__":
    main()
