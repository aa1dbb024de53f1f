"""Small repositories beside the rehearsal distribution, each with a key of its own.

    create(progress)  makes them, once, and returns the folder that they are in

They stand for what SIGs and others offer: images/repositories/rehearsal-*.yaml name them. They are
a room of their own because the rehearsal distribution is remade when a file of its room changes.
"""

from __future__ import annotations

from companions.create import create

__all__ = ["create"]
