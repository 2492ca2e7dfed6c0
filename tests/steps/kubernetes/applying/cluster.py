"""A cluster of a few objects behind a scripted kubectl, which speaks as kubectl 1.32 does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.applying.lines import spoken
from calamari_py.steps.kubernetes.spec import ClusterSpec, KubectlSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ref_of
from tests.fake_cloudformation import JumpingClock
from tests.steps.kubernetes.fakes import KUBECTL, Answer, Call, FakeTools, kube_context, list_of
from tests.steps.terraform.world import WorldReport

UNAUTHORIZED = b"error: You must be logged in to the server (Unauthorized)\n"
CONFLICT = (
    b'error: Apply failed with 1 conflict: conflict with "other" using v1: .data.k\n'
    b"Please review the fields above--they currently have other managers. Here\n"
)

_NO_VERSION = b"Error from server (NotFound): the server could not find the requested resource\n"

Key = tuple[str, str, str]


def forbidden(verb: str, resource: str, name: str) -> bytes:
    """What kubectl writes when the server refuses `verb`."""
    return (
        f'Error from server (Forbidden): {resource} "{name}" is forbidden: User "arn:x" cannot '
        f'{verb} resource "{resource}" in API group "" in the namespace "app"\n'
    ).encode()


def an_object(kind: str, name: str = "", **more: Any) -> KubeObject:
    """An object of a file; `more` are ``api``, ``namespace``, ``place``, ``generate`` and fields of
    its body."""
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": more.pop("generate")}
    namespace = more.pop("namespace", "app")
    if namespace:
        metadata["namespace"] = namespace
    place = more.pop("place", "k8s/all.yaml:1")
    body = {"apiVersion": more.pop("api", "v1"), "kind": kind, "metadata": metadata, **more}
    return KubeObject(
        ref=ref_of(body),
        text=json.dumps(body).encode(),
        body=body,
        place=place,
        generate_name=metadata.get("generateName", ""),
    )


def a_namespace(name: str) -> KubeObject:
    """A namespace of a file."""
    return an_object("Namespace", name, namespace="")


def a_definition(plural: str = "mice", kind: str = "Mouse") -> KubeObject:
    """A definition of a file."""
    return an_object(
        "CustomResourceDefinition",
        f"{plural}.example.com",
        namespace="",
        api="apiextensions.k8s.io/v1",
        spec={"group": "example.com", "names": {"kind": kind, "plural": plural}},
    )


@dataclass
class Cluster:
    """What `kubectl` meets. `refusals` are kubectl's words by verb and name (or verb alone),
    `unknown` kinds that the server does not know."""

    folder: Path
    namespace: str = "app"
    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[tuple[str, str], bytes] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    warnings: bytes = b""
    blocked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.report = WorldReport()
        self.tool = FakeTools()
        self.clock = JumpingClock()
        self.clock.at(3600, _no_end)
        self.tool.on("kubectl get", self._get)
        self.tool.on("kubectl apply", self.answer_apply)
        self.tool.on("kubectl create", self._create)
        self.tool.on("kubectl delete", self._delete)
        context = kube_context(self.folder, self.tool, report=self.report, clock=self.clock)
        access = Access(
            kubeconfig=context.private / "kubeconfig",
            name="cluster 'blue'",
            server="https://127.0.0.1:6443",
            namespace=self.namespace,
            way="server",
            environment={"KUBECONFIG": "kc"},
            script_environment={},
        )
        self.kubectl = Kubectl(KUBECTL, access, context, directory=self.folder)

    def spec(self, **changes: Any) -> KubectlSpec:
        """A spec of kind kubectl."""
        given: dict[str, Any] = {
            "action": "apply",
            "binary": KUBECTL,
            "cluster": ClusterSpec(way="server"),
            "folder": self.folder,
            "namespace": self.namespace,
        }
        return KubectlSpec(**{**given, **changes})

    def has(self, *objects: KubeObject, **metadata: Any) -> None:
        """`objects` are there."""
        for each in objects:
            self._store(dict(each.body), **metadata)

    def lines(self) -> list[str]:
        """What was told, without empty lines."""
        return [line for line in self.report.said("line") if line]

    def verbs(self) -> list[str]:
        """The verbs of all commands, in order."""
        return [call.argv[1] for call in self.tool.calls]

    def left_behind(self) -> list[Path]:
        """Private files that are still there."""
        return [path for path in (self.folder / "private").rglob("*") if path.is_file()]

    def _get(self, call: Call) -> Answer:
        if "--raw" in call.argv:
            return Answer(code=1, stderr=self.refusals.get(("get", call.argv[3]), _NO_VERSION))
        if not call.files:
            return Answer(stdout=self._selected(call))
        wanted = [body for text in call.files.values() for body in json.loads(text)["items"]]
        found = []
        for body in wanted:
            ref = ref_of(body)
            if ref.kind in self.unknown:
                return Answer(code=1, stderr=_unknown(ref))
            if refusal := self._refusal("get", ref):
                return Answer(code=1, stderr=refusal)
            key = self._key(ref)
            if key in self.objects:
                found.append(self.objects[key])
        return Answer(stdout=list_of(*found))

    def _selected(self, call: Call) -> bytes:
        _kind, _, name = call.argv[2].partition("/")
        if name:
            return list_of(*(o for o in self.objects.values() if o["metadata"]["name"] == name))
        selector = call.argv[call.argv.index("--selector") + 1]
        label, _, value = selector.partition("=")
        labelled = [
            body
            for body in self.objects.values()
            if (body["metadata"].get("labels") or {}).get(label) == value
        ]
        return list_of(*labelled)

    def answer_apply(self, call: Call) -> Answer:
        """Answer ``kubectl apply``."""
        dry = "--dry-run=server" in call.argv
        stdout, stderr, bodies = b"", self.warnings, []
        for text in call.files.values():
            body = json.loads(text)
            ref = ref_of(body)
            if ref.kind in self.unknown:
                stderr += _unknown(ref)
            elif refusal := self._refusal("apply", ref):
                stderr += refusal
            else:
                bodies.append(body if dry else self._store(body))
                stdout += f"{'/'.join(spoken(ref))} serverside-applied\n".encode()
        failed = stderr != self.warnings
        if dry:
            stdout = b"" if failed else list_of(*bodies)
        elif "--prune" in call.argv and not failed:
            stdout += self._prune(call)
        return Answer(code=int(failed), stdout=stdout, stderr=stderr)

    def _prune(self, call: Call) -> bytes:
        kept = {self._key(ref_of(json.loads(text))) for text in call.files.values()}
        gone = [
            key
            for key, body in self.objects.items()
            if body["metadata"].get("labels") and key not in kept
            and "applyset.kubernetes.io/part-of" in body["metadata"]["labels"]
        ]  # fmt: skip
        lines = [f"{'/'.join(spoken(ref_of(self.objects.pop(key))))} pruned\n" for key in gone]
        return "".join(lines).encode()

    def _create(self, call: Call) -> Answer:
        if not call.files:
            ref = ObjectRef(kind="Namespace", name=call.argv[3])
            if refusal := self._refusal("create", ref):
                return Answer(code=1, stderr=refusal)
            self._store({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ref.name}})
            return Answer(stdout=b"namespace/x created\n")
        body = json.loads(next(iter(call.files.values())))
        body["metadata"]["name"] = f"{body['metadata'].pop('generateName')}{len(self.objects)}"
        return Answer(stdout=json.dumps(self._store(body)).encode())

    def _delete(self, call: Call) -> Answer:
        stdout, stderr = b"", b""
        for text in call.files.values():
            ref = ref_of(json.loads(text))
            if refusal := self._refusal("delete", ref):
                stderr += refusal
                continue
            if ref.name in self.blocked:
                self.objects[self._key(ref)]["metadata"]["finalizers"] = ["x.io/keep"]
            elif self.objects.pop(self._key(ref), None) is None:
                continue
            kind, name = spoken(ref)
            stdout += f'{kind} "{name}" deleted\n'.encode()
        return Answer(code=int(bool(stderr)), stdout=stdout, stderr=stderr)

    def _store(self, body: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
        key = self._key(ref_of(body))
        old = self.objects.get(key)
        version = old["metadata"]["resourceVersion"] if old else "0"
        if old is None or {**old, "metadata": 0} != {**body, "metadata": 0}:
            version = str(int(version) + 1)
        uid = old["metadata"]["uid"] if old else f"uid-{len(self.objects)}"
        kept = old["metadata"] if old else {}
        named = {**kept, **body["metadata"], "uid": uid, "resourceVersion": version, **metadata}
        self.objects[key] = {**body, "metadata": named}
        return self.objects[key]

    def _refusal(self, verb: str, ref: ObjectRef) -> bytes:
        return self.refusals.get((verb, ref.name)) or self.refusals.get((verb, ""), b"")

    def _key(self, ref: ObjectRef) -> Key:
        return ref.kind, ref.namespace, ref.name


def _no_end() -> None:
    raise AssertionError("something is waited for without an end")


def _unknown(ref: ObjectRef) -> bytes:
    text = f'unable to recognize no matches for kind "{ref.kind}" in version "{ref.api_version}"\n'
    return text.encode()
