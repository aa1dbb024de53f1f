"""The files of the model image: what a CentOS Stream has, as far as a rule looks at it."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.validate.mutations import programs
from tests.validate.small_views import (
    File,
    Folder,
    Link,
)

KERNEL = "6.12.0-1.el10"
ARGUMENTS = "root=UUID=1111-root ro console=tty0 console=ttyS0,115200n8"
DRIVERS = [
    "virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net", "nvme", "sd_mod", "ahci", "ena",
    "hv_vmbus", "hv_storvsc", "hv_netvsc", "vmw_pvscsi", "vmxnet3", "xen-blkfront", "xen-netfront",
]
MODULES = [*DRIVERS, *[
    "e1000e", "virtio_rng", "virtio_balloon", "virtio_console", "isofs", "vfat", "sr_mod", "gve",
    "mana", "mlx5_core", "idpf", "ixgbevf", "ptp_kvm", "udf", "virtiofs", "vsock", "9p",
]]
SERVICES = {
    "cloud-init-local": "cloud-init.target", "cloud-init": "cloud-init.target",
    "cloud-config": "cloud-init.target", "cloud-final": "cloud-init.target",
    "sshd": "multi-user.target", "NetworkManager": "multi-user.target",
    "chronyd": "multi-user.target", "auditd": "multi-user.target",
    "rsyslog": "multi-user.target", "vmtoolsd": "multi-user.target",
    "waagent": "multi-user.target",
}
TYPES = {
    "/": "root_t", "/etc/shadow": "shadow_t", "/etc/passwd": "passwd_file_t",
    "/usr/sbin/sshd": "sshd_exec_t", "/usr/bin/bash": "shell_exec_t",
    "/usr/lib/systemd/systemd": "init_exec_t", "/var/log": "var_log_t", "/tmp": "tmp_t",
}
PASSWD = (
    "root:x:0:0:Super User:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\n"
    "daemon:x:2:2:daemon:/sbin:/sbin/nologin\nchrony:x:997:997::/var/lib/chrony:/sbin/nologin\n"
    "nobody:x:65534:65534::/:/sbin/nologin\n")
GROUP = "root:x:0:\nbin:x:1:\ndaemon:x:2:\nchrony:x:997:\nnobody:x:65534:\n"
SHADOW = "".join(f"{line.partition(':')[0]}:!locked::0:99999:7:::\n"
                 for line in PASSWD.splitlines())
CLOUD = """users:
  - default
disable_root: true
ssh_pwauth: false
preserve_hostname: false
ssh_deletekeys: true
ssh_genkeytypes: [rsa, ecdsa, ed25519]
disable_vmware_customization: false
cloud_init_modules: [seed_random, bootcmd, write-files, growpart, resizefs, disk_setup, mounts,
  set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]
cloud_config_modules: [set-passwords, runcmd]
cloud_final_modules: [scripts-user, ssh-authkey-fingerprints, keys-to-console, final-message]
system_info:
  distro: centos
  default_user:
    name: cloud-user
    lock_passwd: true
    groups: [adm, systemd-journal]
    shell: /bin/bash
