"""Commands that steer an installer or its machine: without meaning for an image, or refused."""

from __future__ import annotations

from builder.kickstart.registry import meaningless, refused

meaningless("an image build shows no installer",
            "text", "cmdline", "graphical", "vnc", "rdp", "sshpw", "interactive", "autostep")
meaningless("the build ends when the image is done", "reboot", "shutdown", "poweroff", "halt")
meaningless("Initial Setup alone reads it; the builder accepts no licence in anybody's name",
            "eula")
meaningless("the builder always installs anew", "install", "upgrade")
meaningless("the release's repositories take its place", "cdrom", "hmc", "mediacheck", "method")
meaningless("the builder has a log of its own", "logging")
meaningless("it changes the installer, not what it installs", "updates")
meaningless("no release since 8 has it do anything", "dmraid", "multipath", "device",
            "deviceprobe", "unsupported_hardware", "key", "langsupport", "lilocheck", "lilo",
            "monitor", "mouse")

refused("a rescue system installs nothing", "rescue")
refused("an image's disk is a file; it is not on a storage network or in a memory module",
        "iscsi", "iscsiname", "fcoe", "zfcp", "nvdimm")
_SOURCE = "the builder installs packages of repositories; give them as `url` or `repo`"
refused(_SOURCE, "nfs", "harddrive")
refused("the builder installs packages, not a finished file system", "liveimg")
refused("the builder installs packages, not an OSTree commit or a bootable container",
        "ostreesetup", "ostreecontainer", "bootc")
refused("no disk of drivers is at hand; add a repository that has them as packages", "driverdisk")

meaningless("a bug of the builder ends a build with an error and its log", "%traceback")
meaningless("the builder has no installer to configure", "%anaconda")

refused("hardening by SCAP content is not done; run oscap in %post",
        "%addon com_redhat_oscap", "%addon org_fedora_oscap")
meaningless("Initial Setup alone reads it", "%addon org_fedora_initial_setup")
refused("a registration would give every copy of the image the same identity",
        "%addon com_redhat_subscription_manager")

refused("say `part MOUNTPOINT --onpart=…` of what %pre made", "mount")
refused("a snapshot of a system that has never run keeps nothing that the image does not",
        "snapshot")
