"""Scriptlets of packages that failed: an image with a half-installed package is none.

Anaconda ends the installation for one, whatever kind of scriptlet it is
(pyanaconda/modules/payloads/payload/dnf/transaction_progress.py: a token "error" raises). Where an
image can do without what a scriptlet does, it says so: `scriptlets_may_fail` in its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from host.errors import InputError

# What dnf says of one (dnf/yum/rpmtrans.py, _scriptError).
_FAILED = re.compile(r"Error in (?P<kind>\S+) scriptlet in rpm package (?P<package>\S+)")


def check(
    problems: Iterable[str], may_fail: Collection[str], say: Callable[[str], None],
) -> None:
    """Raise InputError for the first failed scriptlet of a package that may not have any.

    problems: what dnf complained of. may_fail: names of packages. say: shows a line to the user.
    """
    for problem in problems:
        found = _FAILED.search(problem)
        if found is None or found["package"] not in may_fail:
            package = found["package"] if found else "a package"
            raise InputError(
                f"the transaction failed in {package}", where="%packages", why=problem,
                remedy="the log has what it printed; leave the package out, or say "
                f"`scriptlets_may_fail: [{found['package'] if found else 'NAME'}]` in the image's "
                "file if the image can do without what its scriptlet does",
            )
        say(f"packages: {problem}, which this image lets pass")
