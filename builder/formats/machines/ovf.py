"""The description of an appliance: an OVF 1.1 envelope (DMTF DSP0243), for VMware or VirtualBox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from builder.artefact import About
from builder.formats.machines.machine import CPUS, MEMORY_MIB

_CENTOS_64 = 107  # CIM_OperatingSystem.OSType
_STREAM_OPTIMISED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"

# The numbers of CIM_ResourceAllocationSettingData.ResourceType.
_PROCESSOR, _MEMORY, _NETWORK, _DISK, _STORAGE = 3, 4, 10, 17, 20


@dataclass(frozen=True)
class Hypervisor:
    """What two hypervisors call the same hardware.

    family: the virtual hardware's name and version. system: the operating system's own type, as
    an attribute or an element. sata: the subtype of a SATA controller. network: what the machine
    is plugged into. extra: elements after the hardware's items.
    """

    family: str
    sata: str
    network: str
    system_attribute: str = ""
    system_element: str = ""
    extra: Sequence[str] = ()


# vmx-13 is of ESXi 6.5, Workstation 12.5 and Fusion 8.5, the first to know centos7_64Guest; all
# newer ones take it.
VMWARE = Hypervisor(
    "vmx-13", "vmware.sata.ahci", "VM Network", ' vmw:osType="centos7_64Guest"', "",
    ('<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="bios"/>',),
)
VIRTUALBOX = Hypervisor(
    "virtualbox-2.2", "AHCI", "NAT",
    system_element='<vbox:OSType ovf:required="false">RedHat_64</vbox:OSType>',
)


def envelope(about: About, hypervisor: Hypervisor, disk_file: str, disk_file_bytes: int) -> str:
    """Return the envelope for a machine with the image as its only disk.

    disk_file, disk_file_bytes: name and size of the stream-optimised VMDK beside the envelope.

    SATA and E1000 are what VMware and VirtualBox both have: VirtualBox has neither pvscsi nor
    vmxnet3. VirtualBox 7 knows VMware's name of the SATA controller as well as its own (its
    ovfreader.cpp). BIOS is the firmware, because VirtualBox reads no other out of an envelope.
    """
    title, version = escape(about.title), escape(about.version)
    extra = "".join(f"\n      {line}" for line in hypervisor.extra)
    system_element = "".join(f"\n      {line}" for line in [hypervisor.system_element] if line)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
    xmlns:vbox="http://www.virtualbox.org/ovf/machine"
    xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>
    <File ovf:href={quoteattr(disk_file)} ovf:id="file1" ovf:size="{disk_file_bytes}"/>
  </References>
  <DiskSection>
    <Info>The disk of the machine</Info>
    <Disk ovf:capacity="{about.disk_size_bytes}" ovf:capacityAllocationUnits="byte"
        ovf:diskId="disk1" ovf:fileRef="file1" ovf:format="{_STREAM_OPTIMISED}"/>
  </DiskSection>
  <NetworkSection>
    <Info>The network that the machine is plugged into</Info>
    <Network ovf:name="{hypervisor.network}">
      <Description>Any network with DHCP</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id={quoteattr(about.slug)}>
    <Info>A virtual machine</Info>
    <Name>{escape(about.slug)}</Name>
    <OperatingSystemSection ovf:id="{_CENTOS_64}"{hypervisor.system_attribute}>
      <Info>The operating system in the image</Info>
      <Description>{escape(about.distribution)} {version} (64 bit)</Description>{system_element}
    </OperatingSystemSection>
    <ProductSection>
      <Info>What is in the image</Info>
      <Product>{title}</Product>
      <Vendor>{escape(about.distribution)}</Vendor>
      <Version>{version}</Version>
    </ProductSection>
    <VirtualHardwareSection>
      <Info>The hardware that the machine needs</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>{escape(about.slug)}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>{hypervisor.family}</vssd:VirtualSystemType>
      </System>{_items(hypervisor)}{extra}
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


def _items(hypervisor: Hypervisor) -> str:
    """Return the devices; older VirtualBoxes find the SATA controller by its caption."""
    return "".join([
        _item(1, _PROCESSOR, f"{CPUS} virtual CPUs", AllocationUnits="hertz * 10^6",
              VirtualQuantity=CPUS),
        _item(2, _MEMORY, f"{MEMORY_MIB} MiB of memory", AllocationUnits="byte * 2^20",
              VirtualQuantity=MEMORY_MIB),
        _item(3, _STORAGE, "SATA Controller", Address=0, Caption="sataController0",
              ResourceSubType=hypervisor.sata),
        _item(4, _DISK, "Hard Disk 1", AddressOnParent=0, HostResource="ovf:/disk/disk1",
              Parent=3),
        _item(5, _NETWORK, "Network adapter 1", AutomaticAllocation="true",
              Connection=hypervisor.network, ResourceSubType="E1000"),
    ])


def _item(instance: int, kind: int, name: str, **more: str | int) -> str:
    """Return one device; CIM's schema wants its properties in the order of the alphabet."""
    values = {**more, "ElementName": name, "Description": name, "InstanceID": instance,
              "ResourceType": kind}
    lines = [f"        <rasd:{key}>{escape(str(values[key]))}</rasd:{key}>"
             for key in sorted(values)]
    return "\n".join(["", "      <Item>", *lines, "      </Item>"])
