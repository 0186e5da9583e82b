"""Words that labs use in the names of files and folders, in several languages.

They say what a stretch of a name is not: a test is no cell, a folder of exports is no
specification. None of them alone says what it is.
"""

from __future__ import annotations

import re
from typing import Final

_LETTERS: Final = re.compile(r"[^\W\d_]+")


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case."""
    return [word.casefold() for word in _LETTERS.findall(name)]


def has_any(name: str, vocabulary: frozenset[str]) -> bool:
    """Return whether a name holds a word of a vocabulary."""
    return any(word in vocabulary for word in words(name))


#: Words (letters alone, case folded) that name a test.
TESTS: Final = frozenset(
    words(
        """
        rpt form formation formierung cyc cycle cycles cycling cyclage ciclado zyklen zyklus
        zyklisierung life lifetime aging ageing alterung calendar kalendarisch cal eis peis geis
        gitt pitt hppc dcir ri pulse pulses puls pulstest ocv qocv pocv ocp rate rates ratetest
        ratentest crate capacity cap kapazitaet kapazität capa capacidad charge discharge entladung
        ladung decharge décharge carga descarga rest pause drive wltp udds us fud dst test tests
        testing bol eol mol checkup check diag diagnostic diagnostics conditioning konditionierung
        storage lagerung cv cp ca cc cccv gcpl mb loop lsv chrono impedance impedanz impedancia self
        selbstentladung initial erst final end repeat 化成 循环 容量 倍率 测试 老化
        """
    )
)
#: Those of them that are no abbreviation of a cell's name too: CC-001 is a coin cell as often.
SURE_TESTS: Final = frozenset(word for word in TESTS if len(word) > 2 or not word.isascii())
#: Words that name a folder by what is done with it, not by what lies in it.
GENERAL: Final = frozenset(
    words(
        """
        data daten donnees données datos raw roh rohdaten rawdata export exports exported exporte
        archive archiv old alt neu new backup results ergebnisse resultats measurement measurements
        messungen messung messdaten cycler tests test arbin neware biologic maccor novonix basytec
        gamry digatron bitrode landt files misc various diverse temp tmp lab labor year jahr run
        runs txt csv nda mpr res xlsx processed other kanal channel week kw monat month photos
        fotos bilder docs documents dokumente 数据
        """
    )
)
#: Words before the number of a cell.
CELL_WORDS: Final = frozenset(
    words(
        "cell zelle cellule celda celula pila batt batterie battery coin pouch 电池 电芯",
    )
)
#: Words before the name of a batch.
BATCH_WORDS: Final = frozenset(words("batch lot los lote lotto série serie 批次 批"))
#: Folders whose files are copies of what lies elsewhere.
COPY_FOLDERS: Final = frozenset(
    words(
        "backup backups bak sicherung kopie copy copies old alt archiv sauvegarde copia duplicates"
    )
)
