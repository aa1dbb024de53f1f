"""Which spec an image must meet: its own, those of all its targets, the rehearsal's overlay."""

from __future__ import annotations

from images.image import Image
from specs.model import Spec, joined, load, names, overlaid

REHEARSAL = "rehearsal"
"""The overlay for what is made of the rehearsal distribution's packages."""


def spec_of(image: Image, *, rehearsal: bool = False) -> Spec:
    """Return the rules for an image: one tree that serves several targets meets all their specs.

    rehearsal: the image is made of a release that is rehearsed.
    Raises InputError when its targets contradict each other.
    """
    known = names()
    wanted = [image.spec, *(name for target in image.targets
                            if (name := f"targets/{target}") in known and name != image.spec)]
    return adapted(joined([load(name) for name in wanted]), rehearsal=rehearsal)


def adapted(spec: Spec, *, rehearsal: bool) -> Spec:
    """Return a spec as it is asked of images of the rehearsal distribution, or of CentOS."""
    return overlaid(spec, load(REHEARSAL)) if rehearsal else spec
