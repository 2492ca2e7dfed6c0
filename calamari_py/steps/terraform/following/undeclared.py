"""A name under ``terraform.variables`` that the configuration does not declare.

Terraform warns, and goes on without the value: what is planned then is not what the manifest says.
"""

from __future__ import annotations

import re
from dataclasses import replace

from calamari_py.steps.terraform.following.sources import VARIABLES
from calamari_py.steps.terraform.values import Diagnostic

COUNTED = "Values for undeclared variables"
"""What Terraform says of those that it does not name any more."""
_NAMED = re.compile(
    rf'variable named "([^"]{{1,500}})" but a value was found in file "{re.escape(VARIABLES)}"'
)


def undeclared_name(diagnostic: Diagnostic) -> str | None:
    """The name that `diagnostic` warns of; None where it is about something else, or about a value
    in a variable file, which may be meant for several root modules."""
    found = _NAMED.search(diagnostic.detail)
    return found[1] if found else None


def as_error(diagnostic: Diagnostic, name: str) -> Diagnostic:
    """The warning as what it is here."""
    return replace(diagnostic, severity="error", summary=undeclared(name), detail="")


def undeclared(*names: str, more: str = "") -> str:
    """``'terraform.variables' names 'stagee', which the configuration does not declare``."""
    named = ", ".join(f"'{name}'" for name in names) + more
    return f"'{VARIABLES}' names {named}, which the configuration does not declare"
