"""Any script between any two steps: random strokes at a tree, and all of ours that touches one.

Beside the tree is a victim that looks like it, watched by the kernel. Whatever a script has made of
the tree, each step does its work or names what is wrong, in seconds; nothing outside is looked
into, written, made or waited for, and no FIFO or device of the tree is ever opened by the host.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from builder.booting import bootloader, kernel_plugins
from builder.disk.embed import tree_patches
from builder.disk.ext_corrections import entries
from builder.disk.fat_files import check_fat
from builder.disk.views import check_mountpoints
from builder.formats.archives import tar_tree
from builder.formats.machines import tree_kernel
from builder.formats.media import iso_loader
from builder.tree.bounds import check_depth
from builder.tree.seal import seal
from builder.tree.tree import Tree
from host.beneath.copy import copy_tree
from host.beneath.remove import remove_tree
from host.errors import CcisError
from specs.globs import find
from specs.model import load
from tests.security import test_security_tree as table
from tests.security.hostile_trees import SECRET, secrets_in, seen
from tests.security.script_strokes import STROKES, strike
from tests.security.watched import ANYTHING, OPENED, Watch

TIME_S = 40
"""shadow's own tools wait 15 s for a lock where there is no /etc to make it in."""
NEW = "/var/tmp/new"
PLACES = sorted({path for _, path, _ in table.WORK} | {
    f"/boot/vmlinuz-{table.KERNEL}", "/boot/efi/EFI/centos/grubx64.efi", table.RPM, "/tmp/x", NEW,
    "/boot/grub2/i386-pc/boot.img", "/boot/grub2/i386-pc/core.img", "/var/log/audit/audit.log",
    "/usr/lib/grub/i386-pc/boot_hybrid.img", "/var/cache/dnf/x/y", "/var/lib/systemd/random-seed",
})
RULES = load("baseline").sealed(arch="x86_64", image_format="raw", shape="disk")
MENU = iso_loader.Menu([("title", "quiet")], 5)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="devices and sandboxes need root")

# A step gets the tree and a new folder for its results. Those that run programs of the tree or
# beside it, which then may open what is in the tree, are PROGRAMS.
Step = Callable[[Tree, Path], object]
STEPS: dict[str, Step] = {
    "settle": table.settling, "configure": table.configuring, "adapt": table.adapting,
    "labels by hand": table.by_hand, "look for kernels": table.looking,
    "seal": lambda tree, _: seal(tree, RULES),
    "boot loader's settings": lambda tree, _: bootloader.write_settings(
        tree, table.kickstart(tree), table.layout()),
    "boot loader's entries": lambda tree, _: bootloader._point_entries_at(
        tree, table.layout(), "quiet"),
    "boot loader's stubs": lambda tree, _: bootloader._write_uefi_stubs(tree, table.layout()),
    "boot loader's check": lambda tree, _: bootloader._refuse_odd(tree),
    "no initramfs": lambda tree, _: kernel_plugins.suppress(tree),
    "initramfs": lambda tree, _: kernel_plugins.allow(tree),
    "drivers": lambda tree, _: table.check_drivers(tree, {"x.yaml": ["virtio_blk"]}),
    "depth": lambda tree, _: check_depth(tree.files, "%pre"),
    "mount points": lambda tree, _: check_mountpoints(
        tree.root, ["/", "/boot", "/boot/efi", "/var/log", "/tmp"]),
    "ext": lambda tree, _: entries(tree.root),
    "fat": lambda tree, _: check_fat(tree.root),
    "boot sector": lambda tree, _: tree_patches(table.layout(), tree.root, bootloader.BIOS_FILES),
    "size of a tar": lambda tree, _: tar_tree._size_bytes(tree.root),
    "copy": lambda tree, results: copy_tree(tree.files, results / "copy"),
    "find": lambda tree, _: [find(tree.files, pattern) for pattern in (
        "/**", "/etc/*", "/boot/loader/entries/*.conf", "/var/**/*.log", "/etc/motd")],
}
PROGRAMS: dict[str, Step] = {
    "accounts": table.accounts, "accounts by the host": table.hosts_accounts,
    "lines": table.lines, "packages": table.noting, "boot loader": table.loading,
    "kernel": lambda tree, results: tree_kernel.of(tree.root, table.EPOCH, results / "kernel"),
    "loader of a medium": lambda tree, results: iso_loader.prepare(
        tree.root, "x86_64", MENU, "NAME", table.EPOCH, results / "loader"),
}
WAYS: dict[str, Callable[[Tree, str, Path], object]] = {
    "read": lambda tree, path, _: tree.read(path),
    "write": lambda tree, path, _: tree.write(path, "new\n"),
    "write a program": lambda tree, path, _: tree.write(path, "new\n", mode=0o755),
    "make a folder": lambda tree, path, _: tree.make_folder(path),
    "link": lambda tree, path, _: tree.link(path, "../new"),
    "remove": lambda tree, path, _: tree.remove(path),
    "list": lambda tree, path, _: (tree.names(path), tree.names(str(PurePosixPath(path).parent))),
    "look": lambda tree, path, _: (tree.exists(path), tree.has(path)),
    "ask": lambda tree, path, _: tree.need_plain(path),
    "set": lambda tree, path, _: tree.set_shell_value(path, "NAME", "value"),
    "chmod": lambda tree, path, _: tree.files.chmod(path, 0o640),
    "chown": lambda tree, path, _: tree.files.chown(path, 12, 34),
    "attribute": lambda tree, path, _: tree.files.attribute(path, "trusted.x"),
    "set attribute": lambda tree, path, _: tree.files.set_attribute(path, "trusted.x", b"1"),
    "real path": lambda tree, path, _: tree.files.real_path(path),
    "copy out": lambda tree, path, results: tree.files.copy_out(
        path, results / "out", follow=True, limit_bytes=1 << 20),
    "write anew": lambda tree, path, _: tree.files.write(path, b"new"),
    "walk": lambda tree, path, _: [found.attributes() for found in tree.files.walk(path)],
}
# Their docstrings name OSError, for what the kernel refuses; all others say what is wrong.
MAY_FAIL = {"settle", "copy", "find", "chmod", "chown", "attribute", "set attribute", "real path",
            "copy out", "write anew", "walk"}


