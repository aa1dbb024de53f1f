"""vagrant-hyperv: a Vagrant box for Hyper-V."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from builder.artefact import About
from builder.formats.machines import vagrant
from builder.formats.machines.machine import CPUS, MEMORY_MIB, require_x86_64
from builder.formats.streams import gzip_member
from host.progress import Progress

name = "vagrant-hyperv"
title = "Vagrant box for Hyper-V: VHDX and the machine as XML"
source = "vhdx"
uses = ("title", "flavour")

_DISK = "disk.vhdx"
# Hyper-V is on Windows, where rsync is rare: Vagrant's own choice there, SMB, stays.
_VAGRANTFILE = """\
Vagrant.configure("2") do |config|
end
"""


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Pack the disk with the machine's description; gzipped, the disk is not compressed.

    Raises InputError for an image that is not for x86_64.
    """
    require_x86_64(about, name)
    vagrant.write_box(
        folder / "vagrant-hyperv.box", "hyperv",
        {"Vagrantfile": _VAGRANTFILE, "Virtual Machines/box.xml": _machine(about)},
        (f"Virtual Hard Disks/{_DISK}", source / "vhdx"), about, progress, name, compress=True,
    )


def identity() -> dict[str, str]:
    """Return how it is compressed."""
    return gzip_member.identity(gzip_member.FAST_LEVEL)


def _machine(about: About) -> str:
    """Return the machine as Hyper-V of Windows 8 and Server 2012 exported it.

    Hyper-V itself exports .vmcx by now, a format that is not published and that Hyper-V alone
    writes. Vagrant takes either: it does not import the XML but reads it and makes a new machine
    of what it says (New-VagrantVMXML in plugins/providers/hyperv/scripts/utils/VagrantVM), so
    this is just what is read there. `subtype` is the generation less one: generation 1 boots by
    BIOS from an IDE disk and knows no Secure Boot, so every x86_64 image starts on it.
    """
    return f"""<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <properties>
    <name type="string">{escape(about.slug)}</name>
    <notes type="string">{escape(about.title)}</notes>
    <subtype type="integer">0</subtype>
  </properties>
  <settings>
    <processors>
      <count type="integer">{CPUS}</count>
    </processors>
    <memory>
      <bank>
        <dynamic_memory_enabled type="bool">False</dynamic_memory_enabled>
        <limit type="integer">{MEMORY_MIB}</limit>
        <reservation type="integer">{MEMORY_MIB}</reservation>
        <size type="integer">{MEMORY_MIB}</size>
      </bank>
    </memory>
  </settings>
  <boot>
    <device0 type="string">HardDrive</device0>
  </boot>
  <secure_boot_enabled type="bool">False</secure_boot_enabled>
  <ide>
    <controller0>
      <drive0>
        <pathname type="string">{_DISK}</pathname>
        <type type="string">VHD</type>
      </drive0>
    </controller0>
  </ide>
</configuration>
"""
