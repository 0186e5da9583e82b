"""Mistakes of the caller and odd answers of the server: told in a sentence, before or instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulkload.client.api.arguments import checked_name, checked_tags
from bulkload.client.api.measurement_files import checked_files
from bulkload.client.api.records import (
    CellInstance,
    CellMeasurement,
    CellMeasurementBundle,
    InitiateAnswer,
)
from bulkload.client.studio import AsyncStudio
from bulkload.errors import ClientError, IonworksError, UnreadableError
from bulkload.localstudio import LocalStudio
from tests.client.api.samples import charge_and_discharge


@pytest.mark.parametrize(
    "data", [{}, {"name": None}, {"name": " "}, {"name": 3}, {"name": "x" * 256}]
)
def test_a_name_that_cannot_be_stored_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="measurement"):
        checked_name(data, "measurement")


def test_a_name_of_the_full_length_is_taken() -> None:
    assert len(checked_name({"name": "x" * 255}, "measurement")) == 255


def test_tags_are_counted_and_measured() -> None:
    assert checked_tags(None) is None
    assert checked_tags("rpt") == ["rpt"]
    for wrong in ([""], ["x" * 51], [str(number) for number in range(51)]):
        with pytest.raises(ValueError, match="tag"):
            checked_tags(wrong)


PICTURES = {
    "a.jpg": b"\xff\xd8\xff\xe0",
    "b.png": b"\x89PNG\r\n\x1a\n",
    "c.gif": b"GIF89a",
    "d.webp": b"RIFF\x00\x00\x00\x00WEBP",
    "e.tiff": b"II\x2a\x00",
    "f.bmp": b"BM",
    "g.JPEG": b"\xff\xd8\xff\xe1",
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_told_by_their_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PICTURES[name] + bytes(16))
    assert checked_files([path], are_images=True) == [path]
    path.write_bytes(b"%PDF-1.4" + bytes(16))
    with pytest.raises(UnreadableError, match=name):
        checked_files([path], are_images=True)
    assert checked_files([str(path)], are_images=False) == [path]


def test_files_are_looked_at_before_anything_is_sent(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("x")
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("y")
    with pytest.raises(UnreadableError, match="extension"):
        checked_files([text], are_images=True)
    with pytest.raises(ValueError, match="two files"):
        checked_files([text, other / "a.txt"], are_images=False)
    with pytest.raises(ValueError, match="at least one"):
        checked_files([], are_images=False)
    with pytest.raises(TypeError, match="list of paths"):
        checked_files(str(text), are_images=False)
    with pytest.raises(FileNotFoundError, match="none"):
        checked_files([tmp_path / "none.txt"], are_images=False)


@pytest.mark.anyio
async def test_a_detail_without_its_parts_is_told_at_once(
    client: AsyncStudio, studio: LocalStudio
) -> None:
    create = client.cell_measurement.create
    series = charge_and_discharge()
    with pytest.raises(TypeError, match="'measurement'"):
        await create("i", {"time_series": series})
    with pytest.raises(ValueError, match="'time_series'"):
        await create("i", {"measurement": {"name": "x"}})
    with pytest.raises(ValueError, match="name"):
        await create("i", {"measurement": {}, "time_series": series})
    with pytest.raises(TypeError, match="not str"):
        await create("i", {"measurement": {"name": "x"}, "time_series": "x.csv"})
    assert studio.requests.total == 0


@pytest.mark.anyio
async def test_ids_that_lead_elsewhere_are_escaped(client: AsyncStudio) -> None:
    for wrong in ("../projects", "a/b", "x?y=1", "#", "%2e%2e"):
        with pytest.raises(ClientError) as caught:
            await client.cell_measurement.get(wrong)
        assert caught.value.status_code == 404, wrong


@pytest.mark.anyio
async def test_file_names_survive_whatever_is_in_them(client: AsyncStudio, tmp_path: Path) -> None:
    spec = await client.cell_spec.create({"name": "A", "ratings": {}})
    cell = await client.cell_instance.create(spec.id, {"name": "1"})
    names = ["50% #1.txt", "a b+c&d=e.txt", "gr\u00fcn.txt", "100%25.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    made = await client.cell_measurement.create_file(cell.id, "x", [tmp_path / n for n in names])
    files = await client.cell_measurement.download_files(made.id)
    assert files == {name: name.encode() for name in names}


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"id": "1"}, {"id": [], "name": "x"}])
def test_an_answer_that_is_no_record_is_the_servers_error(answer: Any) -> None:
    for kind in (CellInstance, CellMeasurementBundle):
        with pytest.raises(IonworksError):
            kind.parse(answer)
    with pytest.raises(IonworksError):
        InitiateAnswer.parse(answer)


def test_the_nested_answer_of_old_is_read_too() -> None:
    flat = {"id": "m", "name": "x", "cell_instance_id": "i"}
    bundle = CellMeasurementBundle.parse({"measurement": flat, "steps_created": 3})
    assert (bundle.id, bundle.measurement.name, bundle.steps_created) == ("m", "x", 3)
    assert "instance" not in CellMeasurementBundle.parse({**flat, "instance": {}}).model_dump()


@pytest.mark.parametrize(
    ("status", "is_processing", "has_failed"),
    [
        (None, False, False),
        ("ready", False, False),
        ("failed", False, True),
        ("pending", True, False),
        ("running", True, False),
        ("queued", True, False),
    ],
)
def test_a_status_that_nobody_knows_means_wait(
    status: str | None,
    is_processing: bool,  # noqa: FBT001
    has_failed: bool,  # noqa: FBT001
) -> None:
    record = CellMeasurement(id="m", name="x", cell_instance_id="i", processing_status=status)
    assert (record.is_processing, record.has_failed) == (is_processing, has_failed)


def test_uploads_are_paired_with_files_by_name_and_count() -> None:
    uploads = [{"filename": f"o/{name}", "signed_url": "u"} for name in ("a", "b")]
    answer = InitiateAnswer.parse({"measurement_id": "m", "uploads": uploads})
    assert [target.filename for target in answer.targets(["a", "b"])] == ["o/a", "o/b"]
    assert answer.target("b").filename == "o/b"
    assert "u'" not in repr(answer)
    for wrong in (["b", "a"], ["a"], ["a", "b", "c"]):
        with pytest.raises(IonworksError):
            answer.targets(wrong)
    with pytest.raises(IonworksError, match="steps"):
        answer.target("steps.parquet")
