"""Writes docs/kickstart.md from the registry: `python -m builder.kickstart.reference`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pykickstart.handlers.control import commandMap
from pykickstart.version import stringToVersion

from builder.kickstart import registry
from builder.kickstart.options import DIALECTS, Spellings, options_of, section_options
from builder.kickstart.registry import Handling, Status

PAGE = Path(__file__).parents[2] / "docs/kickstart.md"

_WORDS = {"honoured": "honoured", "meaningless": "without meaning", "refused": "refused"}

_HEAD = """\
# Kickstarts

<!-- Made by `python -m builder.kickstart.reference` from the builder's registry; don't edit. -->

A kickstart builds the way it stands: what Anaconda would have made of the file, the builder makes
of it. Every command, option, section and add-on has one of three statuses, and nothing is ever
ignored in silence:

* **honoured**: the image gets what the line says; named is the step that reads it
  ([architecture](architecture.md)).
* **without meaning**: the line steers an installer and leaves no trace in what it installs.
* **refused**: the build ends before anything is made, with the file, the line and the reason.

`ccis lint FILE…` says it of each line of your own files, with what will bite later; `ccis explain
FILE` shows what a file comes to. lint runs nothing and fetches nothing; explain, as root, runs
%pre as a build does, unless told `--no-pre`.

A line is read in the language of the release (`dialect` in `images/releases/*.yaml`). What that
one has no longer, or not yet, is read as in the nearest version that has it, and `ccis lint` says
so: old spellings build on new releases.

## Where an image differs from an installation

* An image has one disk. `/dev/vda` and `/dev/sda` both mean it; any other disk is refused.
* A later `part`, `raid`, `logvol` or `btrfs` line for the same mount point takes the place of the
  former, and a later `user` line of the same name has no effect, as under Anaconda; lint, plan and
  build say so.
* `--device=link`, or no `--device`, with plain DHCP writes no profile: an installer would have
  named a network card of the machine that it ran on. NetworkManager asks for DHCP on every
  interface that has no profile. With more than DHCP (`--noipv6`, `--mtu`, …) it is one profile for
  all wired interfaces.
* Identities that Anaconda draws at random (UUIDs of file systems and connection profiles, salts of
  password hashes) follow from the plan, so that two builds of it are the same, byte for byte.
* A time zone that is not there is an error; Anaconda takes New York. So is a `user` that a package
  has made, or a `group` with another number; Anaconda writes a line into its log.
* A line that is an assignment and no command (`user=root`; some public files have it) is left out,
  and lint, plan and build say so; Anaconda refuses it.
* `lang` is written as it stands, whether or not its locale is installed.
* `/root/anaconda-ks.cfg`, `/var/log/anaconda` and `/etc/sysconfig/anaconda` are not written:
  the record of a build is `build.json`.
* Scripts have no network unless the image says so (`network_in_post`). What they see of the
  machine, such as `uname -r`, and how much of the host they may use: [sandbox](sandbox.md).
* `%include` and `%ksappend` take what %pre wrote, files beside the kickstart and below its folder,
  and URLs; other folders of the host only by `--include-path`. What else a line may name of the
  host, and what becomes of passwords: [secrets](secrets.md).

As after every installation, and whether or not a line asks for it, there is a `default.target`;
Initial Setup runs only where `firstboot` wants it; firewalld, where installed, is on and lets ssh
in; chronyd, where installed, is on; `/etc/sysconfig/network` exists. `firewall`, `timesource`,
`services`, `skipx` and `xconfig` change that.

## Commands

Options of every version of the language, from that of EL 7 to that of EL 10 and Fedora 41, the
newest first. A word in angle brackets stands on the line without a name.
"""


def page() -> str:
    """Return the whole of docs/kickstart.md."""
    names = registry.names()
    commands = [name for name in names if not name.startswith("%")]
    sections = [name for name in names if name.startswith("%") and " " not in name]
    addons = [name for name in names if name.startswith("%addon ")]
    return "\n".join([
        _HEAD,
        *_table("command", "in", ((name, _dialects(name), options_of(name)) for name in commands)),
        "\n## Sections\n",
        *_table("section", "", ((name, "", section_options(name)) for name in sections)),
        "\n`%include` and `%ksappend` take files, beside the kickstart or written by `%pre`, "
        "and URLs.",
        "\n## Add-ons\n",
        *_table("add-on", "", ((name, "", _own_options(name)) for name in addons)),
        "\nAny other `%addon` is refused.",
    ]) + "\n"


def _table(
    what: str, extra: str, entries: Iterable[tuple[str, str, tuple[Spellings, ...]]],
) -> Iterator[str]:
    yield f"| {what} | option | status | by which step, or why |" + (f" {extra} |" if extra else "")
    yield "|---|---|---|---|" + ("---|" if extra else "")
    for name, versions, options in entries:
        found = registry.handling(name)
        assert found is not None
        yield _row(name, "", found.status) + (f" {versions} |" if extra else "")
        for spellings in options:
            text = ", ".join(f"`{each}`" for each in spellings)
            yield _row(name, text, _of(found, spellings)) + ("  |" if extra else "")


def _of(found: Handling, spellings: Spellings) -> Status:
    status = found.of(spellings)
    return Status(status.kind, "") if status == found.status else status


def _row(name: str, option: str, status: Status) -> str:
    return f"| `{name}` | {option} | {_WORDS[status.kind]} | {status.reason} |"


def _own_options(name: str) -> tuple[Spellings, ...]:
    found = registry.handling(name)
    return tuple((option,) for option in found.options) if found else ()


def _dialects(name: str) -> str:
    known = [dialect.removeprefix("RH") for dialect in reversed(DIALECTS)
             if name in commandMap[stringToVersion(dialect)]]
    return ", ".join(known) or "older"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
