"""A kickstart as one file, for an installer that gets nothing else."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping

from host.errors import InputError

_DEPTH = 40
_OF_PRE = "/tmp/"  # noqa: S108 – where scripts in %pre write what is included later


def flat(texts: Mapping[str, str], parts: Mapping[tuple[str, str], str] | None = None) -> str:
    """Return the first of the texts with its parts in the place of %include and %ksappend.

    texts: by file name, as messages give it. parts: what each %include came to, by the including
    file and the word; None: they are looked for by their names. Parts that a script in %pre writes
    on the machine that is installed keep their %include line: they will be others there.
    Raises InputError when a part is missing or includes itself.
    """
    main = next(iter(texts))
    return "".join(_lines(main, texts, parts, ()))


def _lines(
    name: str, texts: Mapping[str, str], parts: Mapping[tuple[str, str], str] | None,
    above: tuple[str, ...],
) -> Iterator[str]:
    if name in above or len(above) > _DEPTH:
        raise InputError(f"{name} includes itself", where=" → ".join(above))
    for line in texts[name].splitlines():
        part = _included(line)
        found = None
        if part is not None and parts is not None:
            found = parts.get((name, part))
        elif part is not None and not part.startswith(_OF_PRE):
            found = _found(part, name, texts)
        if found is None:
            yield f"{line}\n"
        else:
            yield from _lines(found, texts, parts, (*above, name))


def _included(line: str) -> str | None:
    if line.split()[:1] not in (["%include"], ["%ksappend"]):
        return None
    words = shlex.split(line, comments=True)
    return words[1] if len(words) > 1 else None


def _found(part: str, including: str, texts: Mapping[str, str]) -> str:
    beside = os.path.normpath(os.path.join(os.path.dirname(including), part))  # noqa: PTH118, PTH120
    for candidate in (part, beside, f"{including.rpartition('/')[0]}/{part}"):
        if candidate in texts:
            return candidate
    raise InputError(f"the kickstart's part {part} is missing", where=including)
