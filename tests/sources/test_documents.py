"""Files of metadata: three formats, one reading, and faults that name line and key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkload.errors import UnreadableError
from bulkload.sources.json_yaml_toml import MAX_DOCUMENT_BYTES, load
from bulkload.sources.metadata_files import read_mapping


def document(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


JSON = '{"a": 1, "b": [1.5, "x", null, true], "c": {"d": "2024-01-31"}}'
YAML = "a: 1\nb: [1.5, x, null, true]\nc:\n  d: 2024-01-31\n"
TOML = 'a = 1\nb = [1.5, "x"]\n[c]\nd = 2024-01-31\n'


@pytest.mark.parametrize(
    ("name", "content"), [("x.json", JSON), ("x.yaml", YAML), ("x.YML", YAML), ("x.toml", TOML)]
)
def test_the_formats_read_alike(tmp_path: Path, name: str, content: str) -> None:
    data = load(document(tmp_path, name, content)).data
    expected = [1.5, "x"] if name.endswith("toml") else [1.5, "x", None, True]
    assert data == {"a": 1, "b": expected, "c": {"d": "2024-01-31"}}


def test_yaml_does_not_turn_words_into_something_else(tmp_path: Path) -> None:
    words = "a: no\nb: on\nc: 007\nd: 12:30:45\ne: 0x1F\nf: 1_000\ng: 2024-01-31 10:00:00\nh: .5\n"
    assert load(document(tmp_path, "x.yaml", words)).data == {
        "a": "no",
        "b": "on",
        "c": "007",
        "d": "12:30:45",
        "e": "0x1F",
        "f": "1_000",
        "g": "2024-01-31 10:00:00",
        "h": 0.5,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = document(tmp_path, "x.json", '{"é": "🔋"}'.encode(encoding))
    assert load(path).data == {"é": "🔋"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.json", "", "line 1: not valid JSON: Expecting value"),
        ("x.json", '{\n"a": 1,\n}', "line 3: not valid JSON"),
        ("x.json", '{"a": 1,\n "b": NaN}', "line 2: 'b' is not a finite number"),
        ("x.json", '{"a": 1e999}', "line 1: 'a' is not a finite number"),
        ("x.json", '{"a": 1,\n\n"a": 2}', "line 3: not valid JSON: the key 'a' occurs twice"),
        ("x.json", '{"a": {"a": "\\ud800"}}', "'a.a' contains half a surrogate pair"),
        ("x.json", '{"a": ' + "1" * 5000 + "}", "contains a number that cannot be read"),
        ("x.json", "[" * 100_000, "nested too deeply"),
        ("x.json", '{"a":' * 40 + "1" + "}" * 40, "'a' is nested too deeply"),
        ("x.yaml", "a: 1\nb: [1", "not valid YAML"),
        ("x.yaml", "a: 1\na: 2", "line 2: not valid YAML: the key 'a' occurs twice"),
        ("x.yaml", "a: &x 1\nb: *x", "line 2: not valid YAML: aliases"),
        ("x.yaml", "a: !!python/object/apply:os.getcwd []", "line 1: not valid YAML"),
        ("x.yaml", "a: 1\n---\nb: 2", "not valid YAML"),
        ("x.yaml", "a:\n  b: .nan", "line 2: 'a.b' is not a finite number"),
        ("x.yaml", "1: a", "line 1: '1' must be text to be a key"),
        ("x.yaml", "? [a]\n: b", "line 1: not valid YAML: a key must be text"),
        ("x.yaml", "a: !!binary aGk=", "'a' is of a type (bytes) that JSON does not have"),
        ("x.yaml", "a: 1\n\tb: 2", "not valid YAML"),
        ("x.yaml", "a: \x01", "line 1: not valid YAML"),
        ("x.toml", "a = 1\nb = \n", "line 2: not valid TOML: Invalid value"),
        ("x.toml", "a = 1\na = 2", "line 2: not valid TOML"),
        ("x.toml", "[a]\nb = inf", "line 2: 'a.b' is not a finite number"),
        ("x.json", b'{"a":\n "\xff"}', "line 2: not valid JSON: not UTF-8 text"),
        ("x.json", b" " * (MAX_DOCUMENT_BYTES + 1), "is larger than 4194304 bytes"),
    ],
)
def test_what_is_broken_is_told_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(UnreadableError) as caught:
        load(document(tmp_path, name, content))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fault_never_repeats_the_value(tmp_path: Path) -> None:
    """Somebody will put a key into such a file."""
    for name, content in [
        ("x.json", '{"api_key": "geheim", "x": }'),
        ("x.yaml", "api_key: geheim\nx: [geheim"),
        ("x.toml", 'api_key = "geheim"\nx = geheim'),
    ]:
        with pytest.raises(UnreadableError) as caught:
            load(document(tmp_path, name, content))
        assert "geheim" not in str(caught.value)


def test_a_file_that_is_gone_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(UnreadableError, match="cannot be read"):
            load(path)


def test_properties_are_an_object(tmp_path: Path) -> None:
    assert read_mapping(document(tmp_path, "x.properties.toml", "mass = 70.1")) == {"mass": 70.1}
    for name, content, words in [
        ("x.json", "[1]", "x.json: must be an object"),
        ("x.yaml", "a: [", "x.yaml: line 1"),
        ("x.csv", "", "properties are read from .json, .yaml, .yml, .toml"),
    ]:
        with pytest.raises(UnreadableError, match=words):
            read_mapping(document(tmp_path, name, content))


# Version 1.1 of YAML, which safe_dump writes, has fewer numbers: it leaves the text 1e5 bare.
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8).filter(
    lambda text: not re.match(r"[-+.]?\d", text)
)
DATA: st.SearchStrategy[Any] = st.dictionaries(
    PRINTABLE,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | PRINTABLE,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DATA)
def test_what_json_and_yaml_write_is_read(tmp_path: Path, data: dict[str, Any]) -> None:
    assert load(document(tmp_path, "x.json", json.dumps(data))).data == data
    text = yaml.safe_dump(data, allow_unicode=True)
    assert load(document(tmp_path, "x.yaml", text)).data == data


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["x.json", "x.yaml", "x.toml"]))
def test_any_bytes_are_read_or_told(tmp_path: Path, content: bytes, name: str) -> None:
    try:
        load(document(tmp_path, name, content))
    except UnreadableError as error:
        str(error).encode()
