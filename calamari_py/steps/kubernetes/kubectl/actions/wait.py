"""Action ``wait``: ``kubectl wait`` itself, and why it waited in vain."""

from __future__ import annotations

import math

from calamari_py.errors import ToolFailed
from calamari_py.identity import duration_text
from calamari_py.process.base import Stream
from calamari_py.steps.base import StepOutcome, StepReport
from calamari_py.steps.kubernetes.access.failures import read_failure
from calamari_py.steps.kubernetes.kubectl.sources import resource_refs
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.rollout.follow import Rollout, RolloutFailed
from calamari_py.steps.kubernetes.spec import KubectlSpec, WaitSpec

_TIMED_OUT = b"timed out waiting for the condition"


def wait(work: Work) -> StepOutcome:
    """Wait until the condition holds for all that `resources` name."""
    seconds = (work.spec.wait or WaitSpec()).timeout
    heard = _Heard(work.report)
    ended = work.kubectl.read(*wait_words(work.spec, seconds), reader=heard)
    if ended.code != 0:
        raise _failure(work, heard.stderr, seconds)
    return StepOutcome(code=0, changed=False)


def wait_words(spec: KubectlSpec, seconds: float) -> tuple[str, ...]:
    """The command."""
    chosen = (f"--selector={spec.selector}",) if spec.selector else ()
    # kubectl takes 0 for one look, and less for a week.
    limit = f"--timeout={max(1, math.ceil(seconds))}s"
    return ("wait", f"--for={spec.condition}", limit, *spec.resources, *chosen)


class _Heard:
    """Passes on what kubectl says of each object, and keeps what it complains of."""

    def __init__(self, report: StepReport) -> None:
        self._report = report
        self._lines: list[bytes] = []

    @property
    def stderr(self) -> bytes:
        """All of it."""
        return b"\n".join(self._lines)

    def line(self, stream: Stream, line: bytes) -> None:
        """One line."""
        if stream == "stdout":
            self._report.line(line.decode("utf-8", "replace"))
        else:
            self._lines.append(line)

    def idle(self) -> None:
        """Nothing to do."""


def _failure(work: Work, stderr: bytes, seconds: float) -> ToolFailed:
    """Why it ended badly: what the server refused, or else what the objects themselves show."""
    doing = f"wait for {work.spec.condition}"
    if _TIMED_OUT not in stderr:
        return work.kubectl.failed(doing, read_failure(stderr) or stderr)
    message = f"'{work.spec.condition}' did not come within {duration_text(round(seconds))}"
    names = [line.rpartition(b" on ")[2].decode("utf-8", "replace")
             for line in stderr.splitlines() if _TIMED_OUT in line]  # fmt: skip
    message += f" for {', '.join(names)}"
    try:
        rollout = Rollout(
            work.kubectl,
            resource_refs(work),
            WaitSpec(timeout=seconds, stable_for=0, fail_after=0),
            report=work.report,
            clock=work.clock,
            anything_changed=False,
        )
        rollout.look_once()
    except RolloutFailed as shown:
        return ToolFailed(f"{message}: {shown.message}", hint=shown.hint, evidence=shown.evidence)
    except ToolFailed as unseen:
        work.report.note(f"nothing more is known: {unseen.message}")
    return ToolFailed(message, hint="see the objects' own conditions: kubectl describe")
