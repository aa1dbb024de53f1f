"""The SELinux policy: Debian's modules and our own, linked as the type `targeted`."""

from __future__ import annotations

from pathlib import Path

from host.beneath.root import Root
from host.run import run
from rehearsal.makers.making import Making, collect, write
from rehearsal.model import PackagedFile

LOCAL = Path(__file__).parent.parent / "selinux"
_TYPE = "targeted"


def policy(making: Making, files: list[PackagedFile]) -> list[PackagedFile]:
    """Return /etc/selinux/targeted and the module store, linked by semodule on the host."""
    root = making.scratch / "root"
    root.mkdir()
    wanted = set((LOCAL / "modules.list").read_text().split())
    modules = making.scratch / "modules"
    modules.mkdir()
    for file in files:
        name = file.path.rpartition("/")[2].split(".")[0]
        if file.path.endswith(".pp.bz2") and name in wanted:
            (modules / f"{name}.pp.bz2").write_bytes(file.content)
    write(root, (file for file in files
                 if file.path.startswith("/etc/selinux/targeted/") and file.is_regular))
    inside = Root(root)
    inside.make_folder(f"/var/lib/selinux/{_TYPE}")
    inside.make_folder(f"/etc/selinux/{_TYPE}/policy")
    inside.write("/etc/selinux/config",
                 f"SELINUX=enforcing\nSELINUXTYPE={_TYPE}\n".encode())
    inside.write(
        "/etc/selinux/semanage.conf",
        b"module-store = direct\nexpand-check = 0\npolicy-version = 33\nbzip-small = true\n"
        b"bzip-blocksize = 5\noptimize-policy = false\n[sefcontext_compile]\n"
        b"path = /usr/sbin/sefcontext_compile\nargs = -r $@\n[end]\n")
    argv: list[str | Path] = ["semodule", "-p", root, "-S", "/var/lib/selinux", "-s", _TYPE, "-n"]
    for priority, found in (("100", modules.iterdir()), ("400", LOCAL.glob("*.cil"))):
        for module in sorted(found):
            argv += ["-X", priority, "-i", module]
    run(argv)
    made = collect(root, "/etc/selinux/targeted") + collect(root, "/var/lib/selinux")
    return [file for file in made if not file.path.endswith(("/semanage.read.LOCK",
                                                            "/semanage.trans.LOCK"))]
