"""What a test's own prepare() does to its kickstart, as far as it is made of a few known lines.

It is a shell function for the suite's host and is not run. Serving the kickstart by HTTP is without
meaning here, empty repositories are made, words are put in; anything else is said.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tools.kickstart_suite.definition import without_comments
from tools.kickstart_suite.prepare import NotPreparedError

_SERVING = re.compile(
    r"(?:local )?\w+=[^;&|`()]*$|local \w+$|mkdir |cp \"?\$\{?ks\}?\"? |start_httpd |echo "
    r"\"?\$\{?(?:ks|tmp_?dir)\b|echo ks_url=|export \w+$")
_MORE = re.compile(r"[;&|`]|\$\(")
_REPOSITORY = re.compile(r"createrepo_c -q \"?\$\{tmp_?dir\}/http/(?P<name>[\w-]+)\"?$")
_SUBSTITUTION = re.compile(r"[\"']s(?P<by>[#|/])(?P<old>.*?)(?P=by)(?P<new>.*?)(?P=by)g?[\"']")
_URL = re.compile(r"\$\{?httpd_url\}?")


def apply(text: str, body: str, served: Path) -> str:
    """Return the kickstart as prepare() leaves it.

    body: the function's. served: the folder that takes the place of its server.
    Raises NotPreparedError for a line of another kind.
    """
    for line in without_comments(body.replace("\\\n", " ")).splitlines():
        line = line.strip()
        if made := _REPOSITORY.match(line):
            _empty_repository(served / made["name"])
        elif line.startswith("sed ") and _SUBSTITUTION.search(line):
            for found in _SUBSTITUTION.finditer(line):
                new = _URL.sub(f"file://{served}", found["new"])
                if "$" in new or found["old"].startswith("^"):
                    raise NotPreparedError(f"its preparation runs: {line[:60]}")
                text = text.replace(found["old"], new)
        elif line and (not _SERVING.match(line) or _MORE.search(line)):
            raise NotPreparedError(f"its preparation runs: {line[:60]}")
    return text


def _empty_repository(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["createrepo_c", "--quiet", folder], check=True)