class Waits(BaseException):
    """A step takes too long; no handler of the product's may take it for anything else."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise Waits in the block when it takes longer, whatever call of the kernel's it is in."""
    def ring(number: int, frame: FrameType | None) -> None:
        raise Waits

    before = signal.signal(signal.SIGALRM, ring)  # pytest-timeout's
    left_s, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    started_s = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left_s:
            signal.setitimer(signal.ITIMER_REAL,
                             max(1.0, left_s - (time.monotonic() - started_s)))


@dataclass(frozen=True)
class Ground:
    """Where examples take place, and what each starts with: a tree, and a victim like it."""

    folder: Path
    tree: Tree
    victim: Path


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """In memory, where there is room for that: an example is a few hundred small files."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="ccis-fuzz-", dir=memory))
    try:
        yield furnish(folder)
    finally:
        remove_tree(folder)


def furnish(folder: Path) -> Ground:
    tree = table.furnished(folder / "first")
    for path in (f"{table.RPM}/rpmdb.sqlite", "/var/lib/dnf/history.sqlite"):
        tree.remove(path)  # they are written anew in a jail, which takes a second a time
    tree.make_folder("/boot/grub2/i386-pc")
    tree.make_folder("/var/tmp")
    (tree.root / "usr/lib/grub/i386-pc").mkdir(parents=True)
    (tree.root / "boot/grub2/i386-pc/core.img").write_bytes(
        bytes(508) + b"\x07\0" + bytes(7 * 512 + 2))
    (tree.root / "boot/grub2/i386-pc/boot.img").write_bytes(bytes(510) + b"\x55\xaa")
    victim = folder / "first/victim"
    contents = {path: content for _, path, content in table.WORK}
    for path in reversed(PLACES):  # folders after what is in them
        place = victim / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_dir():
            place.write_bytes(contents.get(path, b"") + SECRET)
    (victim / "secret").write_bytes(SECRET)
    os.mkfifo(victim / "fifo")
    return Ground(folder, tree, victim)


class Scripts(RuleBasedStateMachine):
    """A tree between its steps."""

    ground: ClassVar[Ground]
    time_s: ClassVar[float] = TIME_S

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.ground.folder))
        self.victim = self.folder / "victim"
        shutil.copytree(self.ground.victim, self.victim, copy_function=_copied)
        shutil.copytree(self.ground.tree.root, self.folder / "root", symlinks=True)
        first = self.ground.tree.sandbox
        self.tree = Tree(self.folder / "root", replace(first, root=self.folder / "root"))
        self.before = seen(self.victim)
        self.watch, self.count = Watch(), 0
        self.struck, self.noticed = [NEW], list[str]()
        for place in (self.victim, *self.victim.rglob("*")):
            if place.is_dir():
                self.watch.add(place, ANYTHING)

    @rule(strokes=st.lists(st.tuples(
        st.sampled_from(PLACES), st.sampled_from([0, 1, 0, 2]), st.sampled_from([*STROKES])),
        min_size=1, max_size=8))
    def script(self, strokes: list[tuple[str, int, str]]) -> None:
        """What lies at some places, or at the folders above them, is something else now."""
        for place, up, shape in strokes:
            targets = [place, *map(str, PurePosixPath(place).parents)][:-1]
            strike(self.tree.root, self.victim, targets[:up + 1][-1], shape, self.lies_in_wait)
            self.struck.append(place)
        self.watch.seen()

    def lies_in_wait(self, path: Path, inside: str) -> None:
        """Nobody may open a FIFO, socket or device that a script has made."""
        self.watch.add(path, OPENED, Path(inside))

    @rule(name=st.sampled_from([*STEPS, *PROGRAMS]))
    def step(self, name: str) -> None:
        """One of our own steps."""
        work = (STEPS | PROGRAMS)[name]
        self.act(lambda results: work(self.tree, results), name in MAY_FAIL)
        if name in PROGRAMS:
            self.noticed += [event for event in self.watch.seen() if str(self.victim) in event]

    @precondition(lambda self: len(self.struck) > 1)
    @rule(name=st.sampled_from([*WAYS]), last=st.integers(1, 8))
    def access(self, name: str, last: int) -> None:
        """One access to where a script has been."""
        path = self.struck[-min(last, len(self.struck))]
        self.act(lambda results: WAYS[name](self.tree, path, results), name in MAY_FAIL)

    def act(self, what: Callable[[Path], object], may_fail: bool = False) -> None:
        """Do a step; it may end with an error that says what is wrong, and with no other."""
        self.count += 1
        results = self.folder / f"results-{self.count}"
        results.mkdir()
        allowed = (CcisError, OSError) if may_fail else (CcisError,)
        try:
            with at_most(self.time_s), suppress(*allowed):
                what(results)
        except Waits:
            raise AssertionError(f"waited for more than {self.time_s} s") from None
        assert secrets_in(results) == []

    @invariant()
    def nothing_outside_noticed(self) -> None:
        """Nobody looked at the victim or opened a FIFO or device; nothing new lies beside."""
        self.noticed += self.watch.seen()
        assert self.noticed == []
        beside = {path.name for path in self.folder.iterdir()
                  if not path.name.startswith("results-")}
        assert beside <= {"root", "victim", "own.ks", "test.ks"}

    def teardown(self) -> None:
        """At the end the victim is as it was, and nothing in the tree is the host's."""
        try:
            if not self.noticed:
                assert seen(self.victim) == self.before
                assert secrets_in(self.tree.root) == []
        finally:
            self.watch.close()
            remove_tree(self.folder)
        assert not self.folder.exists()


