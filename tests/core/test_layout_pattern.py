"""Layouts: what they accept, what they read from paths, and that no name can slow them down."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkload.core.path_layout import FIELDS, Layout, LayoutError, parse_date, split_suffix


def read(layout: str, path: str) -> dict[str, str] | None:
    found = Layout.parse(layout).match(path.split("/"))
    return None if found is None else dict(found)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("{spec}/{cell}", "no {measurement}"),
        ("{cel}/{measurement}.*", "did you mean {cell}?"),
        ("{q}/{measurement}.*", "known: {spec} {cell} {measurement} {batch} {date}"),
        ("{}/{measurement}.*", "unknown field {}"),
        ("{cell}/{cell}_{measurement}.*", "{cell} is in it twice"),
        ("{cell}{measurement}.csv", "where one field of '{cell}{measurement}.csv' ends"),
        ("{cell}*_{measurement}.csv", "add a separator"),
        ("{measurement}*", "add a separator"),
        ("{spec}/**x/{measurement}.*", "must stand alone"),
        ("{spec}/{measurement}.**", "must stand alone"),
        ("{spec/{measurement}.*", "a brace without its partner"),
        ("{spec}/measurement}.*", "a brace without its partner"),
        ("{spec}/**", "must end in a file name"),
        ("/{measurement}.*", "single slashes"),
        ("{spec}//{measurement}.*", "single slashes"),
        ("{spec}\\{measurement}.*", "single slashes"),
        ("../{measurement}.*", "single slashes"),
        ("", "single slashes"),
    ],
)
def test_a_wrong_layout_is_refused_with_the_reason(layout: str, words: str) -> None:
    with pytest.raises(LayoutError, match=re.escape(words)):
        Layout.parse(layout)


DEFAULT = "{spec}/{cell}/{measurement}.*"


@pytest.mark.parametrize(
    ("layout", "path", "fields"),
    [
        (DEFAULT, "LG/c1/RPT.csv", {"spec": "LG", "cell": "c1", "measurement": "RPT"}),
        (DEFAULT, "LG/c1/RPT", None),
        (DEFAULT, "c1/RPT.csv", None),
        (DEFAULT, "x/LG/c1/RPT.csv", None),
        ("**/{cell}/{measurement}.*", "c/m.csv", {"cell": "c", "measurement": "m"}),
        ("**/{cell}/{measurement}.*", "a/b/c/m.csv", {"cell": "c", "measurement": "m"}),
        # The shortest way from the left: ** takes nothing, so the first folder is the spec.
        ("**/{spec}/**/{cell}/{measurement}.*", "a/b/c/m.csv", {"spec": "a", "cell": "c"}),
        ("{spec}/**/data/**/{measurement}.*", "s/data/x/data/m.csv", {"spec": "s"}),
        ("{spec}/**/{measurement}.*", "s/m.csv", {"spec": "s", "measurement": "m"}),
        ("{spec}/**/**/{measurement}.*", "s/a/b/m.csv", {"spec": "s", "measurement": "m"}),
        ("{cell}_{measurement}.csv", "A_1_RPT.csv", {"cell": "A", "measurement": "1_RPT"}),
        ("{cell}_{measurement}.csv", "_RPT.csv", None),
        ("{cell}_{measurement}.csv", "A_.csv", None),
        ("{cell}__{measurement}.csv", "A___B.csv", {"cell": "A", "measurement": "_B"}),
        ("{cell}-*-{measurement}.csv", "A-x-y-m.csv", {"cell": "A", "measurement": "y-m"}),
        ("{cell}-*-{measurement}.csv", "A--m.csv", {"cell": "A", "measurement": "m"}),
        ("raw_{measurement}.csv", "raw_RPT.csv", {"measurement": "RPT"}),
        ("raw_{measurement}.csv", "RAW_RPT.csv", None),
        ("*/{cell}/{measurement}.*", "any/c/m.csv", {"cell": "c", "measurement": "m"}),
        ("{cell}/{measurement}/data.csv", "c/m/data.csv", {"cell": "c", "measurement": "m"}),
        ("{cell}/{measurement}/data.csv", "c/m/other.csv", None),
        ("{measurement}/*", "m/any.thing", {"measurement": "m"}),
        ("{measurement}/*.*", "m/any.csv", {"measurement": "m"}),
        ("{batch}/{date}/{cell}_{measurement}.*", "b/20240131/c_m.csv", {"date": "20240131"}),
    ],
)
def test_names_come_out_of_paths(layout: str, path: str, fields: dict[str, str] | None) -> None:
    found = read(layout, path)
    assert (found is None) == (fields is None)
    assert (fields or {}).items() <= (found or {}).items()


@pytest.mark.parametrize(
    ("layout", "name", "measurement"),
    [
        # The whole known ending goes, however many parts it has.
        ("{measurement}.*", "RPT.bdf.csv", "RPT"),
        ("{measurement}.*", "RPT.csv.gz", "RPT"),
        ("{measurement}.*", "RPT.bdf.csv.gz", "RPT"),
        ("{measurement}.*", "RPT.properties.json", "RPT"),
        ("{measurement}.csv", "RPT.bdf.csv", "RPT"),
        ("{measurement}.bdf.csv", "RPT.bdf.csv", "RPT"),
        ("{measurement}.bdf.csv", "RPT.csv", None),
        ("{measurement}.CSV", "RPT.csv", "RPT"),
        ("{measurement}.csv", "RPT.CSV", "RPT"),
        ("{measurement}.csv", "RPT.csv.gz", None),
        ("{measurement}.csv.gz", "RPT.csv.gz", "RPT"),
        # Points within a name stay; only a known ending, or one that looks like one, goes.
        ("{measurement}.*", "RPT 0.5C.csv", "RPT 0.5C"),
        ("{measurement}.*", "RPT 0.5C", None),
        ("{measurement}.*", "v1.2.final.parquet", "v1.2.final"),
        ("{measurement}.*", "PreDiag_000229.034", "PreDiag_000229"),
        ("{measurement}.*", "PreDiag_000229.034.gz", "PreDiag_000229"),
        ("{measurement}.*", "RPT.newformat", "RPT"),
        ("{measurement}.*", ".csv", None),
        # Where the layout says nothing of an ending, a known one goes and others stay.
        ("{measurement}", "RPT.bdf.csv", "RPT"),
        ("{measurement}", "RPT 0.5C", "RPT 0.5C"),
        ("{measurement}", "RPT.newformat", "RPT.newformat"),
        ("{measurement}_raw.csv", "RPT_raw.csv", "RPT"),
        ("{measurement}_raw.csv", "RPT_raw.bdf.csv", "RPT"),
        ("{measurement}_*", "RPT_x.csv", "RPT"),
    ],
)
def test_endings_are_dropped_whole(layout: str, name: str, measurement: str | None) -> None:
    found = read(layout, name)
    assert (None if found is None else found["measurement"]) == measurement


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.csv", "a", ".csv"),
        ("a.meta.json", "a", ".meta.json"),
        ("a.BDF.CSV.GZ", "a", ".BDF.CSV.GZ"),
        ("a.tar.gz", "a", ".tar.gz"),
        ("a", "a", ""),
        (".csv", ".csv", ""),
        ("a.b.c", "a.b.c", ""),
        ("a.bdf", "a", ".bdf"),
    ],
)
def test_split_suffix(name: str, stem: str, suffix: str) -> None:
    assert split_suffix(name) == (stem, suffix)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-01-31", "2024-01-31"),
        ("20240131", "2024-01-31"),
        ("2024_01_31", "2024-01-31"),
        ("2024.01.31", "2024-01-31"),
        ("2024-0131", None),
        ("31-01-2024", None),
        ("20240231", None),
        ("00011231", None),
        ("99991231", None),
        ("2024-01-31 ", None),
        ("", None),
    ],
)
def test_a_date_is_one_only_if_it_can_be_read_in_one_way(text: str, date: str | None) -> None:
    assert parse_date(text) == date


def test_composed_and_decomposed_names_read_alike() -> None:
    composed, decomposed = "Zelle_é", unicodedata.normalize("NFD", "Zelle_é")
    assert composed != decomposed
    assert read(DEFAULT, f"s/{decomposed}/m.csv") == read(DEFAULT, f"s/{composed}/m.csv")
    assert read(f"{decomposed}/{{measurement}}.*", f"{composed}/m.csv") == {"measurement": "m"}


# Few letters, so that literals and names meet often.
_TEXT = st.text(alphabet="ab_", min_size=1, max_size=3)
_WILD = st.sampled_from(["*", *(f"{{{field}}}" for field in FIELDS)])


@st.composite
def one_component(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a pattern for one component, and the same as a regular expression of lazy groups."""
    parts = draw(st.lists(st.one_of(_TEXT, _WILD), min_size=1, max_size=7))
    parts = [*parts, "_{measurement}_"] if "{measurement}" not in parts else parts
    fields = [part for part in parts if part.startswith("{")]
    is_adjacent = any(not {left[-1], right[0]} & set("ab_") for left, right in pairwise(parts))
    if len(set(fields)) != len(fields) or is_adjacent:
        parts = ["{measurement}", "_", "*"]
    expression = "".join(
        "(?:.*?)" if part == "*" else re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", part) for part in parts
    )
    return "".join(parts), expression


