"""lang and keyboard: how the system speaks and types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from builder.kickstart.read import Command
from builder.kickstart.registry import honours
from builder.tree.tree import Tree
from host.errors import InputError

_MODEL_MAP = "/usr/share/systemd/kbd-model-map"
_FONT = "eurlatgr"
"""systemd's own default can't show what is not ASCII (pyanaconda, write_vc_configuration)."""
_X_HEAD = """\
# Written by systemd-localed(8), read by systemd-localed and Xorg. It's
# probably wise not to edit this file manually. Use localectl(1) to
# instruct systemd-localed to update it.
Section "InputClass"
        Identifier "system-keyboard"
        MatchIsKeyboard "on"
"""


@honours("lang")
def lang(command: Command, tree: Tree) -> None:
    """`lang en_US.UTF-8` writes LANG into /etc/locale.conf (locale.conf(5)).

    --addsupport brings packages (glibc-langpack-*), nothing else.
    """
    tree.write("/etc/locale.conf", f'LANG="{command.data.lang}"\n')


@honours("keyboard")
def keyboard(command: Command, tree: Tree) -> None:
    """`keyboard us` writes KEYMAP into /etc/vconsole.conf and the layout of X beside it.

    What is not said follows from what is: the layout of X from the console's keymap by
    systemd's kbd-model-map, the keymap from the first layout of X, as systemd-localed does for
    Anaconda (pyanaconda/modules/localization/installation.py).
    """
    data = command.data
    layouts = [_layout(text) for text in data.x_layouts]
    keymap = data.vc_keymap or getattr(data, "_keyboard", "")
    if not keymap and layouts:
        keymap = next((words[0] for words in _model_map(tree)
                       if (words[1], words[3].replace("-", "", 1)) == layouts[0]),
                      "-".join(filter(None, layouts[0])))
    if not keymap:
        raise InputError("keyboard names no layout", where=command.where)
    tree.write("/etc/vconsole.conf", f'KEYMAP="{keymap}"\nFONT="{_FONT}"\n')
    if not layouts:
        found = next((words for words in _model_map(tree) if words[0] == keymap), None)
        layouts = [(found[1], found[3].replace("-", "", 1))] if found else []
    if layouts:
        options = getattr(data, "switch_options", [])
        tree.write("/etc/X11/xorg.conf.d/00-keyboard.conf", _x_configuration(layouts, options))


def _layout(text: str) -> tuple[str, str]:
    """Return layout and variant of one entry of --xlayouts: `cz (qwerty)`."""
    found = re.fullmatch(r"\s*([^\s(]+)\s*(?:\(([^)]*)\))?\s*", text)
    return (found[1], found[2] or "") if found else (text, "")


def _model_map(tree: Tree) -> Iterator[list[str]]:
    """Yield the lines of systemd's map: keymap, layout, model, variant, options; `-` is nothing."""
    for line in tree.read(_MODEL_MAP).splitlines():
        words = line.split()
        if len(words) >= 4 and not words[0].startswith("#"):
            yield words


def _x_configuration(layouts: Sequence[tuple[str, str]], options: Sequence[str]) -> str:
    """Return xorg.conf.d/00-keyboard.conf as systemd-localed writes it."""
    settings = {
        "XkbLayout": ",".join(layout for layout, _ in layouts),
        "XkbVariant": ",".join(variant for _, variant in layouts).strip(",")
        and ",".join(variant for _, variant in layouts),
        "XkbOptions": ",".join(options),
    }
    lines = [f'        Option "{key}" "{value}"\n' for key, value in settings.items() if value]
    return _X_HEAD + "".join(lines) + "EndSection\n"
