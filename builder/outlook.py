"""What can't be made of an image is refused while it is planned, before any work is done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from builder.artefact import Outlook
from builder.formats import registry as formats
from builder.kickstart.model import Kickstart
from builder.packages.choice import Choice
from builder.request import Request
from host.errors import InputError

_KERNEL = re.compile(r"kernel(-[a-z0-9]+)*-core|kernel")


def check_formats(request: Request, kickstart: Kickstart, choices: Sequence[Choice]) -> None:
    """Raise InputError for the first artefact that can't be made of the image, with the reason.

    Where scripts have the network, or change what is looked at, nobody can tell beforehand: then
    the format itself looks, when all else is made.
    """
    names = {choice.record.name for choice in choices}
    may_fetch = request.image.network_in_post
    outlook = Outlook(
        has_kernel=may_fetch or any(map(_KERNEL.fullmatch, names)),
        has_dracut=may_fetch or "dracut" in names,
        mounts_a_root=request.has_disk and not any(
            "fstab" in script.text for script in kickstart.scripts))
    for name in request.wanted_formats:
        if why := formats.objection(name, outlook):
            wishes = [target.name for target in request.targets if name in target.formats]
            raise InputError(
                f"{formats.get(name).name} can't be made of {request.image.name}",
                where=f"--target {wishes[0]}" if wishes else str(request.kickstart), why=why,
                remedy=f"leave {f'the target {wishes[0]}' if wishes else name} out, or take an "
                       "image that is made for it (`ccis list`)")
