"""status.json: what each channel offers since when, and when the next build is due."""

from __future__ import annotations

from publish.indexes import Offers
from publish.model import epoch
from publish.status import status

FOLDER = "indexes"


def make(offers: Offers) -> dict[str, bytes]:
    """Return the status as of the last change; `due` tells readers what is overdue when they read.
    """
    last_s = max((epoch(index.updated) for index in offers.values()), default=0)
    return {"status.json": status(offers, None, last_s).dump().encode()}
