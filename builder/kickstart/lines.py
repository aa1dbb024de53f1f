"""A kickstart read line by line, with the lines of its parts in their places."""

from __future__ import annotations

from dataclasses import dataclass

from builder.kickstart.sources import Sources
from host.errors import InputError

TOTAL_LIMIT_BYTES = 32 << 20
INCLUDES_MAX = 500
"""So many parts, counted each time that one is named: two that name one twice each double."""
_DEPTH = 40


@dataclass
class _Frame:
    name: str
    lines: list[str]
    position: int = 0


class Lines:
    """The lines of a kickstart with those of its parts in their places, as pykickstart reads them.

    It knows file and line of what was read last; `%ksappend` is followed here, as text, wherever
    it stands (pykickstart's own preprocessKickstart does it before it parses).
    """

    def __init__(self, sources: Sources, name: str) -> None:
        self._sources = sources
        self._frames = [_Frame(name, sources.lines(name))]
        self._includes = 0
        self.read_bytes = len(sources.texts[name])
        self._ended = False
        self.unread: list[tuple[str, str]] = []

    @property
    def where(self) -> str:
        """File and line of what was read last."""
        frame = self._frames[-1]
        return f"{frame.name}:{max(1, frame.position)}"

    @property
    def place(self) -> tuple[str, int]:
        """The same as a pair."""
        return self._frames[-1].name, max(1, self._frames[-1].position)

    def include(self, name: str) -> None:
        """Go on with another file. One that is not there is noted in `unread`.

        Raises InputError for a file that includes itself and for too many or too long ones.
        """
        where = self.where
        self._includes += 1
        if self._includes > INCLUDES_MAX:
            raise InputError("too many files are included", where=where,
                             why=f"more than {INCLUDES_MAX}, each counted as often as it is named")
        loaded = self._sources.load(name, self._frames[-1].name, where)
        if loaded is None:
            self.unread.append((where, name))
            return
        if any(frame.name == loaded for frame in self._frames):
            raise InputError(f"{loaded} includes itself", where=where)
        if len(self._frames) > _DEPTH:
            raise InputError("too many files include each other", where=where,
                             why=f"{_DEPTH} levels")
        self.read_bytes += len(self._sources.texts[loaded])
        if self.read_bytes > TOTAL_LIMIT_BYTES:
            raise InputError("the kickstart's parts are too large", where=where,
                             why=f"together more than {TOTAL_LIMIT_BYTES >> 20} MiB")
        self._frames.append(_Frame(loaded, self._sources.lines(loaded)))

    def put(self, _line: str) -> None:
        """Take the last line back (pykickstart's PutBackIterator)."""
        self._frames[-1].position -= 1

    def __iter__(self) -> Lines:
        """Return the iterator itself."""
        return self

    def __next__(self) -> str:
        """Return the next line; an empty one marks the end, as in pykickstart's own reader."""
        while True:
            frame = self._frames[-1]
            if frame.position < len(frame.lines):
                frame.position += 1
                line = frame.lines[frame.position - 1]
                if line.split()[:1] == ["%ksappend"]:
                    self._append(line)
                    continue
                return line
            if len(self._frames) > 1:
                self._frames.pop()
            elif not self._ended:
                self._ended = True
                return ""
            else:
                raise StopIteration

    def _append(self, line: str) -> None:
        words = line.split()
        if len(words) < 2:
            raise InputError("%ksappend needs a file or URL", where=self.where)
        self.include(words[1])