def _copied(source: str, target: str) -> None:
    if Path(source).is_fifo():
        os.mkfifo(target)
    else:
        shutil.copy2(source, target)


def run(machine: type[Scripts], ground: Ground, examples: int, *phases: Phase) -> None:
    """Try a number of examples, the same ones each time."""
    machine.ground = ground
    run_state_machine_as_test(machine, settings=settings(
        max_examples=examples, stateful_step_count=8, deadline=None, derandomize=True,
        database=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
        phases=phases or (Phase.generate, Phase.shrink)))


@pytest.mark.timeout(600)
def test_nothing_a_script_makes_leads_a_step_out(ground: Ground) -> None:
    run(Scripts, ground, 500)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_nothing_leads_a_step_out_in_ten_times_as_many_trees(ground: Ground) -> None:
    run(Scripts, ground, 5000)


def reads(path: Path) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


def writes(path: Path) -> None:
    if path.is_file():
        with path.open("ab") as stream:
            stream.write(b"x")


def makes(path: Path) -> None:
    path.with_name("made").touch()


def removes(path: Path) -> None:
    path.unlink()


def changes(path: Path) -> None:
    path.chmod(0o600)


def waits(path: Path) -> None:
    if path.is_fifo():
        path.read_bytes()


def litters(path: Path) -> None:
    if path.name == "motd":
        (path.parents[2] / "litter").touch()


def fails(path: Path) -> None:
    if path.is_symlink():
        raise ValueError("no error of ours")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("bad", "said"), [
    (reads, "opened: "), (writes, "opened: "), (makes, "made: "), (removes, "removed: "),
    (changes, "attributes: "), (waits, "waited for more"), (litters, "litter"),
    (fails, "no error of ours")])
def test_a_step_that_does_so_is_found(
    ground: Ground, bad: Callable[[Path], None], said: str,
) -> None:
    class Planted(Scripts):
        time_s = 1

        @rule()
        def planted(self) -> None:
            def all_places(_: Path) -> None:
                for place in PLACES:
                    path = self.tree.root / place.lstrip("/")
                    with suppress(OSError, RuntimeError):
                        # The tree has links to the host's /dev/null; the test is root.
                        if self.folder in path.resolve().parents:
                            bad(path)
            self.act(all_places)

    with pytest.raises((AssertionError, ValueError)) as caught:
        run(Planted, ground, 500, Phase.generate)
    assert said in f"{caught.value}{getattr(caught.value, '__notes__', '')}"
