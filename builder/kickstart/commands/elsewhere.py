"""Commands and sections that other steps read."""

from __future__ import annotations

from builder.kickstart.registry import honoured_by

honoured_by("packages", "repo", "url", "module")
honoured_by("packages", "%packages", meaningless={
    "--nobase": "no release since 7 installs the base group unasked",
})

honoured_by("scripts", "%pre", "%pre-install", "%post", "%onerror")
