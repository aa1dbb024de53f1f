"""The registry of kickstart commands: what each means for an image, or why it means nothing.

A module of builder/kickstart/commands/ registers what it handles when it is imported; a new
family of commands is one new file there. Names are those of commands (`part`), of sections
(`%post`) and of add-ons (`%addon com_redhat_kdump`). An option that is not named in its command's
entry has the command's own status; options are spelled as in the kickstart (`--noformat`), a bare
word as the parser names it (`<mntpoint>`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from builder.kickstart.model import Addon, Command, Kickstart
from builder.kickstart.options import Spellings, recognise, section_options, used
from builder.kickstart.secret_words import shown_name
from builder.kickstart.unheeded import unheeded
from builder.tree.tree import Tree
from host.discovery import modules_in
from host.errors import InputError, ProgramError

Handler = Callable[[Command, Tree], None]
AddonHandler = Callable[[Addon, Tree], None]
Reasons = Mapping[str, str]

_LAST = ("group", "user", "rootpw", "sshkey")
"""Anaconda makes groups and users after everything else, in this order (pyanaconda/installation.py,
users.py), so `sshkey` may stand before the `user` that it is for."""


@dataclass(frozen=True)
class Status:
    """What becomes of a command or option.

    reason: of what is meaningless or refused, one clause without a final stop; of what is
    honoured, the step that reads it.
    """

    kind: Literal["honoured", "meaningless", "refused"]
    reason: str


@dataclass(frozen=True)
class Handling:
    """How a command or section is handled: its own status, and that of options where it differs."""

    status: Status
    options: dict[str, Status] = field(default_factory=dict)
    handler: Handler | None = None
    addon_handler: AddonHandler | None = None

    def of(self, spellings: Spellings) -> Status:
        """Return the status of one option, given by all its spellings."""
        return next((self.options[s] for s in spellings if s in self.options), self.status)


@dataclass(frozen=True)
class Verdict:
    """What becomes of one line, or of one option on it; name: as it is registered."""

    name: str
    status: Status
    where: str


_handlings: dict[str, Handling] = {}
_finishing: list[Callable[[Kickstart, Tree], None]] = []


def honours(
    *names: str, meaningless: Reasons | None = None, refused: Reasons | None = None,
) -> Callable[[Handler], Handler]:
    """Register a function that turns one command into changes of the tree."""
    def register(handler: Handler) -> Handler:
        for name in names:
            _add(name, Handling(Status("honoured", "settings"),
                             _options(meaningless, refused), handler))
        return handler
    return register


def honours_addon(
    name: str, *options: str, meaningless: Reasons | None = None, refused: Reasons | None = None,
) -> Callable[[AddonHandler], AddonHandler]:
    """Register a function that turns one %addon into changes of the tree.

    options: those that it honours; pykickstart knows no add-on's options, so any other is refused.
    """
    def register(handler: AddonHandler) -> AddonHandler:
        own = {option: Status("honoured", "settings") for option in options}
        _add(f"%addon {name}", Handling(Status("honoured", "settings"),
                                     own | _options(meaningless, refused), addon_handler=handler))
        return handler
    return register


def after_all(function: Callable[[Kickstart, Tree], None]) -> Callable[[Kickstart, Tree], None]:
    """Register a function for what Anaconda does whether or not a command asks for it."""
    _finishing.append(function)
    return function


def honoured_by(
    step: str, *names: str, meaningless: Reasons | None = None, refused: Reasons | None = None,
) -> None:
    """Register what another step reads, such as the disk's layout."""
    for name in names:
        _add(name, Handling(Status("honoured", step), _options(meaningless, refused)))


def meaningless(reason: str, *names: str) -> None:
    """Register what steers an installer and leaves no trace in what it installs."""
    for name in names:
        _add(name, Handling(Status("meaningless", reason)))


def refused(reason: str, *names: str) -> None:
    """Register what an image build can't or won't do."""
    for name in names:
        _add(name, Handling(Status("refused", reason)))


def _add(name: str, new: Handling) -> None:
    if name in _handlings:
        raise ValueError(f"{name} is registered twice")
    _handlings[name] = new


def _options(without_meaning: Reasons | None, turned_down: Reasons | None) -> dict[str, Status]:
    return {
        **{name: Status("meaningless", reason) for name, reason in (without_meaning or {}).items()},
        **{name: Status("refused", reason) for name, reason in (turned_down or {}).items()},
    }


def handling(name: str) -> Handling | None:
    """Return what is registered for a command, section or add-on."""
    _load()
    return _handlings.get(name)


def names() -> list[str]:
    """Return every registered name."""
    _load()
    return sorted(_handlings)


STRAY = "it is an assignment and no command; Anaconda refuses such a line"


def verdicts(kickstart: Kickstart) -> Iterator[Verdict]:
    """Yield what becomes of each command, section and add-on, and of options that differ."""
    for command in kickstart.commands:
        if command.is_stray:
            yield Verdict(shown_name(command.name), Status("meaningless", STRAY), command.where)
        else:
            yield from _judge(command.name, used(command), command.where)
    for section in kickstart.sections:
        if section.name == "%addon":
            words = [(word.partition("=")[0],) for word in section.words if word.startswith("--")]
            yield from _judge(" ".join(["%addon", *section.words[:1]]), words, section.where)
        else:
            found = handling(section.name)
            known = section_options(section.name) if found and found.options else ()
            yield from _judge(section.name, recognise(section.words, known), section.where)


def _judge(name: str, options: Iterable[Spellings], where: str) -> Iterator[Verdict]:
    found = handling(name)
    if found is None:
        yield Verdict(name, Status("refused", "the builder does not know it"), where)
        return
    yield Verdict(name, found.status, where)
    if found.status.kind != "honoured":
        return
    for spellings in options:
        status = found.of(spellings)
        if name.startswith("%addon") and spellings[0] not in found.options:
            status = Status("refused", "the builder does not know this option of the add-on")
        if status != found.status:
            yield Verdict(f"{name} {spellings[0]}", status, where)


def check(kickstart: Kickstart) -> None:
    """Refuse what nothing here honours: no line of a kickstart is ignored in silence.

    Raises InputError for the first such command, option or section, with file and line.
    """
    for verdict in verdicts(kickstart):
        if verdict.status.kind == "refused":
            raise InputError(
                f"'{verdict.name}' is not honoured", where=verdict.where,
                why=verdict.status.reason, remedy="remove it, or do in %post what it says",
            )


def apply(kickstart: Kickstart, tree: Tree) -> None:
    """Turn every command and add-on into changes of the tree, as Anaconda does: in the order of
    the file, accounts after all else, then what it does unasked, add-ons
    last. What it leaves out is left out (builder/kickstart/unheeded.py).

    Raises InputError, with file and line, for what the tree can't fulfil.
    """
    _load()
    rank = {name: number for number, name in enumerate(_LAST, start=1)}
    left_out = [command for command, _ in unheeded(kickstart)]
    heeded = [each for each in kickstart.commands if not any(each is one for one in left_out)]
    for command in sorted(heeded, key=lambda each: rank.get(each.name, 0)):
        if (found := handling(command.name)) and found.handler:
            try:
                found.handler(command, tree)
            except ProgramError as error:
                raise InputError(f"'{command.name}' can't be done: {error.what}",
                                 where=command.where, why=error.why) from error
    for function in _finishing:
        function(kickstart, tree)
    for addon in kickstart.addons:
        if (found := handling(f"%addon {addon.name}")) and found.addon_handler:
            found.addon_handler(addon, tree)


@cache
def _load() -> None:
    modules_in("builder.kickstart.commands")
