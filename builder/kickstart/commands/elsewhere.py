"""Commands and sections that other steps read."""

from __future__ import annotations

from builder.kickstart.registry import honoured_by, refused

honoured_by("packages", "repo", "url", "module")
honoured_by("packages", "%packages", meaningless={
    "--nobase": "no release since 7 installs the base group unasked",
})

honoured_by("scripts", "%post", refused={"--nochroot": "such scripts are not run yet"})
refused("such scripts are not run yet", "%pre", "%pre-install")
