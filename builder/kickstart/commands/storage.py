"""The disk's commands: the layout reads them."""

from __future__ import annotations

from builder.kickstart.registry import honoured_by

honoured_by("layout", "part", "partition", "clearpart", "zerombr", "ignoredisk")
honoured_by("bootloader", "bootloader")