@settings(deadline=None)
@given(one_component(), st.text(alphabet="ab_", max_size=12))
def test_one_component_matches_as_a_backtracking_engine_would(
    component: tuple[str, str], name: str
) -> None:
    """The linear rule finds a match whenever there is one, and the leftmost shortest of them."""
    pattern, expression = component
    expected = re.fullmatch(expression, name)
    found = Layout.parse(pattern).match([name])
    assert (None if found is None else dict(found)) == (expected and expected.groupdict())


_FOLDER = st.sampled_from(["**", "a", "*", "b*", "{spec}", "{cell}", "x_{batch}"])


@settings(deadline=None)
@given(
    st.lists(_FOLDER, max_size=6, unique=True).flatmap(st.permutations),
    st.lists(st.sampled_from(["a", "b", "bb", "x_1", "q"]), max_size=7),
)
def test_folders_match_as_a_backtracking_engine_would(
    patterns: list[str], names: list[str]
) -> None:
    expression = "".join(
        "(?:[^/]+/)*?" if part == "**" else _component_expression(part) + "/" for part in patterns
    )
    expected = re.fullmatch(expression + "(?P<measurement>m)", "/".join([*names, "m"]))
    found = Layout.parse("/".join([*patterns, "{measurement}"])).match([*names, "m"])
    assert (None if found is None else dict(found)) == (expected and expected.groupdict())


def _component_expression(part: str) -> str:
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+?)", part.replace("*", "[^/]*?"))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_layout_or_is_refused(text: str) -> None:
    try:
        layout = Layout.parse(text)
    except LayoutError:
        return
    assert "measurement" in layout.fields


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=300), min_size=3, max_size=3))
def test_any_path_is_matched_or_not(parts: list[str]) -> None:
    found = Layout.parse(DEFAULT).match(parts)
    if found is not None:
        assert found["spec"] == unicodedata.normalize("NFC", parts[0])
        assert unicodedata.normalize("NFC", parts[2]).startswith(found["measurement"])
        assert all(found.values())


def test_hostile_names_cost_no_more_than_their_length() -> None:
    """A backtracking engine would need longer than the universe has for these."""
    stars = "a".join("*" * 40)
    assert read(f"{stars}b_{{measurement}}.csv", "a" * 50_000 + ".csv") is None
    folders = "/".join("**/a" for _ in range(30))
    assert read(f"{folders}/b/{{measurement}}.*", "/".join("a" * 2_000) + "/m.csv") is None
