"""One rule held against what it is about; whatever an image holds, there is an outcome."""

from __future__ import annotations

import logging
from typing import Any

from host.errors import InputError
from specs.model import Rule
from validate.registry import Finding, checker
from validate.report import Result, result
from validate.view import View

log = logging.getLogger("ccis.validate")


def applies(rule: Rule, view: View) -> bool:
    """Tell whether a rule is about this image."""
    return rule.applies_to.covers(
        arch=view.arch, image_format=(
            view.artefact.ccis_format or view.artefact.format) if view.artefact else "",
        shape=view.shape, version=view.version, rehearsal=view.rehearsal,
    )


def judge(rule: Rule, subject: Any) -> Result:
    """Check one rule; what the image keeps from being read makes the rule unknown, not the end.

    So does what a check did not expect: it is logged as the fault of ours that it is, and the
    image, which is odd in any case, does not pass.
    """
    try:
        return result(rule, checker(type(rule.check))(rule.check, subject))
    except InputError as error:
        found = str(error)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
            ValueError) as error:
        log.exception("the check of %s fell over this image", rule.id)
        found = f"the check can't cope with this image ({type(error).__name__}: {error}); " \
            "please report it"
    return result(rule, Finding(False, found, ""), status="unknown")
