"""What an upgrade would store, as its dry run says, and what a stored revision holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
_LAST_DRY_RUN = "--dry-run=client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A revision, there or not yet. `objects` and `hooks` are those of its manifest; a chart's
    tests are no hooks of an upgrade. `values` are those that it was given. All may hold secrets."""

    revision: int = 0
    namespace: str = ""
    chart: str = ""
    app_version: str = ""
    objects: tuple[KubeObject, ...] = field(default=(), repr=False)
    hooks: tuple[KubeObject, ...] = field(default=(), repr=False)
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
        )


def render(helm: Helm, words: tuple[str, ...], report: StepReport) -> Rendered:
    """What the dry run `words` would store, its secrets hidden. Where the role may not ask what the
    chart looks up, it is rendered without that, which is said."""
    doing = f"render chart '{helm.spec.chart}' for release '{helm.spec.release}'"
    asked = helm.attempt("upgrade", words)
    failure = read_failure(asked.stderr) if asked.exit.code else None
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


def stored(helm: Helm, revision: Revision, report: StepReport, *, namespace: str = "") -> Rendered:
    """What a revision holds, its secrets hidden."""
    number = revision.number
    doing = f"read revision {number} of release '{helm.spec.release}'"
    manifest = helm.succeed("get manifest", argv.manifest(helm.spec, number), doing=doing)
    hooks = helm.succeed("get hooks", argv.hooks(helm.spec, number), doing=doing)
    values = helm.succeed("get values", argv.values(helm.spec, number), doing=doing)
    origin = f"revision {number}"
    found = Rendered(
        revision=number,
        namespace=namespace,
        chart=revision.chart,
        app_version=revision.app_version,
        objects=objects_of(manifest, origin=origin),
        hooks=_no_tests(objects_of(hooks, origin=f"hooks of {origin}")),
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
    return Rendered(
        revision=int(document.get("version") or 0),
        namespace=str(document.get("namespace") or ""),
        chart=f"{metadata.get('name', '')}-{metadata.get('version', '')}",
        app_version=str(metadata.get("appVersion") or ""),
        objects=objects_of(str(document.get("manifest") or "").encode(), origin="the chart"),
        hooks=_no_tests(objects_of("\n---\n".join(texts).encode(), origin="the chart's hooks")),
        values=_mapping(document.get("config")),
    )


def hide(rendered: Rendered, report: StepReport) -> None:
    """Mask the values of all Secrets."""
    bodies = [each.body for each in (*rendered.objects, *rendered.hooks)]
    for name, value in secrets_of(bodies):
        report.hide(value, name)


def annotation(body: Mapping[str, Any], name: str) -> str:
    """An annotation of an object, "" for none."""
    found = _mapping(_mapping(body.get("metadata")).get("annotations")).get(name)
    return found if isinstance(found, str) else ""


def _no_tests(hooks: Iterable[KubeObject]) -> tuple[KubeObject, ...]:
    return tuple(
        each for each in hooks if not annotation(each.body, "helm.sh/hook").startswith(_TEST)
    )


def _bodies(objects: Iterable[KubeObject]) -> list[Mapping[str, Any]]:
    return sorted((each.body for each in objects), key=lambda body: json.dumps(body, default=str))


def _json(stdout: bytes, doing: str) -> Any:
    try:
        return json.loads(stdout)
    except (ValueError, RecursionError):
        raise ToolFailed(f"could not {doing}: what helm wrote is no JSON") from None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
