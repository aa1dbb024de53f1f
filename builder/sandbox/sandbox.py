"""Runs programs inside a root tree: own mounts, processes, host name and network, no host in sight.

bubblewrap makes the namespaces; its --die-with-parent ends everything inside when a build is
killed. What else encloses the programs is listed in enclosure.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.sandbox.enclosure import Enclosure, Use, enclosure
from builder.sandbox.places import Places
from host.beneath.root import Root
from host.run import Completed, log
from host.terminal import Terminal, open_terminal
from images.bounds import DEFAULTS, Bounds

# Documentation/admin-guide/devices.txt: consoles, the first serial ports, the hypervisor's console.
TERMINALS = ("/dev/tty", "/dev/console", *(f"/dev/tty{number}" for number in range(64)),
             *(f"/dev/ttyS{number}" for number in range(4)), "/dev/hvc0")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""What Python compiles by itself while a build runs its programs belongs to no package, and is not
the same each time (https://github.com/python/cpython/issues/78274). `python3 -m compileall` does
as ever."""


@dataclass(frozen=True)
class Sandbox:
    """A root tree in which programs may run.

    root: the tree, seen at /. binds: host files or folders shown inside, read-only.
    writable: the same, to be written. devices: block devices by their names inside.
    links: symbolic links made in the sandbox's own folders, such as /dev/disk/by-uuid/….
    programs: texts of scripts that are shown inside. files: texts of files in the kernel's own
    folders. Both by their paths inside.
    epoch: SOURCE_DATE_EPOCH for what honours it, so that reruns give the same bytes.
    path: folders of programs that are looked at first.
    kept_run: /run is the tree's own folder, which is kept, instead of an empty one.
    environment: variables for every program.
    guests: folders inside that are root trees, too, and get the kernel's folders.
    terminals: programs find TERMINALS: nobody types there, what is printed is output.
    largest_file_bytes: no file may grow beyond it (setrlimit(2), RLIMIT_FSIZE).
    bounds: what each program may use. counted: the folders in which what it writes lands, if that
    is not the tree itself, but the upper layer of a view.
    """

    root: Path
    epoch: int
    binds: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    writable: Mapping[str, Path] = field(default_factory=dict)
    devices: Mapping[str, Path] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    path: str | None = None
    kept_run: bool = False
    guests: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    terminals: bool = False
    largest_file_bytes: int | None = None
    bounds: Bounds = DEFAULTS
    counted: Sequence[Path] = ()

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: Callable[[str], None] | None = None,
        check: bool = True,
        who: str | None = None,
        merged: bool = False,
    ) -> Completed:
        """Run one program of the tree; parameters are those of host.run.run.

        timeout_s: None means that of the bounds. who: what it is called in messages.
        Raises ProgramError; InputError for a place in the tree where nothing can be mounted, and
        for a bound that the program broke (HostError for the time and a full disk).
        """
        settings = {
            "PATH": f"{self.path}:{_PATH}" if self.path else _PATH, "HOME": "/root",
            "TERM": "dumb", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": str(self.epoch), **NO_BYTECODE, **self.environment, **(env or {}),
        }
        kernel_of = self.writable[self.guests[0]] if self.guests else self.root
        with self._terminal() as terminal, enclosure(self.root, kernel_of) as made:
            use = Use(who or str(argv[0]), bounds=self.bounds, counted=self.counted or (self.root,),
                      time_s=timeout_s, largest_file_bytes=self.largest_file_bytes, stdin=stdin,
                      on_line=on_line, check=check, merged=merged, terminal=terminal)
            self._furnish(made)
            for name in TERMINALS if self.terminals else ():
                for base in ("", *self.guests):
                    made.show_device(base + name,
                                     terminal.device if terminal else Path("/dev/null"))
            return made.run(argv, settings, use, network=self.network)

    @contextmanager
    def _terminal(self) -> Iterator[Terminal | None]:
        """Yield a terminal, None when none is wanted, or when this host has none to give."""
        with ExitStack() as stack:
            terminal = None
            if self.terminals:
                try:
                    terminal = stack.enter_context(open_terminal())
                except OSError as error:
                    log.warning("scripts find /dev/null in the place of terminals: %s", error)
            yield terminal

    def _furnish(self, made: Enclosure) -> None:
        made.kernel_folders("/", kept_run=self.kept_run, texts=self.files)
        for inside, outside in self.binds.items():
            made.show(inside, outside)
        for inside, text in self.programs.items():
            made.show_program(inside, text)
        for inside, outside in self.writable.items():
            made.show(inside, outside, writable=True)
        for inside, outside in self.devices.items():
            made.show_device(inside, outside)
        for guest in self.guests:
            made.kernel_folders(guest, texts=self.files)
            made.add("--remount-ro", f"{guest}/sys")
        for link, target in self.links.items():
            made.add("--symlink", target, link)
        made.add("--remount-ro", "/sys")
        if self.network:
            made.show("/etc/resolv.conf", Path("/etc/resolv.conf"))

    def place(self, inside: str) -> tuple[Root, str] | None:
        """Return the tree in which a path of the programs inside lies, and the path in that tree.

        None: it is in the kernel's folders, or in one of the host's, where nothing is kept.
        Raises InputError for a path through something that is no folder, or a loop of links.
        """
        found = Places(self.root)
        for base in ("", *self.guests):
            if base:
                found.note(base, self.writable[base])
            for name in ("dev", "proc", "sys", *(() if self.kept_run and not base else ("run",))):
                found.note(f"{base}/{name}", None)
        for folder, outside in self.binds.items():
            if outside.is_dir():
                found.note(folder, None)
        return found.locate(inside)

    @property
    def trees(self) -> list[Path]:
        """The trees that programs inside can change."""
        return [self.root, *dict.fromkeys(self.writable[guest] for guest in self.guests)]

    def has(self, program: str) -> bool:
        """Say whether the tree has a program, given by its path from the root."""
        root = Root(self.root)
        return root.is_link(program) or root.is_file(program)
