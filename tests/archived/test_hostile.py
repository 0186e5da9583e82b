"""Each hostile archive is named and refused, by itself; everything good beside it goes."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bulkload.archives import access
from bulkload.archives.directory import Directory
from bulkload.archives.limits import MAX_NESTING
from bulkload.core.plan_check import Rule
from bulkload.errors import UnreadableError
from bulkload.localstudio import LocalStudio
from tests.archived.packing import (
    FORMS,
    announcing,
    doubled,
    encrypted,
    good,
    nested,
    overlapping,
    put,
    seven_zipped,
    tarred,
    with_link,
    with_special,
    zipped,
)
from tests.archived.packing import csv as table
from tests.jobs import Jobs

MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Case:
    """A member that is refused, in an archive whose other members are good."""

    name: str
    data: bytes
    rule: Rule
    #: Words of the message.
    says: str
    #: Members that are good all the same.
    remaining: int = 4


def added(name: str, data: bytes = b"x") -> Mapping[str, bytes]:
    return {**good(), name: data}


CASES = {
    "absolute path": Case(
        name="a.zip", data=zipped(added("/etc/cron.d/evil.csv")), rule=Rule.UNSAFE_MEMBER,
        says="'/etc/cron.d/evil.csv' in 'a.zip' has an absolute path",
    ),
    "drive of Windows": Case(
        name="a.zip", data=zipped(added("C:\\evil.csv")), rule=Rule.UNSAFE_MEMBER,
        says="has an absolute path",
    ),
    "path that leads out": Case(
        name="a.zip", data=zipped(added("NMC/../../evil.csv")), rule=Rule.UNSAFE_MEMBER,
        says="has '..' in its path, which leads out of the archive",
    ),
    "path that leads out, by backslashes": Case(
        name="a.zip", data=zipped(added("NMC\\..\\..\\evil.csv")), rule=Rule.UNSAFE_MEMBER,
        says="has '..' in its path",
    ),
    "path that leads out, in a tar": Case(
        name="a.tar", data=tarred(added("../evil.csv")), rule=Rule.UNSAFE_MEMBER, says="has '..'"
    ),
    "control character": Case(
        name="a.tar", data=tarred(added("NMC/cell 0/\x1b[31m.csv")), rule=Rule.UNSAFE_MEMBER,
        says="has a control character in its name",
    ),
    "name that hides an archive": Case(
        name="a.tar", data=tarred(added("x.zip!/NMC/cell 0/a.csv")), rule=Rule.UNSAFE_MEMBER,
        says="has '!/' after the ending of an archive in its name",
    ),
    "link in a zip": Case(
        name="a.zip", data=with_link("NMC/cell 0/link.csv", "/etc/passwd"),
        rule=Rule.LINK_IN_ARCHIVE, says="is a link",
    ),
    "symbolic link": Case(
        name="a.tar", data=with_special("NMC/cell 0/link.csv", tarfile.SYMTYPE),
        rule=Rule.LINK_IN_ARCHIVE, says="is a link",
    ),
    "hard link": Case(
        name="a.tar", data=with_special("NMC/cell 0/link.csv", tarfile.LNKTYPE),
        rule=Rule.LINK_IN_ARCHIVE, says="is a link",
    ),
    "device": Case(
        name="a.tar", data=with_special("NMC/cell 0/null.csv", tarfile.CHRTYPE),
        rule=Rule.DEVICE_IN_ARCHIVE, says="is a device, a pipe",
    ),
    "pipe": Case(
        name="a.tar", data=with_special("NMC/cell 0/pipe.csv", tarfile.FIFOTYPE),
        rule=Rule.DEVICE_IN_ARCHIVE, says="is a device, a pipe",
    ),
    "bomb by ratio": Case(
        name="a.zip", data=zipped(added("NMC/cell 0/zeros.csv", bytes(64 * MIB))),
        rule=Rule.ARCHIVE_BOMB, says="more than 250 times as much, the limit",
    ),
    "encrypted member": Case(
        name="a.zip", data=encrypted(), rule=Rule.ENCRYPTED,
        says="is encrypted; unpack it with its password",
    ),
    "member twice": Case(
        name="a.tar", data=doubled(), rule=Rule.DUPLICATE_MEMBER, remaining=3,
        says="is in the archive more than once, and nothing shows which one is meant",
    ),
    "overlapping members": Case(
        name="a.zip", data=overlapping(), rule=Rule.OVERLAPPING_MEMBERS,
        says="shares its bytes with another member, as bombs do",
    ),
    "archives in one another": Case(
        name="a.zip", data=zipped(added("NMC/deep.zip", nested(MAX_NESTING))),
        rule=Rule.ARCHIVE_BOMB, says="archives in one another, the limit",
    ),
    "tar cut short": Case(
        name="a.tar", data=tarred(good()).rstrip(b"\0"), rule=Rule.BROKEN_ARCHIVE,
        says="it ends too early, or is damaged", remaining=4,
    ),
    "broken archive in an archive": Case(
        name="a.zip", data=zipped(added("NMC/broken.zip", b"PK\3\4 and no more")),
        rule=Rule.BROKEN_ARCHIVE, says="'broken.zip' it has no directory",
    ),
}  # fmt: skip

#: Archives of which nothing is read, beside good files.
WHOLE = {
    "no zip": ("a.zip", b"PK\3\4" + bytes(200), Rule.BROKEN_ARCHIVE, "it has no directory"),
    "zip cut short": ("a.zip", zipped(good())[:-400], Rule.BROKEN_ARCHIVE, "has no directory"),
    "bomb by count": ("a.zip", announcing(10**9), Rule.ARCHIVE_BOMB, "1,000,000,000 members"),
    "no tar": ("a.tar", b"not a tar" * 200, Rule.BROKEN_ARCHIVE, "does not begin as a tar"),
    "bomb in gzip": (
        "a.tar.gz", gzip.compress(bytes(64 * MIB)), Rule.ARCHIVE_BOMB, "more than 250 times",
    ),
    "no gzip": ("a.tgz", b"x" * 2000, Rule.BROKEN_ARCHIVE, "gzip stream is damaged"),
    "encrypted 7z": (
        "a.7z", seven_zipped(good(), password="x"), Rule.ENCRYPTED, "is encrypted",
    ),
    "no 7z": ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40), Rule.BROKEN_ARCHIVE, "broken"),
}  # fmt: skip


def account(job: Path) -> list[dict[str, str]]:
    with (job / "account.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hostile_member_is_named_and_the_rest_is_planned(
    jobs: Jobs, tmp_path: Path, case: Case
) -> None:
    put(tmp_path / case.name, case.data)
    ended = jobs.command("plan", case.name, "--out", "plan.csv")
    assert case.says in one_line(ended.out + ended.err)
    assert case.rule.value in ended.out + ended.err
    with (tmp_path / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == case.remaining
    assert not [*tmp_path.rglob("evil*")]


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_an_archive_that_cannot_be_read_costs_itself(
    jobs: Jobs, tmp_path: Path, case: tuple[str, bytes, Rule, str]
) -> None:
    name, data, rule, says = case
    root = tmp_path / "lab"
    for path, content in good().items():
        put(root / path, content)
    put(root / "NMC" / name, data)
    ended = jobs.command("plan", "lab", "--out", "plan.csv")
    assert says in one_line(ended.out + ended.err)
    assert rule.value in ended.out + ended.err
    with (tmp_path / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4


def test_the_account_lists_what_was_refused(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    put(tmp_path / "year.zip", zipped(added("../evil.csv")))
    jobs.use(studio)
    ended = jobs.upload("year.zip")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 4, "rejected": 1}
    rows = {row["path"]: row for row in account(tmp_path / "job")}
    refused = rows[f"{tmp_path}/year.zip!/../evil.csv"]
    assert (refused["outcome"], refused["cause"]) == ("rejected", "unsafe_member")


def test_a_damaged_member_is_rejected_when_it_is_read(
    jobs: Jobs, studio: LocalStudio, tmp_path: Path
) -> None:
    data = bytearray(zipped(good()))
    at = data.index(b"NMC/cell 0/run 0.csv") + 60
    data[at] ^= 0xFF
    put(tmp_path / "year.zip", bytes(data))
    jobs.use(studio)
    ended = jobs.upload("year.zip")
    assert ended.code == 3, ended.out + ended.err
    assert ended.counts == {"created": 3, "rejected": 1}
    row = ended.rows["run 0"]
    assert row.cause == "broken_archive"
    assert "run 0.csv: the member is damaged" in row.message


def test_a_gzip_that_ends_too_early_is_no_whole_archive(jobs: Jobs, tmp_path: Path) -> None:
    whole = FORMS[".tar.gz"](good())
    put(tmp_path / "year.tar.gz", whole[: len(whole) * 2 // 3])
    ended = jobs.command("plan", "year.tar.gz")
    assert "gzip stream ends too early" in one_line(ended.out + ended.err)


def test_a_header_of_any_length_takes_no_memory(tmp_path: Path) -> None:
    """A tar may announce a pax header of many gigabytes, which compress to nothing."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 8 * 1024**3
    head = info.tobuf(tarfile.GNU_FORMAT)
    path = put(tmp_path / "year.tar.gz", gzip.compress(head + bytes(8 * MIB)))
    with pytest.raises(UnreadableError, match="claims a size of 8,589,934,592 bytes"):
        access.directory_of(str(path))


