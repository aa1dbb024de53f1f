"""The table, the groups, and the plan that is made from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import InputError
from rehearsal.comps import comps_xml, load_groups
from rehearsal.debian import DebianPackage, Index
from rehearsal.mapping import plan, resolve, rpm_version
from rehearsal.table import FOLDER, Common, Entry, Table, load_table

KICKSTART_NAMES = """dnf yum kernel nfs-utils yum-utils grub2 grub2-pc grub2-pc-modules
grub2-efi-x64 shim-x64 hostname cloud-init python3-jsonschema qemu-guest-agent
cloud-utils-growpart dracut-config-generic firewalld tar tcpdump rsync rng-tools cockpit-ws
cockpit-system NetworkManager chrony bash-completion man-pages bzip2 cifs-utils hyperv-daemons
open-vm-tools vim-minimal findutils gzip crypto-policies-scripts python3-dnf-plugins-core
rootfiles coreutils-single curl-minimal libcurl-minimal glibc-minimal-langpack tzdata
kernel-core grub2-efi-x64-modules grub2-tools-extra grub2-tools-efi dracut-config-rescue
redhat-release-eula gdisk dhcp-client usermode binutils less virt-what epel-release tuned parted
chkconfig authselect langpacks-en linux-firmware rsyslog sudo microdnf util-linux which
WALinuxAgent dnf-automatic hwdata zstd lvm2 cryptsetup mdadm btrfs-progs device-mapper
device-mapper-event device-mapper-persistent-data kexec-tools kdump-utils efibootmgr""".split()  # noqa: SIM905 - pasted from the kickstarts


def small_table(**entries: dict[str, object]) -> Table:
    common = Common(dropped=["debconf"], prefer={}, drop_files=[], build_debs=[], owners={})
    return Table(common=common, rename={"libfoo1": "foo-libs"},
                 entries={name: Entry.model_validate(one) for name, one in entries.items()})


def small_index(**depends: list[str]) -> Index:
    return Index({name: DebianPackage(name, "1:2.0-3", "amd64", "", 0,
                                      depends=tuple((one,) for one in needed))
                  for name, needed in depends.items()})


def test_the_shipped_table_loads_and_names_what_kickstarts_name() -> None:
    table = load_table()
    assert not set(KICKSTART_NAMES) - set(table.entries) - set(table.rename.values())


def test_every_package_of_a_group_is_in_the_table() -> None:
    table = load_table()
    known = set(table.entries) | set(table.rename.values())
    for name, group in load_groups()["groups"].items():
        named = {one for kind in ("mandatory", "default", "optional")
                 for one in group.get(kind, [])}
        assert not named - known, name


def test_environments_are_made_of_groups_that_exist() -> None:
    content = load_groups()
    for one in content["environments"].values():
        assert set(one["groups"]) | set(one["options"]) <= set(content["groups"])
    assert "<id>minimal-environment</id>" in comps_xml("BaseOS")


def test_an_overlay_folder_belongs_to_a_package_of_the_table() -> None:
    overlays = {path.name for path in (FOLDER / "files").iterdir() if path.is_dir()}
    assert not overlays - set(load_table().entries)


def test_a_wrong_key_is_reported_with_its_file(tmp_path: Path) -> None:
    for name in ("common.yaml", "rename.yaml"):
        shutil.copy(FOLDER / "packages" / name, tmp_path)
    (tmp_path / "mine.yaml").write_text("bash:\n  form: [bash]\n")
    with pytest.raises(InputError, match=r"(?s)mine\.yaml: bash is wrong.*form"):
        load_table(tmp_path)


def test_a_name_given_twice_is_an_error(tmp_path: Path) -> None:
    for name in ("common.yaml", "rename.yaml"):
        shutil.copy(FOLDER / "packages" / name, tmp_path)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("bash: {from: [bash]}\n")
    with pytest.raises(InputError, match="twice"):
        load_table(tmp_path)


def test_debian_dependencies_become_the_rpms_that_carry_them() -> None:
    table = small_table(foo={"from": ["foo", "foo-data"], "requires": ["own"]},
                        own={"version": "1"})
    index = small_index(**{"foo": ["libfoo1", "foo-data", "debconf", "auto"], "foo-data": [],
                           "libfoo1": [], "auto": [], "debconf": []})
    jobs = {job.name: job for job in plan(table, index)}
    assert jobs["foo"].requires == ("auto", "foo-libs", "own")
    assert set(jobs) == {"foo", "own", "foo-libs", "auto"}


def test_a_package_without_globs_leaves_the_claimed_files_to_others() -> None:
    table = small_table(foo={"from": ["foo"]}, part={"from": ["foo"], "files": ["/usr/bin/x"]})
    jobs = {job.name: job for job in plan(table, small_index(foo=[], libfoo1=[]))}
    assert jobs["foo"].others == ("/usr/bin/x",)
    assert jobs["part"].others == ()


def test_the_newest_kernel_is_found_through_its_meta_package() -> None:
    index = small_index(**{"linux-image-amd64": ["linux-image-6.1-amd64"]})
    assert resolve("linux-image-amd64:depends", index) == "linux-image-6.1-amd64"
    assert resolve("bash", index) == "bash"
    with pytest.raises(InputError, match="no package gone"):
        resolve("gone:depends", index)


@pytest.mark.parametrize(("debian", "rpm"), [
    ("5.2.15-2+b13", (0, "5.2.15", "2+b13.rehearsal")),
    ("1:2.06-13+deb12u1", (1, "2.06", "13+deb12u1.rehearsal")),
    ("20250419", (0, "20250419", "1.rehearsal")),
    ("1.2-rc1-3", (0, "1.2.rc1", "3.rehearsal")),
])
def test_versions(debian: str, rpm: tuple[int, str, str]) -> None:
    assert rpm_version(debian) == rpm


@given(st.from_regex(r"\A([0-9]:)?[0-9][0-9a-z.+~-]{0,12}\Z"))
def test_no_part_of_an_rpm_version_has_a_hyphen_or_colon(debian: str) -> None:
    _, version, release = rpm_version(debian)
    assert version + release == (version + release).replace("-", "").replace(":", "")
