"""What LXC wants to know of a container beside its root: configuration, templates, messages.

Sources: lxc.container.conf(5), the templates lxc-download and lxc-local, and the files that
images.linuxcontainers.org serves (made by distrobuilder).
"""

from __future__ import annotations

from builder.artefact import About

_MONTH_S = 30 * 24 * 3600

# Files of the tree in which the templates put the container's name for LXC_NAME, if they are there.
_TEMPLATES = ("/etc/hostname", "/etc/hosts")


def metadata(about: About) -> dict[str, str]:
    """Return the files of the metadata archive by their names.

    The templates replace LXC_TEMPLATE_CONFIG by the folder of LXC's own configurations; config-user
    is taken for containers of users other than root. excludes-user: devices that these can't make.
    expiry: until when a downloaded copy need not be compared with the server's.
    """
    return {
        "config": _config(about, "LXC_TEMPLATE_CONFIG/common.conf"),
        "config-user": _config(
            about, "LXC_TEMPLATE_CONFIG/common.conf", "LXC_TEMPLATE_CONFIG/userns.conf"),
        "create-message": f"You have made a container of {about.title} ({about.arch}).\n"
                          "It has no password: lxc-attach is the way in.\n",
        "excludes-user": "./dev/*\n",
        "expiry": f"{about.epoch + _MONTH_S}\n",
        "templates": "".join(f"{path}\n" for path in _TEMPLATES),
    }


def own_config(about: About, container: str) -> str:
    """Return the configuration of a container that lies below /var/lib/lxc.

    The network is the host's default, as lxc-create would have copied it from there.
    """
    return _config(
        about, "/etc/lxc/default.conf", "/usr/share/lxc/config/common.conf",
    ) + f"lxc.rootfs.path = dir:/var/lib/lxc/{container}/rootfs\nlxc.uts.name = {container}\n"


def _config(about: About, *includes: str) -> str:
    lines = [f"# {about.title}", *(f"lxc.include = {path}" for path in includes),
             f"lxc.arch = {about.arch}"]
    return "\n".join(lines) + "\n"