def test_sizes_that_lie_are_found_out(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.csv": table(1)}))
    central = data.rindex(b"a.csv") - 46
    data[central + 24 : central + 28] = (7).to_bytes(4, "little")
    path = put(tmp_path / "year.zip", bytes(data))
    with pytest.raises(UnreadableError, match="damaged"):
        access.copy(f"{path}!/a.csv", io.BytesIO())


def test_names_of_other_systems_are_read(tmp_path: Path) -> None:
    """UTF-8 without its flag, as macOS writes it, and backslashes, as old Windows programs do."""
    data = zipped({"Zelle_aa/a.csv": b"1"}).replace(b"Zelle_aa", "Zelle_ä".encode())
    path = put(tmp_path / "year.zip", data.replace(b"/a.csv", b"\\a.csv"))
    assert [*access.directory_of(str(path)).members] == ["Zelle_ä/a.csv"]


def test_many_archives_in_one_are_a_bomb(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkload.sources.tree.MAX_INNER_ARCHIVES", 3)
    inner = zipped({"a.csv": table(1)})
    members = {f"NMC/cell {at}.zip": inner for at in range(5)}
    put(tmp_path / "year.zip", zipped({**good(), **members}))
    ended = jobs.command("plan", "year.zip")
    assert "holds more than 200,000 members or 3 archives, the limits" in one_line(
        ended.out + ended.err
    )


def test_archives_are_read_from_in_any_order_and_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few stay open, streams are begun anew, and every member comes out as it went in."""
    monkeypatch.setattr("bulkload.archives.access.MAX_OPEN", 2)
    monkeypatch.setattr("bulkload.archives.tar_file.MAX_UNPACKED_STREAM_BYTES", 100)
    monkeypatch.setattr("bulkload.archives.seven_zip.MAX_UNPACKED_STREAM_BYTES", 100)
    monkeypatch.setattr("bulkload.archives.seven_zip.BATCH_BYTES", 1500)
    members = good(6)
    paths = [put(tmp_path / f"{at}{form}", FORMS[form](members)) for at, form in enumerate(FORMS)]
    for name in reversed(members):
        for path in paths:
            sink = io.BytesIO()
            stamp = access.copy(f"{path}!/{name}", sink)
            assert sink.getvalue() == members[name]
            assert (stamp.size_bytes, stamp.mtime_ns) == access.stamp_of(f"{path}!/{name}")
    assert isinstance(access.directory_of(str(paths[0])), Directory)
    access.close_all()
