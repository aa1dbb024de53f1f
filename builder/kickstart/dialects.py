"""Versions of the kickstart language: the release's own first, then those that know the line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pykickstart.constants import (
    KS_BROKEN_IGNORE,
    KS_BROKEN_REPORT,
    KS_MISSING_IGNORE,
    KS_MISSING_PROMPT,
)
from pykickstart.errors import KickstartError, KickstartParseError
from pykickstart.sections import PackageSection
from pykickstart.version import makeVersion, stringToVersion

from builder.kickstart.model import is_assignment

# Tried in this order when the release's own dialect refuses a word that it does not know: the
# newer Enterprise Linux first, because that is what its kickstarts were written for.
OTHERS = ("RHEL10", "RHEL9", "RHEL8", "RHEL7", "F41", "F40", "F34", "F28", "RHEL6", "F20")

# What pykickstart says of a command, option or value that this version of the language lacks; any
# other message (a conflict, a missing value) is about the line itself and no version's matter.
_UNKNOWN = re.compile(
    r"Unknown command|has been removed|unrecognized arguments|Unexpected arguments|"
    r"no such option|not supported", re.IGNORECASE,
)


class Dialects:
    """pykickstart's handlers of several versions; `main` is the release's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.main = makeVersion(name)
        self._others: dict[str, Any] = {}

    def dispatch(self, line: str, words: list[str], lineno: int) -> tuple[Any, str]:
        """Return pykickstart's data of a command line and the dialect that took it.

        A dialect in which the command is deprecated takes the line and makes nothing of it (data
        None); one in which it still means something comes first.
        An assignment is no command and is given back without data; whoever shows what becomes of
        the file says so. Raises KickstartError as the release's own dialect words it when none
        takes the line.
        """
        data, refusal = None, None
        try:
            data = self._take(self.main, line, words, lineno)
        except KickstartError as error:
            if not _UNKNOWN.search(str(error.message)):
                raise
            refusal = error
        if data is not None:
            return data, self.name
        without_meaning = [] if refusal else [self.name]
        for name in self._after():
            try:
                data = self._take(self._handler(name), line, words, lineno)
            except (KickstartError, ValueError, TypeError, AttributeError):
                continue
            if data is not None:
                return data, name
            without_meaning.append(name)
        if without_meaning:
            return None, without_meaning[0]
        assert refusal is not None
        if is_assignment(words[0]):
            return None, self.name
        raise refusal

    @staticmethod
    def _take(handler: Any, line: str, words: list[str], lineno: int) -> Any:
        handler.currentLine = line
        return handler.dispatcher(words, lineno)

    def packages_header(self, words: Sequence[str], lineno: int) -> tuple[dict[str, Any], str]:
        """Return the options of a %packages header and the dialects that took them.

        Each option is read by itself, so that old and new spellings may stand side by side.
        """
        options: dict[str, Any] = {}
        used: list[str] = []
        for option in _split_options(words):
            found, name = self._packages_option(option, lineno)
            options |= found
            if name not in used:
                used.append(name)
        if options.get("defaultPackages") and (options.get("nocore") or options.get("nobase")):
            raise KickstartParseError("--default cannot be used with --nocore or --nobase",
                                      lineno=lineno, formatting=False)
        foreign = [name for name in used if name != self.name]
        return options, foreign[0] if foreign else self.name

    def _packages_option(self, option: list[str], lineno: int) -> tuple[dict[str, Any], str]:
        refusal: KickstartError | None = None
        for name in (self.name, *self._after()):
            section = PackageSection(self.main)
            section.version = stringToVersion(name)
            parser = section._getParser()
            try:
                found = vars(parser.parse_args(args=option, lineno=lineno))
                plain = vars(parser.parse_args(args=[], lineno=lineno))
            except KickstartError as error:
                refusal = refusal or error
                if not _UNKNOWN.search(str(error.message)):
                    break
                continue
            return {key: value for key, value in found.items() if value != plain.get(key)}, name
        assert refusal is not None
        raise refusal

    def _after(self) -> list[str]:
        return [name for name in OTHERS if name != self.name]

    def _handler(self, name: str) -> Any:
        if name not in self._others:
            self._others[name] = makeVersion(name)
        return self._others[name]


def apply_header(packages: Any, options: dict[str, Any]) -> None:
    """Set what a %packages header says on pykickstart's Packages object."""
    packages.seen = True
    packages.excludeDocs = bool(options.get("excludedocs"))
    packages.handleMissing = (
        KS_MISSING_IGNORE if options.get("ignoremissing") else KS_MISSING_PROMPT)
    packages.handleBroken = KS_BROKEN_IGNORE if options.get("ignorebroken") else KS_BROKEN_REPORT
    packages.addBase = not options.get("nobase")
    packages.nocore = bool(options.get("nocore"))
    packages.multiLib = bool(options.get("multiLib"))
    packages.excludeWeakdeps = bool(options.get("excludeWeakdeps"))
    packages.timeout, packages.retries = options.get("timeout"), options.get("retries")
    if options.get("defaultPackages"):
        packages.default = True
    if options.get("instLangs") is not None:
        packages.instLangs = options["instLangs"]


def _split_options(words: Sequence[str]) -> list[list[str]]:
    """Return the options of a header one by one, each with its value."""
    groups: list[list[str]] = []
    for word in words:
        if word.startswith("-") or not groups:
            groups.append([word])
        else:
            groups[-1].append(word)
    return groups
