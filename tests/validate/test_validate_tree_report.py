"""The listing of an image as data, links inside it, and what a report says of it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from host.errors import InputError
from specs.kinds import KINDS
from specs.model import Rule
from tests.validate.small_views import Link, tree_of
from validate.disk import EFI_SYSTEM, parse_filesystems, parse_table
from validate.fstab import parse as parse_fstab
from validate.listing import parse
from validate.registry import Finding, proven_kinds, verdict
from validate.report import Report, result, to_json, to_junit
from validate.stack import Standing, parse_standing, volume_names

LISTING = (
    b"d\x00755\x000\x000\x004096\x001.5\x00u:r:root_t:s0\x00\x00\x00"
    b"f\x004755\x001\x002\x0010\x007\x00\x00a\nb\xff\x00\x00"
    b"l\x00777\x000\x000\x001\x000.0\x00u:r:etc_t:s0\x00l\x00a\nb\xff\x00"
)


def test_a_listing_becomes_a_tree_whatever_the_names_are() -> None:
    tree = parse(LISTING)
    file = tree.get("/a\nb\udcff")
    assert file is not None
    assert (file.permissions, file.uid, file.gid, file.size_bytes) == ("4755", 1, 2, 10)
    assert file.selinux_type == ""
    assert tree.resolve("/l") == file
    root = tree.get("/")
    assert root is not None
    assert (root.selinux_type, root.is_folder) == ("root_t", True)


@pytest.mark.parametrize("listing", [LISTING[:-1], LISTING[:-20], b"f\0x\0y\0z\0\0\0\0a\0\0"])
def test_a_broken_listing_is_an_input_error(listing: bytes) -> None:
    with pytest.raises(InputError, match="listing"):
        parse(listing)


@pytest.mark.parametrize(("path", "end"), [
    ("/bin/sh", "/usr/bin/bash"),
    ("/abs", "/usr/bin/bash"),
    ("/up", "/usr/bin/bash"),
    ("/usr/bin/../bin/./sh", "/usr/bin/bash"),
    ("/loop", None), ("/gone", None), ("/usr/bin/bash/x", None),
])
def test_links_are_followed_inside_the_image_only(path: str, end: str | None) -> None:
    tree, _ = tree_of({
        "/usr/bin/bash": "x", "/usr/bin/sh": Link("bash"), "/bin": Link("usr/bin"),
        "/abs": Link("/bin/sh"), "/up": Link("../../../usr/bin/sh"),
        "/loop": Link("loop"), "/gone": Link("/etc/passwd"),
    })
    found = tree.resolve(path)
    assert (found.path if found else None) == end


def test_a_chain_of_links_has_an_end() -> None:
    tree, _ = tree_of({f"/l{number}": Link(f"l{number + 1}") for number in range(500)})
    assert tree.resolve("/l0") is None


def test_fstab_is_read_as_mount_does() -> None:
    lines = parse_fstab("# c\nUUID=a / xfs\nbroken\n/dev/sda1 /a\\040b ext4 ro,noatime 0 0\n")
    assert [(one.tag, one.value, one.mountpoint, one.options) for one in lines] == [
        ("UUID", "a", "/", ("defaults",)), ("", "/dev/sda1", "/a b", ("ro", "noatime"))]


def test_a_partition_table_is_read_as_sfdisk_prints_it() -> None:
    gpt = {"label": "gpt", "sectorsize": 4096, "partitions": [
        {"node": "/dev/sda12", "start": 2, "size": 3, "type": EFI_SYSTEM.lower(), "uuid": "AB"}]}
    scheme, (one,) = parse_table(json.dumps({"partitiontable": gpt}))
    assert (scheme, one.number, one.start_bytes, one.size_bytes) == ("gpt", 12, 8192, 12288)
    assert (one.type_guid, one.part_uuid) == (EFI_SYSTEM, "ab")
    mbr = {"label": "dos", "partitions": [
        {"node": "/dev/sda1", "start": 1, "size": 1, "type": "ef"}]}
    scheme, (one,) = parse_table(json.dumps({"partitiontable": mbr}))
    assert (scheme, one.type_guid) == ("msdos", EFI_SYSTEM)
    assert parse_table("sfdisk: /dev/sda: does not contain a recognized partition table") == (
        "none", [])
    assert parse_table("The backup table is corrupt.\n" + json.dumps({"partitiontable": mbr}))


@pytest.mark.parametrize("text", ["", "{}", "[]", "x", '{"partitiontable": {"label": "gpt", '
                                  '"partitions": [{"node": "x", "start": "y"}]}}'])
def test_a_broken_partition_table_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match="partition table"):
        parse_table(text)


def test_file_systems_are_read_as_blkid_prints_them() -> None:
    volume, one, other = parse_filesystems(
        "DEVNAME=/dev/sda\nTYPE=ext2\nUUID=of-the-appliance\n\n"
        "DEVNAME=/dev/sdb2\nUUID=B\nTYPE=xfs\nLABEL=my\\ root\n\n"
        "DEVNAME=/dev/mapper/vg-a\nTYPE=xfs\n\n"
        "DEVNAME=/dev/sdb1\nTYPE=vfat\nPARTUUID=P\n\nDEVNAME=/dev/sdb3\nPARTUUID=Q\n",
        "/dev/sdb")
    assert (volume.device, one.device, one.type, one.part_uuid) == (
        "/dev/mapper/vg-a", "/dev/sdb1", "vfat", "P")
    assert (other.label, other.uuid) == ("my root", "B")


def test_what_a_device_stands_on_is_read_as_lsblk_prints_it() -> None:
    standings = parse_standing(
        "/dev/sda /dev/sda disk \n/dev/sda1 /dev/sda1 part /dev/sda\n"
        "/dev/md0 /dev/md0 raid1 /dev/sda1\n/dev/sda2 /dev/sda2 part /dev/sda\n"
        "/dev/md0 /dev/md0 raid1 /dev/sda2\n/dev/dm-0 /dev/mapper/luks-1 crypt /dev/md0\n"
        "/dev/dm-1 /dev/mapper/cs-root lvm /dev/dm-0\n")
    assert standings["/dev/mapper/cs-root"] == Standing(
        ("raid", "crypt", "lvm"), ("/dev/sda1", "/dev/sda2"))
    assert standings["/dev/sda2"] == Standing((), ("/dev/sda2",))
    assert standings["/dev/sda"] == Standing()


def test_a_volume_has_the_names_that_any_guest_gives_it() -> None:
    assert volume_names("/dev/mapper/my--group-the--root", ("lvm",)) == (
        "/dev/mapper/my--group-the--root", "/dev/my-group/the-root")
    assert volume_names("/dev/mapper/luks-a-b", ("crypt",)) == ("/dev/mapper/luks-a-b",)
    assert volume_names("/dev/sda1", ()) == ()


def test_every_kind_of_check_has_a_proof() -> None:
    assert proven_kinds() == set(KINDS.values())


def rule(severity: str) -> Rule:
    return Rule.model_validate({
        "id": "a.b", "title": "t", "rationale": "r", "severity": severity,
        "check": {"kind": "absent", "paths": ["/a"]}})


def report(*results: tuple[str, bool | None]) -> Report:
    return Report(
        artefact="x.qcow2", spec="baseline", duration_s=1,
        results=[result(rule(severity), Finding(ok, "f", "e")) for severity, ok in results])


def test_a_missed_must_fails_a_report_and_a_missed_should_does_not() -> None:
    assert report(("must", True), ("should", False), ("must", None)).passed
    assert not report(("must", True), ("must", False)).passed
    assert len(report(("must", True), ("should", False)).warnings) == 1


def test_a_report_that_looked_at_nothing_is_no_pass() -> None:
    assert not report().passed
    assert not report(("must", None)).passed


def test_unknown_fails_as_failed_does() -> None:
    unknown = result(rule("must"), Finding(False, "f", "e"), status="unknown")
    assert unknown.fails


def test_json_and_junit_say_the_same() -> None:
    one = report(("must", True), ("must", False), ("should", False))
    data = json.loads(to_json(one))
    assert data["passed"] is False
    assert [entry["status"] for entry in data["results"]] == ["passed", "failed", "failed"]
    suite = ET.fromstring(to_junit([one]).encode())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert len(suite.findall("testcase/skipped")) == 1


def test_text_out_of_an_image_is_made_harmless() -> None:
    bad = result(rule("must"), Finding(False, "a\x1b[31m\udcff\x00" + "x" * 9000, "e"))
    assert "\x1b" not in bad.found
    assert len(bad.found) < 2100
    ET.fromstring(to_junit([Report(
        artefact="x", spec="s", duration_s=0, results=[bad])]).encode())


def test_a_verdict_shows_the_first_few() -> None:
    found = verdict([str(number) for number in range(100)], "good", "e")
    assert found.ok is False
    assert "and 88 more" in found.found