"""
REPOS = "".join(
    f"[{name}]\nname=CentOS Stream $releasever - {name}\n"
    f"metalink=https://mirrors.centos.org/metalink?repo={name}\ngpgcheck=1\nenabled=1\n"
    "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial\n"
    for name in ("baseos", "appstream", "extras-common"))


@cache
def _initramfs() -> bytes:
    return programs.initramfs(
        [f"usr/lib/modules/{KERNEL}/kernel/{name}.ko.xz" for name in DRIVERS])


def tree_files(arch: str, version: str) -> dict[str, Any]:
    """The files of the model's tree by path, before a spec or a target has its own."""
    efi_name = {"x86_64": "BOOTX64", "aarch64": "BOOTAA64"}.get(arch, "BOOTX64")
    console = {"aarch64": "console=ttyAMA0", "ppc64le": "console=hvc0"}.get(arch)
    arguments = f"{ARGUMENTS} {console}" if console else ARGUMENTS
    signed = programs.efi(arch, "Microsoft Corporation UEFI CA 2011")
    centos = programs.efi(arch, "CentOS Secure Boot Signing 201")
    rpm = "/usr/lib/sysimage/rpm" if version == "10" else "/var/lib/rpm"
    units = {
        f"/usr/lib/systemd/system/{name}.service":
            f"[Service]\nExecStart=/usr/sbin/sshd --for {name}\n" for name in SERVICES}
    wants = {f"/etc/systemd/system/{target}.wants/{name}.service":
             Link(f"/usr/lib/systemd/system/{name}.service") for name, target in SERVICES.items()}
    return {
        **units, **wants,
        "/usr/lib/systemd/system/logrotate.timer": "[Timer]\n",
        "/etc/systemd/system/timers.target.wants/logrotate.timer":
            Link("/usr/lib/systemd/system/logrotate.timer"),
        "/usr/lib/systemd/system/multi-user.target": "[Unit]\n",
        "/etc/systemd/system/default.target": Link("/usr/lib/systemd/system/multi-user.target"),
        "/usr/lib/systemd/systemd": programs_file(programs.elf(), 0o755),
        "/usr/sbin/init": Link("../lib/systemd/systemd"),
        "/usr/bin/bash": programs_file(programs.elf(needed=("libc.so.6",)), 0o755),
        "/usr/bin/ping": programs_file(programs.elf(), 0o755),
        "/usr/bin/su": File("s", mode=0o4755), "/bin": Link("usr/bin"), "/lib": Link("usr/lib"),
        "/sbin": Link("usr/sbin"), "/usr/lib64/libc.so.6": programs_file(programs.elf(), 0o755),
        "/usr/sbin/sshd": File("x", mode=0o755),
        "/usr/lib/os-release": (
            f'NAME="CentOS Stream"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="{version}"\n'
            f'PLATFORM_ID="platform:el{version}"\nCPE_NAME="cpe:/o:centos:centos:{version}"\n'
            'HOME_URL="https://centos.org/"\nPRETTY_NAME="CentOS Stream"\n'),
        "/etc/os-release": Link("../usr/lib/os-release"),
        "/etc/centos-release": f"CentOS Stream release {version}\n",
        "/etc/redhat-release": Link("centos-release"),
        "/etc/system-release": Link("centos-release"),
        "/etc/machine-id": File("", mode=0o444), f"{rpm}/rpmdb.sqlite": "x",
        "/etc/passwd": PASSWD, "/etc/group": GROUP, "/etc/shadow": File(SHADOW, mode=0),
        "/etc/gshadow": File("root:::\n", mode=0), "/etc/shells": "/bin/sh\n/bin/bash\n",
        "/etc/login.defs": "UID_MIN 1000\nENCRYPT_METHOD YESCRYPT\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "/etc/sudoers": File("Defaults env_reset\nroot ALL=(ALL) ALL\n"
                             "#includedir /etc/sudoers.d\n", mode=0o440),
        "/etc/sudoers.d": Folder(0o750),
        "/etc/ssh/sshd_config": File(
            "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/authorized_keys\n",
            mode=0o600),
        "/etc/ssh/sshd_config.d/50-redhat.conf": File(
            "KbdInteractiveAuthentication no\nUsePAM yes\nUseDNS no\n", mode=0o600),
        "/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        "/etc/selinux/targeted/policy/policy.33": File(size_bytes=1 << 20, text="x"),
        "/etc/selinux/targeted/contexts/files/file_contexts": "/.* system_u:object_r:etc_t:s0\n"
            + "".join(f"{path} system_u:object_r:{kind}:s0\n" for path, kind in TYPES.items()),
        "/etc/dnf/dnf.conf": "[main]\ngpgcheck=1\ninstallonly_limit=3\nbest=True\n",
        "/etc/dnf/vars/stream": f"{version}-stream\n",
        "/etc/yum.repos.d/centos.repo": REPOS,
        "/etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial":
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        "/etc/locale.conf": "LANG=C.UTF-8\n", "/usr/lib/locale/C.utf8": Folder(),
        "/usr/share/zoneinfo/UTC": "x", "/etc/localtime": Link("../usr/share/zoneinfo/UTC"),
        "/etc/chrony.conf": "pool 2.centos.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\n"
                            "makestep 1.0 3\nrtcsync\n",
        "/etc/waagent.conf": "Provisioning.Agent=auto\n",
        "/etc/crypto-policies/config": "DEFAULT\n", "/etc/authselect/authselect.conf": "local\n",
        "/etc/cloud/cloud.cfg": CLOUD, "/etc/cloud/cloud.cfg.d/05_logging.cfg": "output: {}\n",
        "/etc/sysconfig/network": "NOZEROCONF=yes\n",
        "/etc/sysconfig/kernel": "UPDATEDEFAULT=yes\nDEFAULTKERNEL=kernel-core\n",
        "/etc/NetworkManager/NetworkManager.conf": "[main]\nplugins=keyfile\n",
        "/etc/rc.d/rc.local": "#!/bin/bash\n", "/etc/rsyslog.conf": "*.info /var/log/messages\n",
        "/etc/cron.d/0hourly": "x\n", "/etc/systemd/system.conf": "[Manager]\n",
        "/etc/fstab": "UUID=1111-root / xfs defaults 0 0\n"
                      "UUID=AAAA-BBBB /boot/efi vfat umask=0077 0 2\n",
        "/etc/default/grub": "GRUB_TIMEOUT=1\nGRUB_TERMINAL=\"serial console\"\n"
                             "GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX=\""
                             f"{arguments.split(' ro ')[1]}\"\n",
        "/etc/kernel/cmdline": f"{arguments}\n",
        "/boot/grub2/grub.cfg": File("blscfg\n", mode=0o600),
        "/boot/grub2/grubenv": File(
            "# GRUB Environment Block\n".ljust(1024, "#"), mode=0o644),
        f"/boot/loader/entries/centos-{KERNEL}.conf":
            f"title CentOS\nversion {KERNEL}\nlinux /vmlinuz-{KERNEL}\n"
            f"initrd /initramfs-{KERNEL}.img\noptions {arguments}\n",
        f"/boot/vmlinuz-{KERNEL}": programs_file(centos, 0o755),
        f"/boot/initramfs-{KERNEL}.img": programs_file(_initramfs(), 0o600),
        f"/boot/config-{KERNEL}": "".join(f"CONFIG_{one}=y\n" for one in [
            "KVM_GUEST", "VIRTIO_PCI", "VIRTIO_NET", "SCSI_VIRTIO", "HYPERV", "PCI_MSI", "SECCOMP",
            "SYN_COOKIES", "RANDOMIZE_BASE", "IPV6",
        ]),
        f"/usr/lib/modules/{KERNEL}/modules.dep": "".join(
            f"kernel/{name}.ko.xz:\n" for name in MODULES),
        f"/usr/lib/modules/{KERNEL}/modules.builtin": "kernel/x.ko\n",
        f"/boot/efi/EFI/BOOT/{efi_name}.EFI": programs_file(signed, 0o700),
        "/boot/efi/EFI/BOOT/fbx64.efi": programs_file(signed, 0o700),
        "/boot/efi/EFI/centos/shimx64.efi": programs_file(signed, 0o700),
        "/boot/efi/EFI/centos/mmx64.efi": programs_file(signed, 0o700),
        "/boot/efi/EFI/centos/BOOTX64.CSV": File("x", mode=0o700),
        "/boot/efi/EFI/centos/grubx64.efi": programs_file(centos, 0o700),
        "/boot/efi/EFI/centos/grub.cfg": File(
            "search --no-floppy --fs-uuid --set=dev 1111-root\nset prefix=($dev)/boot/grub2\n",
            mode=0o700),
        "/usr/share/licenses/bash/COPYING": "GPL\n", "/var/log": Folder(),
        "/var/log/audit": Folder(0o700), "/tmp": Folder(0o1777), "/var/tmp": Folder(0o1777),
        "/proc": Folder(), "/sys": Folder(), "/dev": Folder(), "/run": Folder(),
        "/": Folder(), "/root": Folder(0o550), "/root/.bashrc": "x\n", "/home": Folder(),
    }


def programs_file(content: bytes, mode: int) -> File:
    """A file of bytes."""
    return File(content.decode("latin-1"), mode=mode, binary=True)
