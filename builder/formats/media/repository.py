"""The metadata of a package repository: what createrepo_c writes, with fixed times.

The program itself notes each file's own time, which is that of a download; its library lets us
say another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import createrepo_c

from host.errors import InputError

_KINDS = (
    ("primary", createrepo_c.PrimaryXmlFile),
    ("filelists", createrepo_c.FilelistsXmlFile),
    ("other", createrepo_c.OtherXmlFile),
)


def write(
    repodata: Path, packages: Mapping[str, Path], comps: str, epoch: int,
) -> None:
    """Write the metadata of `packages` into a new folder.

    packages: RPM files by their path in the repository. comps: the groups, as XML.
    epoch: the time of everything, and the revision.
    Raises InputError for a file that is no RPM.
    """
    repodata.mkdir()
    groups = repodata / "comps.xml"
    groups.write_text(comps, encoding="utf-8")
    files = {kind: repodata / f"{kind}.xml.gz" for kind, _ in _KINDS}
    writers = {kind: write_xml(str(files[kind]), createrepo_c.GZ_COMPRESSION)
               for kind, write_xml in _KINDS}
    for writer in writers.values():
        writer.set_num_of_pkgs(len(packages))
    for location, file in sorted(packages.items()):
        try:
            package = createrepo_c.package_from_rpm(
                str(file), location_href=location, changelog_limit=10)
        except createrepo_c.CreaterepoCError as error:
            raise InputError("is no RPM package", where=str(file), why=str(error)) from error
        package.time_file = epoch
        for writer in writers.values():
            writer.add_pkg(package)
    index = createrepo_c.Repomd()
    index.set_revision(str(epoch))
    for kind in files:
        writers[kind].close()
    for kind, file in [*files.items(), ("group", groups)]:
        record = createrepo_c.RepomdRecord(kind, str(file))
        record.fill(createrepo_c.SHA256)
        record.rename_file()  # its digest becomes part of its name
        record.set_timestamp(epoch)
        index.set_record(record)
    (repodata / "repomd.xml").write_text(index.xml_dump(), encoding="utf-8")


def version() -> str:
    """Return the version of createrepo_c, part of the identity of what it writes."""
    return f"createrepo_c {createrepo_c.VERSION}"
