"""One object handed over by itself, so that what the server has against it is known as its own."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.steps.base import Captured
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.causes import cause_of
from calamari_py.steps.kubernetes.applying.definitions import defined_by
from calamari_py.steps.kubernetes.applying.lines import Warnings
from calamari_py.steps.kubernetes.applying.outcome import Body
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.tool.listed import read_items
from calamari_py.steps.kubernetes.values import KubeObject

MOST = 10
"""How many objects may fail that way: each costs a process."""
_TRIES = 10
_PAUSE = 1.0


class Alone:
    """Second chances. `first` is the first failure that was found."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Sequence[KubeObject],
        spec: KubectlSpec,
        warnings: Warnings,
    ) -> None:
        self._kubectl = kubectl
        self._spec = spec
        self._warnings = warnings
        self._defined = set(defined_by(objects))
        self._failed = 0
        self.first: ApiFailure | None = None

    def apply(self, each: KubeObject) -> str:
        """Apply it once more: why it cannot be, or "" when it was. An ApplySet's is only rehearsed:
        by itself it would not be one of the set."""
        if self._failed >= MOST:
            return "not applied; the first failures say why"
        is_member = bool(self._spec.applyset)
        tries = _TRIES if (each.ref.group, each.ref.kind) in self._defined else 1
        for number in range(1, tries + 1):
            with self._kubectl.files([each.text]) as files:
                words = argv.apply(files, self._spec, dry_run=is_member)
                ended = self._kubectl.capture(*words)
            if ended.exit.code == 0:
                return "kubectl did not say that it was applied" if is_member else ""
            failure, message = self._failure(each, ended)
            if failure is None or failure.kind != "unknown-type" or number == tries:
                break
            # A server needs a moment until it knows what was defined.
            self._kubectl.context.clock.sleep(_PAUSE)
        self._failed += 1
        return message

    def create(self, each: KubeObject) -> tuple[Body | None, str]:
        """Create it under a name that the server makes: its body, or why it cannot be."""
        with self._kubectl.files([each.text]) as (file,):
            ended = self._kubectl.capture(*argv.create(file, self._spec))
        if ended.exit.code == 0:
            self._warnings.take(ended.stderr.splitlines())
            return (read_items(ended.stdout) or [{}])[0], ""
        return None, self._failure(each, ended)[1]

    def _failure(self, each: KubeObject, ended: Captured) -> tuple[ApiFailure | None, str]:
        stderr = self._warnings.take(ended.stderr.splitlines())
        failures = self._kubectl.survivable(f"apply '{named(each.ref)}'", stderr)
        self.first = self.first or failures[0]
        return failures[0], cause_of(failures[0], stderr)
