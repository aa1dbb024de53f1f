"""Which words of a kickstart are passwords, passphrases and tokens: nobody's to see, or to guess.

The commands' own are known (pykickstart). What a script or an add-on says is text like any other;
whether it looks like a secret can only be guessed at (`looks_secret`), and the guess errs towards
yes: all that follows from it is a digest with a key.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from builder.kickstart.model import Command, Kickstart
from host.urls import MASK, scrub, shown

_OPTIONS = ("--password", "--passphrase", "--wpakey", "--wepkey", "--activation-key", "--md5pass",
            "--one-time-password", "--reverse-password", "--secret", "--token", "--hw-passphrase")
_ADDRESSES = ("--url", "--baseurl", "--mirrorlist", "--metalink", "--proxy")
_PREFIX_MIN = 5  # "--pas": optparse and argparse take any beginning that is unique
_LIKE = re.compile(r"pas+w|passphrase|secret|token|pwd")
"""A misspelt option is still followed by a password. `--backuppassphrase` is a flag."""
_NOBODYS = {"locked", "*", "!", "!!", "x", "nope", "none", "disabled",
            "thereisnopasswordanditslocked"}
"""What public kickstarts give --iscrypted for an account without a password."""
_BARE = {"rootpw": (), "sshpw": ("--username",)}
"""Commands whose bare word is a password, with those of their options that take a word."""
_HASH = re.compile(r"\$[0-9a-zA-Z.]+\$|grub\.pbkdf2\.")
_LOOKS = re.compile(
    r"chpasswd|passwd\b[^;&|\n]*--stdin|(?<!no)passw(?:or)?d\s*[=:]|passphrase|secret|token|"
    r"api[-_]?key|access[-_]?key|private key|\bbearer\s|credential|user(?:mod|add)\b[^;&|\n]*\s"
    r"(?:-p|--password)\b|openssl\s+passwd|://[^\s/\"'<>]*@|identified\s+by|"
    # Of variables, programs that take one, and tokens that are known by their beginning.
    r"\b\w*(?:pass|pw|psk)\s*=|private_?key|--passw|htpasswd|sshpass|\bcurl\b[^\n]*\s(?:-u|--user)|"
    r"\|\s*passwd\b|cryptsetup|\bmysql\b[^\n]*\s-p\S|ipa-client|"
    r"\$(?:1|2[aby]|5|6|y)\$|\bgh[pousr]_\w|\bAKIA\w", re.IGNORECASE)


# What a person or a program that reads a script can use at once; of hashes and variables nothing.
_PLAIN = re.compile(
    r"chpasswd\b(?!.*(?:-e\b|--encrypted))|passwd\b[^;&|]*--stdin|openssl\s+passwd|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^\s/:\"'<>]+:[^\s/\"'<>]+@|"
    r"(?:(?<!no)passw(?:or)?d|passphrase|secret|token|api_?key|access_?key)\w*\s*=\s*[\"']?[^\s$\"'(*!]",
    re.IGNORECASE)


def masked_words(name: str, words: Sequence[str]) -> list[str]:
    """Return a line's words as they may be shown: secrets masked, URLs without their user."""
    secrets = dict(_secret_places(name, words))
    return [f"{secrets[number]}{MASK}" if number in secrets
            else _shown_word(word, words[number - 1] if number else "")
            for number, word in enumerate(words)]


def masked(text: str, line: str) -> str:
    """Return what a parser says of a line, without the secrets of that line."""
    try:
        name, *words = shlex.split(line, comments=True)
    except ValueError:
        name, *words = line.split() or [""]
    for number, start in _secret_places(name, words):
        value = words[number][len(start):]
        text = text.replace(value, MASK) if value else text
    return scrub(text.replace(name, shown_name(name)))


def shown_name(name: str) -> str:
    """Return the first word of a line, which may be an assignment: `rootpw=…`."""
    found = re.match(r"\w*(?:pass|pw|secret|token|key)\w*=", name, re.IGNORECASE)
    return f"{found[0]}{MASK}" if found else name


