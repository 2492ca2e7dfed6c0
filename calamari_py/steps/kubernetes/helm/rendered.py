"""What an upgrade would store, as its dry run says, and what a stored revision holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import read_failure
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.tool import Helm
from calamari_py.steps.kubernetes.objects.load import objects_of
from calamari_py.steps.kubernetes.objects.secrets import secrets_of
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef

_TEST = "test"
_POLICY = "helm.sh/resource-policy"
_LAST_DRY_RUN = "--dry-run=client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A revision, there or not yet. `objects`, `hooks` and `tests` are those of its manifest; a
    chart's tests are no hooks of an upgrade. `values` are those that it was given. All may hold
    secrets."""

    revision: int = 0
    namespace: str = ""
    chart: str = ""
    app_version: str = ""
    objects: tuple[KubeObject, ...] = field(default=(), repr=False)
    hooks: tuple[KubeObject, ...] = field(default=(), repr=False)
    tests: tuple[KubeObject, ...] = field(default=(), repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def refs(self) -> list[ObjectRef]:
        """Which objects it has."""
        return [each.ref for each in self.objects]

    def says_the_same(self, other: Rendered) -> bool:
        """Whether nothing would become different. Pure."""
        return (
            (self.chart, self.app_version, dict(self.values))
            == (other.chart, other.app_version, dict(other.values))
            and _bodies(self.objects) == _bodies(other.objects)
            and _bodies(self.hooks) == _bodies(other.hooks)
            and _bodies(self.tests) == _bodies(other.tests)
        )


def render(
    helm: Helm, chart: Path, report: StepReport, *, is_first: bool, revision: int
) -> Rendered:
    """What an upgrade to the chart would store as `revision`, its secrets hidden. Where the role
    may not ask what the chart looks up, it is rendered without that; so it is where a first
    install brings the definitions of its own objects. Both are said."""
    doing = f"render chart '{helm.spec.chart}' for release '{helm.spec.release}'"
    words = argv.dry_run(helm.spec, helm.files, chart)
    asked = helm.attempt("upgrade", words)
    failure = read_failure(asked.stderr, program="helm") if asked.exit.code else None
    if failure is not None and failure.kind == "unknown-type" and is_first:
        own = _with_definitions(helm, chart, doing, revision)
        if own is not None:
            report.warn(
                "the chart brings definitions (CRDs) of its own objects: what is shown was not"
                " checked by the server"
            )
            hide(own, report)
            return own
    if failure is not None and failure.kind == "forbidden":
        report.warn(
            f"the chart is rendered without asking the cluster: {failure.text}",
            hint="what 'lookup' in the chart would find is missing from what is shown",
        )
        words = tuple(_LAST_DRY_RUN if word.startswith("--dry-run") else word for word in words)
        asked = helm.attempt("upgrade", words)
    if asked.exit.code != 0:
        raise helm.failed(doing, asked.stderr)
    helm.tell_warnings(asked.stderr)
    rendered = read_release(asked.stdout, doing)
    hide(rendered, report)
    return rendered


def _with_definitions(helm: Helm, chart: Path, doing: str, revision: int) -> Rendered | None:
    """What a first install of a chart with definitions would store: the server, which does not have
    them yet, is not asked. None for a chart without."""
    spec = helm.spec
    crds = helm.succeed("show crds", argv.show_crds(spec, chart), doing=doing)
    if spec.skip_crds or not objects_of(crds, origin="the chart's definitions"):
        return None
    words = argv.template(spec, helm.files, chart, crds=False)
    made = objects_of(helm.succeed("template", words, doing=doing), origin="the chart")
    hooks = tuple(each for each in made if annotation(each.body, "helm.sh/hook"))
    return Rendered(
        revision=revision,
        namespace=spec.namespace,
        chart=chart.name.removesuffix(".tgz"),
        objects=tuple(each for each in made if each not in hooks),
        hooks=_no_tests(hooks),
        tests=_tests(hooks),
    )


def stored(helm: Helm, revision: Revision, report: StepReport, *, namespace: str = "") -> Rendered:
    """What a revision holds, its secrets hidden."""
    number = revision.number
    doing = f"read revision {number} of release '{helm.spec.release}'"
    manifest = helm.succeed("get manifest", argv.manifest(helm.spec, number), doing=doing)
    hooks = helm.succeed("get hooks", argv.hooks(helm.spec, number), doing=doing)
    values = helm.succeed("get values", argv.values(helm.spec, number), doing=doing)
    origin = f"revision {number}"
    all_hooks = objects_of(hooks, origin=f"hooks of {origin}")
    found = Rendered(
        revision=number,
        namespace=namespace,
        chart=revision.chart,
        app_version=revision.app_version,
        objects=objects_of(manifest, origin=origin),
        hooks=_no_tests(all_hooks),
        tests=_tests(all_hooks),
        values=_mapping(_json(values, doing) or {}),
    )
    hide(found, report)
    return found


def read_release(stdout: bytes, doing: str) -> Rendered:
    """What ``helm upgrade -o json`` writes. ToolFailed where it is no release."""
    document = _mapping(_json(stdout, doing))
    metadata = _mapping(_mapping(document.get("chart")).get("metadata"))
    hooks = document.get("hooks") or []
    texts = [str(_mapping(hook).get("manifest", "")) for hook in hooks]
    all_hooks = objects_of("\n---\n".join(texts).encode(), origin="the chart's hooks")
    return Rendered(
        revision=int(document.get("version") or 0),
        namespace=str(document.get("namespace") or ""),
        chart=f"{metadata.get('name', '')}-{metadata.get('version', '')}",
        app_version=str(metadata.get("appVersion") or ""),
        objects=objects_of(str(document.get("manifest") or "").encode(), origin="the chart"),
        hooks=_no_tests(all_hooks),
        tests=_tests(all_hooks),
        values=_mapping(document.get("config")),
    )


def hide(rendered: Rendered, report: StepReport) -> None:
    """Mask the values of all Secrets."""
    bodies = [each.body for each in (*rendered.objects, *rendered.hooks, *rendered.tests)]
    for name, value in secrets_of(bodies):
        report.hide(value, name)


def annotation(body: Mapping[str, Any], name: str) -> str:
    """An annotation of an object, "" for none."""
    found = _mapping(_mapping(body.get("metadata")).get("annotations")).get(name)
    return found if isinstance(found, str) else ""


def is_kept(body: Mapping[str, Any]) -> bool:
    """Whether the chart says that the object stays when the release has it no more."""
    return annotation(body, _POLICY) == "keep"


def identity(ref: ObjectRef, namespace: str) -> tuple[str, str, str, str]:
    """What an object is, whatever version of its type is named."""
    return ref.group, ref.kind, ref.namespace or namespace, ref.name


def notes_of(stdout: bytes) -> bytes:
    """What the chart tells who installs it, nothing where it has none. `stdout` is that of an
    upgrade."""
    try:
        document = json.loads(stdout)
    except (ValueError, RecursionError):
        return b""
    notes = _mapping(_mapping(document).get("info")).get("notes")
    text = notes.strip() if isinstance(notes, str) else ""
    return f"{text}\n".encode("utf-8", "surrogateescape") if text else b""


def _tests(hooks: Iterable[KubeObject]) -> tuple[KubeObject, ...]:
    return tuple(each for each in hooks if _is_test(each))


def _no_tests(hooks: Iterable[KubeObject]) -> tuple[KubeObject, ...]:
    return tuple(each for each in hooks if not _is_test(each))


def _is_test(hook: KubeObject) -> bool:
    return annotation(hook.body, "helm.sh/hook").startswith(_TEST)


def _bodies(objects: Iterable[KubeObject]) -> list[Mapping[str, Any]]:
    return sorted((each.body for each in objects), key=lambda body: json.dumps(body, default=str))


def _json(stdout: bytes, doing: str) -> Any:
    try:
        return json.loads(stdout)
    except (ValueError, RecursionError):
        raise ToolFailed(f"could not {doing}: what helm wrote is no JSON") from None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
