"""What a sample without a defect proves about the whole."""

from __future__ import annotations

from typing import Final

#: The confidence that statements about samples are made with.
CONFIDENCE: Final = 0.95


def most_defects(total: int, sample: int) -> int:
    """Return the largest number of defects among ``total`` that a clean sample leaves possible.

    Exact, without replacement: with one defect more, a sample of that size would have shown at
    least one with ``CONFIDENCE``. The whole looked at leaves none possible.
    """
    defects = 0
    # The chance that a sample misses d defects is the product of (total - sample - i) /
    # (total - i) for i < d: it falls with each defect added.
    chance_missed = 1.0
    while defects < total:
        chance_missed *= max(0, total - sample - defects) / (total - defects)
        if chance_missed <= 1 - CONFIDENCE:
            return defects
        defects += 1
    return total


def statement(total: int, sample: int, differing: int) -> str:
    """Return a sentence on what was compared, and what that proves about the rest.

    Nothing compared proves nothing, and the sentence says so.
    """
    if not sample:
        return "nothing was compared: this job created no measurement that Studio still holds"
    if differing:
        return f"{differing:,} of {sample:,} measurements read back differ from what was uploaded"
    if sample >= total:
        return f"all {total:,} measurements were read back and equal what was uploaded"
    most = most_defects(total, sample)
    return (
        f"{sample:,} of {total:,} measurements were read back and equal what was uploaded; with "
        f"{CONFIDENCE:.0%} confidence at most {most:,} of all ({most / total:.1%}) differ"
    )
