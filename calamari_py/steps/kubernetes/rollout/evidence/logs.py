"""The last lines of a container that does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calamari_py.steps.kubernetes.rollout.rules.fields import name_of, text
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

LAST_LINES = 20


def last_lines(kubectl: Kubectl, sign: Sign) -> bytes:
    """What the container of `sign` wrote last, of the run that crashed where there is one; nothing
    where it may not be read. It may hold anything: only `StepReport.text` may show it."""
    if sign.pod is None:
        return b""
    words = ["logs", name_of(sign.pod), f"--tail={LAST_LINES}"]
    if namespace := text(sign.pod, "metadata", "namespace"):
        words.append(f"--namespace={namespace}")
    if sign.container:
        words.append(f"--container={sign.container}")
    for more in (["--previous"], []) if sign.has_crashed else ([],):
        captured = kubectl.capture(*words, *more)
        if captured.exit.code == 0 and captured.stdout.strip():
            return captured.stdout
    return b""
