"""What both kinds read of their sections in the same way."""

from __future__ import annotations

import re
from pathlib import Path

from calamari_py.errors import CommandNotFound, ToolMissing
from calamari_py.process import resolve_tool
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.sections import WaitSection
from calamari_py.steps.kubernetes.spec import WaitSpec

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_LONGEST_LABEL = 63


def check_namespace(name: str | None, checks: Checks, *, creates: bool) -> None:
    """A name that Kubernetes takes; `creates` says that it is made where it is missing."""
    if name is not None and (not _LABEL.fullmatch(name) or len(name) > _LONGEST_LABEL):
        hint = "use lower-case letters, digits and '-', 63 at most"
        shown = checks.shown("namespace", name)
        checks.refuse("namespace", f"{shown} is no name of a namespace", hint)
    if name is None and creates:
        message = "says nothing: no namespace is named"
        checks.refuse("create_namespace", message, "write the namespace, or remove it")


def read_wait(
    written: WaitSection | bool, checks: Checks, *, follows: bool = True
) -> WaitSpec | None:
    """How long is waited, None for not at all. `follows` is a rollout, which has to stay ready."""
    if isinstance(written, bool):
        return WaitSpec() if written else None
    if written.timeout <= 0:
        checks.refuse("wait.timeout", "must be more than nothing", "write wait: false to not wait")
    elif follows and written.timeout < written.stable_for:
        message = f"is shorter than stable_for ({written.stable_for:g}s): nothing is ready in time"
        checks.refuse("wait.timeout", message, "write a longer one, or stable_for: 0")
    return WaitSpec(
        timeout=written.timeout, stable_for=written.stable_for, fail_after=written.fail_after
    )


def find_program(name: str, context: ParseContext, *, field: str) -> Path:
    """Its absolute path. A step that has no program is like one whose service is not there:
    raises ToolMissing. `field` is ``kubectl.binary``."""
    try:
        return resolve_tool(name, context.search_path, folder=context.folder)
    except CommandNotFound as error:
        message = f"the program '{name}' was not found" if name else f"{field} is blank"
        raise ToolMissing(message, hint=error.hint) from None