def has_secret(command: Command) -> bool:
    """Say whether a line holds a password, plain or hashed, a passphrase, or a URL with a user."""
    return (masked_words(command.name, command.words) != list(command.words)
            or shown_name(command.name) != command.name
            or any(looks_secret(word) for word in command.words))


def looks_secret(text: str) -> bool:
    """Say whether a text looks like one with a secret in it; see the module."""
    return bool(_LOOKS.search(text))


@dataclass(frozen=True)
class Plain:
    """A secret that whoever reads the kickstart can use at once. name: the command or section.

    kind: password, passphrase, url or script; what: the same in words.
    """

    name: str
    kind: str
    what: str
    where: str


def plain_secrets(kickstart: Kickstart) -> Iterator[Plain]:
    """Yield each of a kickstart's plain secrets, once for each line and kind.

    Hashes are none, URLs with a password and lines of scripts that set one are.
    """
    for command in kickstart.commands:
        for kind, what in dict.fromkeys(_plain(command)):
            yield Plain(command.name, kind, what, command.where)
    for script in kickstart.scripts:
        file, _, header = script.where.rpartition(":")
        for number, line in enumerate(script.text.splitlines(), start=1):
            if not line.lstrip().startswith("#") and _PLAIN.search(line):
                place = f"{file}:{int(header) + number}" if header.isdigit() else script.where
                yield Plain(script.kind, "script", "what looks like a secret", place)
    for addon in kickstart.addons:
        if _PLAIN.search("\n".join((*addon.words, *addon.lines))):
            yield Plain("%addon", "script", "what looks like a secret", addon.where)


def redacted(kickstart: Kickstart) -> str:
    """Return the text of all files, with masked words where a command has a secret."""
    texts = {name: text.split("\n") for name, text in kickstart.sources.items()}
    for command in kickstart.commands:
        words = masked_words(command.name, command.words)
        file, _, line = command.where.rpartition(":")
        shown_line = [shown_name(command.name), *words]
        if shown_line != [command.name, *command.words] and file in texts and line.isdigit():
            texts[file][int(line) - 1] = " ".join(shown_line)
    return "".join("\n".join(lines) for _, lines in sorted(texts.items()))


def _plain(command: Command) -> Iterator[tuple[str, str]]:
    secrets = dict(_secret_places(command.name, command.words))
    hashed = command.name in ("rootpw", "user", "sshpw", "bootloader") and (
        "--iscrypted" in command.words or bool(getattr(command.data, "isCrypted", False)))
    for number, start in secrets.items():
        value = command.words[number][len(start):]
        if not value or hashed or _HASH.match(value):
            continue
        option = start or (command.words[number - 1] if number else "")
        if option.startswith("--passp"):
            yield "passphrase", "the passphrase of the disk"
        else:
            yield "password", "the password"
    pairs = zip(command.words, masked_words(command.name, command.words), strict=True)
    if any(word != kept and number not in secrets for number, (word, kept) in enumerate(pairs)):
        yield "url", "the password in the URL"


def _secret_places(name: str, words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the number of each word that holds a secret, and what of it is none, `--password=`."""
    takes: str | None = None
    nobodys = _NOBODYS if "--iscrypted" in words else {""}
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if word.startswith("--"):
            takes = None
            if _is_secret(option):
                if equals and value not in nobodys:
                    yield number, f"{option}="
                takes = None if equals else "secret"
            elif not equals and option in _BARE.get(name, ()):
                takes = "word"
        elif takes is None and name not in _BARE:
            continue
        else:
            if takes != "word" and word not in nobodys:
                yield number, ""
            takes = None


def _is_secret(option: str) -> bool:
    if option == "--backuppassphrase":
        return False
    return bool(_LIKE.search(option)) or (
        len(option) >= _PREFIX_MIN and any(known.startswith(option) for known in _OPTIONS))


def _shown_word(word: str, before: str) -> str:
    """Return a word with its URLs as they may be shown; an address may do without a scheme."""
    option, equals, value = word.partition("=")
    if equals and option in _ADDRESSES:
        return f"{option}={shown(value)}"
    return shown(word) if before in _ADDRESSES else scrub(word)
