"""The last lines of a container that does not do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from calamari_py.masking.ansi import without_sequences
from calamari_py.steps.kubernetes.rollout.rules.fields import name_of, text
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

LAST_LINES = 20
_RETURN = re.compile(rb"\r\n?")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


def last_lines(kubectl: Kubectl, sign: Sign) -> bytes:
    """What the container of `sign` wrote last, of the run that crashed where there is one; nothing
    where it may not be read. It may hold anything: only `StepReport.text` may show it."""
    if sign.pod is None:
        return b""
    words = [f"--tail={LAST_LINES}"]
    if sign.container:
        words.append(f"--container={sign.container}")
    namespace = text(sign.pod, "metadata", "namespace")
    for more in (["--previous"], []) if sign.has_crashed else ([],):
        if found := log_of(kubectl, name_of(sign.pod), namespace, *words, *more):
            return found
    return b""


def log_of(kubectl: Kubectl, pod: str, namespace: str, *words: str) -> bytes:
    """What a pod wrote, as `words` of ``kubectl logs`` choose, without what would move a terminal's
    cursor; nothing where it may not be read, or is not there. `namespace` is "" for the
    context's. Only `StepReport.text` may show it."""
    where = (f"--namespace={namespace}",) if namespace else ()
    # Whoever named the pod must not have named an option.
    captured = kubectl.capture("logs", f"pod/{pod}", *where, *words)
    if captured.exit.code != 0:
        return b""
    plain = _RETURN.sub(b"\n", without_sequences(captured.stdout))
    return _CONTROL.sub(b"", plain) if plain.strip() else b""
