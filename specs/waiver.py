"""A waiver: a rule that an image may break for a while, by whose leave, and why."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field


class Waiver(BaseModel):
    """Lets an image pass that breaks a rule.

    owner: who answers for it. reason: why. expires: the last day on which it holds; after it the
    rule fails again, so that nothing is forgiven for ever.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    def holds(self, today: date) -> bool:
        """Tell whether it still holds."""
        return today <= self.expires

    def said(self, today: date) -> str:
        """Return what a report says of it."""
        state = "until" if self.holds(today) else "EXPIRED on"
        return f"waived by {self.owner} {state} {self.expires.isoformat()}: {self.reason}"
