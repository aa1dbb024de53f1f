"""What the tests of the sandbox share: a small tree, an installer, victims, scripts that attack."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder import planner
from builder.disk.layout import Layout, PartitionRequest, plan_layout
from builder.kickstart.read import read
from builder.sandbox.sandbox import Sandbox
from builder.scripting.scripts import Setting, run_post, run_pre_install
from builder.steps import pre
from builder.store.store import Store
from builder.tree.tree import Tree
from images.bounds import DEFAULTS, Bounds

MIB = 1 << 20


def small_tree(root: Path) -> Sandbox:
    """Make a tree that runs the host's programs, and return its sandbox."""
    for folder in ("usr", "dev", "proc", "sys", "run", "etc", "root", "mnt", "var", "boot"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    return Sandbox(root, 1, binds={"/usr": Path("/usr")})


@dataclass(frozen=True)
class Place:
    """Where a test's scripts run, with a victim of the host's beside it."""

    folder: Path
    tree: Tree
    victim: Path

    def post(self, text: str, bounds: Bounds = DEFAULTS) -> None:
        """Run a kickstart's %post scripts in the tree."""
        run_post(self.tree, self._setting(text, bounds))

    def pre_install(self, text: str) -> Path:
        """Run %pre-install scripts with an empty tree and return that."""
        root = self.folder / "empty"
        root.mkdir()
        run_pre_install(root, self._setting(text, DEFAULTS))
        return root

    def _setting(self, text: str, bounds: Bounds) -> Setting:
        file = self.folder / "test.ks"
        file.write_text(text)
        number = len(list(self.folder.glob("scratch*")))
        scratch, results = self.folder / f"scratch{number}", self.folder / f"results{number}"
        scratch.mkdir()
        results.mkdir()
        kickstart = read(file, "RHEL10")
        return Setting(kickstart.scripts_of("%post", "%pre-install"),
                       kickstart.scripts_of("%onerror"), a_layout(), None, "", scratch, results,
                       bounds=bounds)


    def is_untouched(self) -> bool:
        """Say whether the victim is what it was when it was made."""
        return {path.name: path.read_text() for path in self.victim.iterdir()} == {"file": "host"}


def run_pre(file: Path, store: Path, bounds: Bounds = DEFAULTS) -> pre.Result:
    """Run a kickstart's %pre scripts with a disk of 8 MiB, in a store of their own."""
    scripts = read(file, "RHEL10").scripts_of("%pre")
    return planner.run_pre(
        pre.Inputs(epoch=1, scripts=tuple(scripts), disk_size_bytes=8 << 20, arguments="",
                   bounds=bounds), Store(store, 1 << 30))


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    """Make a tree in a folder, and a victim elsewhere: below /tmp, links of the tree's own /tmp
    would lead to it."""
    root = folder / "tree"
    root.mkdir()
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="ccis-victim-") as name:
        victim = Path(name)
        (victim / "file").write_text("host")
        (victim / "file").chmod(0o644)
        yield Place(folder, Tree(root, small_tree(root)), victim)


def a_layout() -> Layout:
    """Return the layout of a small disk."""
    def part(mountpoint: str, **more: object) -> PartitionRequest:
        return PartitionRequest(mountpoint=mountpoint, where="t.ks:1", **more)  # type: ignore[arg-type]

    return plan_layout(
        [part("biosboot", size_mib=1, fstype="biosboot"),
         part("/", size_mib=200, fstype="ext4", grow=True)], 1 << 30, "gpt", "seed")
