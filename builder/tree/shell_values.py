"""Values in files of shell assignments, quoted as the programs quote them whose files they are.

People and scripts edit such files by patterns that expect the double quotes: `sed -i
's/^GRUB_CMDLINE_LINUX="/&x=1 /'` changes nothing where a value is quoted otherwise.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r'(["$`\\])')


def double_quoted(value: str) -> str:
    """Return a value in double quotes; what the shell would take for its own is escaped."""
    return '"' + _SPECIAL.sub(r"\\\1", value) + '"'
