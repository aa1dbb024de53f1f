"""The English locale, compiled as CentOS's glibc-langpack-en has it."""

from __future__ import annotations

import gzip

from host.beneath.root import Root
from host.run import run
from rehearsal.deb import unpacked
from rehearsal.makers.making import Making, collect
from rehearsal.model import PackagedFile


def english(making: Making, files: list[PackagedFile]) -> list[PackagedFile]:
    """Return /usr/lib/locale/en_US.utf8, compiled by localedef."""
    source = making.unpack("locales", "/usr/share/i18n/") / "usr/share/i18n"
    root = making.scratch / "compiled"
    (root / "usr/lib/locale").mkdir(parents=True)
    charmap = making.scratch / "UTF-8"
    charmap.write_bytes(unpacked(gzip.GzipFile(
        fileobj=Root(source).open("/charmaps/UTF-8.gz"))))
    run(["localedef", "--no-archive", "-i", source / "locales/en_US", "-f",
         charmap, f"--prefix={root}", "/usr/lib/locale/en_US.utf8"],
        env={"I18NPATH": str(source)})
    return collect(root, "/usr/lib/locale")
