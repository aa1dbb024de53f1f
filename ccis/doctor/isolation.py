"""Rights and kernel features that a build needs to work apart from the host."""

from __future__ import annotations

import os
import tempfile

from ccis.doctor.registry import Host, LackError, check
from host.folders import own_folder
from host.run import run
from host.scratch import guarded_folder

_CONTAINER = "in a container, add --privileged, or --cap-add SYS_ADMIN and its devices"


@check("root", needed_for="root trees with owners, mounts", remedy="run as root (sudo)")
def root(_: Host) -> str:
    """Look who we are."""
    if os.geteuid() != 0:
        raise LackError(f"this is user {os.geteuid()}, not root")
    return "yes"


@check("namespaces", needed_for="mounts and processes that vanish with a build", remedy=_CONTAINER)
def namespaces(_: Host) -> str:
    """Make the namespaces that a build makes."""
    run(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "true"],
        timeout_s=20)
    return "mount, pid, uts, ipc"


@check("bubblewrap", needed_for="scripts and packages in a sandbox", remedy=_CONTAINER)
def bubblewrap(_: Host) -> str:
    """Start a program in the kind of sandbox that scripts get."""
    from builder.sandbox.enclosure import Use, enclosure
    from builder.sandbox.programs import show_programs

    with enclosure(None) as made:
        made.kernel_folders("/")
        show_programs(made)
        made.run(["true"], {"PATH": "/usr/bin:/bin"}, Use("a program in a sandbox", time_s=20))
    return run(["bwrap", "--version"]).stdout.strip()


@check("loop devices", needed_for="the direct engine: xfs and btrfs",
       remedy=f"modprobe loop; {_CONTAINER}; or build with --engine guestfs")
def loop_devices(_: Host) -> str:
    """Attach a file to a loop device and detach it."""
    with tempfile.NamedTemporaryFile(prefix="ccis-doctor-") as file:
        file.truncate(1 << 20)
        device = run(["losetup", "--find", "--show", file.name], timeout_s=20).stdout.strip()
        run(["losetup", "--detach", device], timeout_s=20)
    return device


@check("overlayfs", needed_for="layers of the root tree in the store",
       remedy="put the store (CCIS_STORE) on ext4, xfs, btrfs or tmpfs, and not on an overlay")
def overlayfs(host: Host) -> str:
    """Change an owner in an overlay in the store's folder: only metadata may be copied."""
    own_folder(host.store)
    with guarded_folder(own_folder(host.store / "staging")) as folder:
        lower, upper, work, view = (folder / part for part in ("lower", "upper", "work", "view"))
        for part in (lower, upper, work, view):
            part.mkdir()
        (lower / "file").write_bytes(b"x" * 65536)
        options = (f"lowerdir={lower},upperdir={upper},workdir={work},"
                   "index=off,metacopy=on,redirect_dir=on")
        # A mount namespace of its own: nothing is left to unmount, however this ends.
        script = 'mount -t overlay -o "$1" overlay "$2" && chown 1:1 "$2/file"'
        run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", options,
             view], timeout_s=20)
        if "trusted.overlay.metacopy" not in os.listxattr(upper / "file"):
            raise LackError("overlayfs works, but without metacopy")
    return f"with metacopy, in {host.store}"
