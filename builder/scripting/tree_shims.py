"""Stand-ins for the tree's own programs that could not do their work while an image is built.

Each lies in a folder of its own that PATH names first, where the tree has such a program. The
tree's file is never covered: `rpm -V`, `rpm -e`, AIDE and an update in %post find what is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from builder.tree.tree import Tree

FOLDER = "/dev/.stand-ins"
CHCON_RECORD = "/dev/.chcon"

# systemd-hostnamed is asked over a bus that is not there; `hostnamectl set-hostname` writes
# /etc/hostname (hostnamectl(1), hostname(5)).
_HOSTNAMECTL = """#!/bin/sh
command=status
name=
for word; do
  case $word in
    -*) ;;
    set-hostname|hostname|status|set-*|chassis|deployment|location|icon-name) command=$word ;;
    *) name=$word ;;
  esac
done
case $command in
  set-hostname|hostname)
    if [ -n "$name" ]; then printf '%s\\n' "$name" > /etc/hostname; else cat /etc/hostname; fi ;;
  status) printf ' Static hostname: %s\\n' "$(cat /etc/hostname 2>/dev/null)" ;;
  *) echo "hostnamectl: $command: not while an image is built" >&2; exit 1 ;;
esac
"""

# chcon refuses a part of a context for a file without one; such a file first gets the policy's.
# The names are noted, so that sealing does not undo what chcon did.
_CHCON = """#!/bin/sh
type=$(sed -n 's/^SELINUXTYPE=//p' /etc/selinux/config 2>/dev/null)
contexts=/etc/selinux/$type/contexts/files/file_contexts
deep=
for word; do
  case $word in
    --recursive|-R|-[a-zA-Z]*R*) deep=1 ;;
  esac
done
for word; do
  case $word in -*) continue ;; esac
  [ -e "$word" ] || [ -L "$word" ] || continue
  case $word in /*) path=$word ;; *) path=$PWD/$word ;; esac
  if [ "$(stat -c %C -- "$path" 2>/dev/null)" = "?" ] && [ -f "$contexts" ]; then
    setfiles -F "$contexts" "$path" 2>/dev/null
  fi
  if [ -n "$deep" ]; then
    find "$path" -print0 >> RECORD
  else
    printf '%s\\0' "$path" >> RECORD
  fi
done
exec REAL "$@"
""".replace("RECORD", CHCON_RECORD)

# Where SELinux is off, fixfiles leaves all to the relabelling at the end (builder/tree/labels.py);
# it would have undone chcon.
_FIXFILES = """#!/bin/sh
for word; do
  case $word in restore|relabel) : > RECORD ;; esac
done
exec REAL "$@"
""".replace("RECORD", CHCON_RECORD)

# It calls grub2-probe by its full path (util/grub-mkconfig.in, grub-mkconfig_lib.in): the same
# script, with the stand-ins' names in it.
_GRUB_MKCONFIG = """#!/bin/sh
mkdir -p FOLDER/copies
export grub_probe=FOLDER/grub2-probe grub_mkrelpath=FOLDER/grub2-mkrelpath
sed -e 's,^grub_probe=.*,grub_probe=FOLDER/grub2-probe,' \\
  -e 's,^grub_mkrelpath=.*,grub_mkrelpath=FOLDER/grub2-mkrelpath,' \\
  "REAL" > "FOLDER/copies/NAME" || exit 127
chmod 755 "FOLDER/copies/NAME"
exec "FOLDER/copies/NAME" "$@"
""".replace("FOLDER", FOLDER)

# What grub2-install says and does (grub-install.c); where it would write the disk's first sectors,
# the disk step does that with the files that are made here.
_GRUB_INSTALL = """#!/bin/sh
target= device=
while [ $# -gt 0 ]; do
  case $1 in
    --target=*) target=${1#--target=} ;;
    --target|--boot-directory|--directory|--modules|--bootloader-id|--efi-directory) \\
      [ "$1" = --target ] && target=$2; shift ;;
    --version|-V) echo "grub2-install (GRUB) 2.06"; exit 0 ;;
    -*) ;;
    *) device=$1 ;;
  esac
  shift
done
[ -n "$target" ] || { [ -d MODULES ] && target=i386-pc || target=x86_64-efi; }
case $target in
  i386-pc) ;;
  *-efi)
    echo "grub2-install: error: this utility should not be used for EFI platforms because it" \\
         "does not support UEFI Secure Boot." >&2
    exit 1 ;;
  *) echo "grub2-install: error: /usr/lib/grub/$target/modinfo.sh doesn't exist. Please specify" \\
          "--target or --directory." >&2
     exit 1 ;;
esac
[ -d MODULES ] || {
  echo "grub2-install: error: MODULES/modinfo.sh doesn't exist. Please specify --target or" \\
       "--directory." >&2
  exit 1; }
case $device in
  /dev/vda|/dev/sda|'(hd0)'|hd0) ;;
  '') echo "grub2-install: error: install device isn't specified." >&2; exit 1 ;;
  *) echo "grub2-install: error: cannot find a GRUB drive for $device.  Check your" \\
          "device.map." >&2
     exit 1 ;;
esac
echo "Installing for i386-pc platform." >&2
MAKE
echo "Installation finished. No error reported." >&2
"""


def shims(tree: Tree, make_bios_files: str, more: Mapping[str, str]) -> Mapping[str, str]:
    """Return the text of each shim by its path, of those that stand in for a program of the tree.

    make_bios_files: shell commands that make GRUB's files for BIOS; empty where there can be none.
    more: other programs by name. In a text, REAL is the path of the tree's own program.
    """
    make = make_bios_files or (
        "echo 'grub2-install: error: the disk has no place for GRUB.' >&2; exit 1")
    grub = _GRUB_INSTALL.replace("MODULES", "/usr/lib/grub/i386-pc").replace(
        "MAKE", f"( set -e; {make}\n) || exit 1")
    texts = {**more, "hostnamectl": _HOSTNAMECTL, "chcon": _CHCON, "fixfiles": _FIXFILES,
             "grub2-install": grub, "grub2-mkconfig": _GRUB_MKCONFIG,
             "grub2-switch-to-blscfg": _GRUB_MKCONFIG}
    found = {}
    for name, text in texts.items():
        for folder in ("/usr/sbin", "/usr/bin"):
            if tree.files.is_file(f"{folder}/{name}"):
                found[f"{FOLDER}/{name}"] = text.replace("REAL", f"{folder}/{name}").replace(
                    "NAME", name)
                break
    return found
