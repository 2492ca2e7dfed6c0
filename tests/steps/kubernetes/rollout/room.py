"""A cluster that kubectl lists, and a rollout in it: time jumps, objects change when they are
told to.

    cluster = Cluster(tmp_path)
    web = cluster.has(deployment(available=0))
    cluster.at(12, lambda: cluster.has(deployment()))
    cluster.rollout(web).wait_until_ready()
    assert cluster.report.said("line") == [...]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calamari_py.errors import CalamariError
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.rollout.follow import Rollout
from calamari_py.steps.kubernetes.rollout.rules.fields import Body
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of
from tests.fake_cloudformation import JumpingClock
from tests.steps.kubernetes.fakes import (
    KUBECTL,
    Answer,
    Call,
    FakeTools,
    kube_context,
    list_of,
)
from tests.steps.terraform.fakes import ToolReport

FORBIDDEN = (
    'Error from server (Forbidden): {0} is forbidden: User "arn:aws:sts::1:assumed-role/x/y" '
    'cannot list resource "{0}" in API group "" in the namespace "app"\n'
)
REFUSED = (
    b"The connection to the server 127.0.0.1:6443 was refused - did you specify the right host"
)


class Cluster:
    """Objects, and a kubectl that reads them. `down` is what every command says instead,
    `forbidden` are plurals that may not be listed."""

    def __init__(self, folder: Path) -> None:
        self.clock = JumpingClock()
        self.report = ToolReport()
        self.tool = FakeTools()
        self.objects: dict[ObjectRef, Body] = {}
        self.down: bytes = b""
        self.forbidden: set[str] = set()
        self.tool.on("kubectl get", self._get)
        self.tool.on("kubectl logs", Answer(stdout=b"line 1\nno database\n"))
        context = kube_context(folder, self.tool, report=self.report, clock=self.clock)
        access = Access(
            kubeconfig=folder / "kubeconfig",
            name="EKS cluster 'blue' in eu-west-1",
            server="https://127.0.0.1:6443",
            namespace="app",
            way="server",
            environment={},
            script_environment={},
        )
        self.kubectl = Kubectl(KUBECTL, access, context, directory=folder)

    def has(self, *bodies: Body) -> ObjectRef:
        """These objects are there, in place of those of the same name; the first one's ref."""
        for each in bodies:
            self.objects[ref_of(each)] = each
        return ref_of(bodies[0])

    def loses(self, ref: ObjectRef) -> None:
        """It is gone."""
        del self.objects[ref]

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Do this when so much time has passed."""
        self.clock.at(seconds, act)

    def rollout(
        self,
        *refs: ObjectRef,
        timeout: float = 600,
        stable_for: float = 5,
        fail_after: float = 30,
        **more: Any,
    ) -> Rollout:
        """One of `refs`."""
        wait = WaitSpec(timeout=timeout, stable_for=stable_for, fail_after=fail_after)
        return Rollout(self.kubectl, refs, wait, report=self.report, clock=self.clock, **more)

    def fail(self, *refs: ObjectRef, **more: Any) -> Any:
        """The error that waiting for `refs` ends with."""
        rollout = self.rollout(*refs, **more)
        try:
            rollout.wait_until_ready()
        except CalamariError as error:
            return error
        raise AssertionError("no error")

    @property
    def lists(self) -> list[str]:
        """What was listed, in order: types and namespace."""
        calls = self.tool.called("kubectl get")
        return [
            " ".join(call.argv[2:3] + call.argv[5:7]) for call in calls if "-f" not in call.argv
        ]

    @property
    def lines(self) -> list[str]:
        """What people read."""
        return [line for line in self.report.said("line") if line]

    def _get(self, call: Call) -> Answer:
        if self.down:
            return Answer(code=1, stderr=self.down)
        if "--raw" in call.argv:
            return Answer(stdout=b"{}")
        if "-f" in call.argv:
            return Answer(stdout=list_of(*self._named(call.files)))
        types = call.argv[2].split(",")
        namespace = "app"
        if "--namespace" in call.argv:
            namespace = call.argv[call.argv.index("--namespace") + 1]
        errors = "".join(
            FORBIDDEN.format(plural)
            for plural in sorted(self.forbidden)
            if any(_plural(type_.partition(".")[0]) == plural for type_ in types)
        )
        found = [
            each
            for ref, each in self.objects.items()
            if any(_is_of(ref, type_) for type_ in types)
            and ref.namespace in ("", namespace)
            and _plural(ref.kind) not in self.forbidden
        ]
        return Answer(code=1 if errors else 0, stdout=list_of(*found), stderr=errors.encode())

    def _named(self, files: Mapping[str, bytes]) -> list[Body]:
        asked: Sequence[Body] = [
            each for text in files.values() for each in json.loads(text)["items"]
        ]
        return [self.objects[ref_of(each)] for each in asked if ref_of(each) in self.objects]


def _is_of(ref: ObjectRef, type_: str) -> bool:
    kind, _, rest = type_.partition(".")
    return (ref.kind, ref.group) == (kind, rest.partition(".")[2])


def _plural(kind: str) -> str:
    return kind.lower() + ("es" if kind.endswith("s") else "s")
