"""Which objects an action is about: those of the files, or what kustomize builds."""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.objects.load import objects_of
from calamari_py.steps.kubernetes.objects.secrets import secrets_of
from calamari_py.steps.kubernetes.tool.listed import read_items
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ref_of


def objects_for(work: Work) -> tuple[KubeObject, ...]:
    """The objects of the spec. Every secret in them is known before anything is said of them."""
    folder = work.spec.kustomize
    if folder is None:
        return work.spec.objects
    built = work.kubectl.succeed(*kustomize_words(str(folder)), doing="build the kustomization")
    objects = objects_of(built, origin=f"the kustomization '{folder.name}'")
    for name, value in secrets_of(each.body for each in objects):
        work.report.hide(value, name)
    if not objects:
        raise ToolFailed(
            f"the kustomization '{folder.name}' holds no object",
            hint="name what belongs to it under 'resources' in its kustomization.yaml",
        )
    return objects


def kustomize_words(folder: str) -> tuple[str, ...]:
    """The command that builds `folder`."""
    return ("kustomize", folder)


def resource_refs(work: Work) -> tuple[ObjectRef, ...]:
    """What `resources` name in the cluster. ToolFailed for one that is not there."""
    named = ", ".join(work.spec.resources)
    found = work.kubectl.succeed(*get_words(work.spec.resources, work.spec.selector),
                                 doing=f"look at {named}")  # fmt: skip
    refs = tuple(dict.fromkeys(ref_of(body) for body in read_items(found)))
    if not refs:
        chosen = f" with labels '{work.spec.selector}'" if work.spec.selector else ""
        raise ToolFailed(
            f"there are no {named}{chosen}",
            hint="correct 'resources', 'selector' or 'namespace'",
        )
    return refs


def get_words(resources: tuple[str, ...], selector: str) -> tuple[str, ...]:
    """The command that shows what `resources` name."""
    chosen = (f"--selector={selector}",) if selector else ()
    return ("get", *resources, *chosen, "-o", "json")
