"""The scripts by which bash, zsh and fish complete what is typed after `ccis`: Typer's own."""

from __future__ import annotations

import os
import sys

from host.run import run

PLACES = {
    "bash": "bash-completion/completions/ccis",
    "zsh": "zsh/site-functions/_ccis",
    "fish": "fish/vendor_completions.d/ccis.fish",
}
"""Where each shell looks for them, below /usr/share."""

# zsh reads the file when somebody completes for the first time, in place of the function that the
# file is about to define: without this, that first time completes nothing (zshcompsys(1)).
_FIRST_TIME = """
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _ccis_completion "$@"
fi
"""


def scripts() -> dict[str, str]:
    """Return each shell's script by its path below /usr/share."""
    return {place: _script(shell) + (_FIRST_TIME if shell == "zsh" else "")
            for shell, place in PLACES.items()}


def _script(shell: str) -> str:
    """Return what Typer prints for a shell when it is asked in its own way."""
    done = run([sys.executable, "-m", "ccis.main"],
               env={**os.environ, "_CCIS_COMPLETE": f"source_{shell}"})
    return done.stdout.strip() + "\n"
