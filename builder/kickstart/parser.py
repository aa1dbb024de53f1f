"""pykickstart's parser that remembers where everything stands and can go on behind errors."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from pykickstart.constants import (
    KS_SCRIPT_ONERROR,
    KS_SCRIPT_POST,
    KS_SCRIPT_PRE,
    KS_SCRIPT_PREINSTALL,
    KS_SCRIPT_TRACEBACK,
)
from pykickstart.errors import KickstartError
from pykickstart.parser import STATE_COMMANDS, KickstartParser
from pykickstart.sections import NullSection, PackageSection

from builder.kickstart.dialects import Dialects, apply_header
from builder.kickstart.lines import Lines
from builder.kickstart.model import Addon, Certificate, Command, Kickstart, Script, Section
from builder.kickstart.secret_words import masked
from builder.kickstart.sources import Given, Sources
from host.errors import CcisError, InputError

SCRIPT_KINDS = {
    KS_SCRIPT_PRE: "%pre", KS_SCRIPT_PREINSTALL: "%pre-install", KS_SCRIPT_POST: "%post",
    KS_SCRIPT_ONERROR: "%onerror", KS_SCRIPT_TRACEBACK: "%traceback",
}
# What pykickstart's own code raises on input that it did not think of; shlex says "No closing
# quotation" with a ValueError.
_FOREIGN = (ValueError, IndexError, KeyError, TypeError, AttributeError, AssertionError, OSError)
LONGEST_LINE = 1 << 16  # characters; script lines may be longer


class Parser(KickstartParser):  # type: ignore[misc]  # pykickstart carries no types
    """One reading of a kickstart into `result`.

    problems: None ends the reading at the first error; a list collects errors of single lines.
    commands: False passes over command lines, as Anaconda does when it looks for %pre.
    """

    def __init__(
        self, dialects: Dialects, sources: Sources, path: Given,
        problems: list[CcisError] | None = None, *, commands: bool = True,
    ) -> None:
        self.dialects = dialects
        self.result = Kickstart(path, sources=sources.texts, parts=sources.parts,
                                dialect=dialects.name)
        self.problems = problems
        self.opened = str(path)
        self._commands = commands
        self.lines = Lines(sources, str(path))
        super().__init__(dialects.main)

    def read(self) -> None:
        """Read the whole kickstart; raises CcisError with file and line."""
        try:
            self._stateMachine(self.lines)
        except CcisError:
            raise
        except (KickstartError, *_FOREIGN) as error:
            raise self.explained(error) from error

    def explained(self, error: Exception) -> CcisError:
        """Return an error with the place of what is being read, and a remedy where there is one."""
        if isinstance(error, CcisError):
            return error
        where = self.lines.where
        if not isinstance(error, KickstartError):
            return InputError("cannot be understood", where=where,
                              why=masked(str(error), self._line) or type(error).__name__)
        message = masked(str(error.message or error.value).strip(), self._line)
        first, *rest = [line.strip() for line in message.splitlines() if line.strip()] or [
            "is wrong"]
        if "does not end with %end" in first:
            where = self.opened
        return InputError(first, where=where, why=" ".join(rest) or None,
                          remedy=self._remedy(first))

    def setupSections(self) -> None:  # noqa: N802 – pykickstart's name
        """Take the standard sections and our own readers where these keep no places."""
        super().setupSections()
        for section in (_AddonSection(self), _AnacondaSection(self), _PackagesSection(self)):
            self.registerSection(section)
        for name, section in self._sections.items():
            if name in SCRIPT_KINDS.values():
                _locate_script(section, self)
            elif name == "%certificate":
                _locate_certificate(section, self)
            _note_header(section, self)

    def handleCommand(self, lineno: int, args: list[str]) -> Any:  # noqa: N802
        """Record the command with its place."""
        if not self._commands:
            return None
        data, dialect = self.dialects.dispatch(self._line, args, lineno)
        self.result.commands.append(
            Command(args[0], tuple(args[1:]), data, self.lines.where, dialect))
        return data

    def _isBlankOrComment(self, line: str) -> bool:  # noqa: N802
        """Refuse what no person wrote: shlex takes minutes for a line of megabytes."""
        if self._state == STATE_COMMANDS and len(line) > LONGEST_LINE:
            raise InputError(f"a line of {len(line):,} characters is no line of a kickstart",
                             where=self.lines.where)
        return bool(super()._isBlankOrComment(line))

    def _handleInclude(self, f: str) -> None:  # noqa: N802
        self.lines.include(f)

    def _tryFunc(self, fn: Callable[[], object]) -> None:  # noqa: N802
        if self.problems is None:
            fn()
            return
        try:
            fn()
        except (CcisError, KickstartError, *_FOREIGN) as error:
            self.problems.append(self.explained(error))

    def _remedy(self, message: str) -> str | None:
        if message.startswith("Unknown command"):
            name = message.rpartition(": ")[2]
            near = difflib.get_close_matches(name.partition("=")[0], self.handler.commands, n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            return f"{hint}correct or remove the line: Anaconda refuses it, too"
        if message.startswith("Unknown kickstart section"):
            return "correct its name, or remove the section"
        if "does not end with %end" in message:
            return "add a line %end behind the section"
        return None


def _note_header(section: Any, parser: Parser) -> None:
    """Make a section record its header, whatever comes of it."""
    original = section.handleHeader

    def handle_header(lineno: int, args: list[str]) -> None:
        parser.opened = parser.lines.where
        taken_by = original(lineno, args) or parser.dialects.name
        parser.result.sections.append(
            Section(args[0], tuple(args[1:]), parser.opened, taken_by))

    section.handleHeader = handle_header


def _locate_script(section: Any, parser: Parser) -> None:
    """Make a script section record its script with file and line when it ends."""
    original = section.finalize

    def finalize() -> None:
        before = len(parser.handler.scripts)
        original()
        for script in parser.handler.scripts[before:]:
            parser.result.scripts.append(Script(
                kind=SCRIPT_KINDS[script.type], text=script.script,
                interpreter=script.interp or "/bin/sh", in_chroot=bool(script.inChroot),
                stop_on_error=bool(script.errorOnFail), log=script.logfile, where=parser.opened,
            ))

    section.finalize = finalize


def _locate_certificate(section: Any, parser: Parser) -> None:
    original = section.finalize

    def finalize() -> None:
        before = len(parser.handler.certificates)
        original()
        for found in parser.handler.certificates[before:]:
            parser.result.certificates.append(Certificate(
                found.filename, found.dir, found.type, found.cert, parser.opened))

    section.finalize = finalize


class _PackagesSection(PackageSection):  # type: ignore[misc]
    """%packages with options of any dialect."""

    def __init__(self, parser: Parser) -> None:
        super().__init__(parser.handler)
        self._parser = parser

    def handleHeader(self, lineno: int, args: list[str]) -> str:  # noqa: N802
        self.timesSeen += 1
        options, dialect = self._parser.dialects.packages_header(args[1:], lineno)
        apply_header(self.handler.packages, options)
        return dialect

    def handleLine(self, line: str) -> None:  # noqa: N802
        self._parser._tryFunc(lambda: super(_PackagesSection, self).handleLine(line))


class _AddonSection(NullSection):  # type: ignore[misc]
    """Keeps an add-on's header and lines; what they mean is the add-on's own affair."""

    allLines = True  # noqa: N815

    def __init__(self, parser: Parser) -> None:
        super().__init__(parser.handler, sectionOpen="%addon")
        self._parser = parser
        self._words: list[str] = []
        self._lines: list[str] = []

    def handleHeader(self, lineno: int, args: list[str]) -> None:  # noqa: N802
        self._words, self._lines = args[1:], []
        if len(args) < 2:
            raise KickstartError("%addon needs a name", lineno=lineno, formatting=False)

    def handleLine(self, line: str) -> None:  # noqa: N802
        self._lines.append(line.rstrip("\n"))

    def finalize(self) -> None:
        if self._words:
            self._parser.result.addons.append(Addon(
                self._words[0], tuple(self._words[1:]), tuple(self._lines), self._parser.opened))


class _AnacondaSection(NullSection):  # type: ignore[misc]
    """%anaconda sets up the installer's own screens; only that it is there is kept."""

    def __init__(self, parser: Parser) -> None:
        super().__init__(parser.handler, sectionOpen="%anaconda")

    def handleHeader(self, lineno: int, args: list[str]) -> None:  # noqa: N802
        """Take any words."""
