"""The `ccis` command: finds its commands, one file each in ccis/commands, and runs one of them.

A file of ccis/commands is one command: it has `app`, a `typer.Typer(add_completion=False)` with
one command (`ccis verify`) or several (`ccis rehearsal create`). Nothing else needs to change.
It is imported only when it is called, and imports what is heavy inside its functions.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer
import typer.core
import typer.main

import ccis.commands
from ccis import log, output
from host import clean_room
from host.discovery import names_in

_ORDER = ["doctor", "list", "lint", "explain", "plan", "build", "validate", "boot", "publish",
          "promote", "verify", "reproduce"]
"""How the help lists what it knows; further commands follow in the order of the alphabet."""

_EPILOG = """\b
Examples:
  ccis doctor                                      is this host ready?
  ccis rehearsal create rehearsal-10               an offline, CentOS-shaped repository
  ccis build generic-cloud --release rehearsal-10  prints the folder of the image
  ccis publish FOLDER --root public --rehearsal-key
  ccis verify public                               signatures, sizes and checksums
"""


class CommandFolder(typer.core.TyperGroup):
    """The group of commands that ccis/commands holds, each imported when it is wanted."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands in the order of the help."""
        names = names_in(ccis.commands)
        known = [name for name in _ORDER if name in names]
        return known + sorted(set(names) - set(known))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"ccis.commands.{cmd_name}")
        module.app.rich_markup_mode = None
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        # A group has no function whose docstring could be its help: the module's first line is.
        about = (module.__doc__ or "").partition("\n")[0].partition(": ")[2]
        command.help = command.help or about[:1].upper() + about[1:]
        return command


app = typer.Typer(
    cls=CommandFolder, no_args_is_help=True, epilog=_EPILOG, pretty_exceptions_enable=False,
    # Plain help: examples keep their lines, and `ccis` need not wait for Rich.
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.line(f"ccis {importlib.metadata.version('ccis')}")
        raise typer.Exit


@app.callback()
def ccis_options(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each program that is run, and its output.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True,
                           help="Print the version and end.")
    ] = False,
) -> None:
    """Build, prove and publish CentOS cloud images from a kickstart and a baseline spec.

    \b
    Exit status:
      0  done                        3   this host lacks something
      1  done, and a check failed    4   a remote side failed
      2  bad input or usage          70  a bug in ccis; 130, 143: interrupted

    \b
    Environment:
      CCIS_CACHE         what can be made again; /var/cache/ccis, or ~/.cache/ccis
      CCIS_STORE         results of steps; `store` in the cache
      CCIS_STORE_LIMIT   how large the store may become; "40 GiB"
      CCIS_PATH          where programs are looked for, instead of the system's folders
      SOURCE_DATE_EPOCH  the time that the image's files get; that of its newest package
    """
    log.settings.verbose = verbose
    if verbose:
        log.show_on_terminal()


def main() -> None:
    """Run the command line and end the process with the exit status of the contract."""
    words = sys.argv[1:]
    output.settings.json = "--json" in words
    completing = "_CCIS_COMPLETE" in os.environ
    if not completing:
        clean_room.enter()  # done before, unless somebody runs `python -m ccis.main`
        log.write_to_file(next((word for word in words if not word.startswith("-")), "ccis"))
        log.show_waiting()
    output.end_on_signals()
    if completing:
        with suppress(Exception):  # whoever types has no use for a traceback in the line
            app(prog_name="ccis")
        sys.exit(0)
    sys.exit(output.guarded(lambda: app(prog_name="ccis")))


if __name__ == "__main__":
    main()
