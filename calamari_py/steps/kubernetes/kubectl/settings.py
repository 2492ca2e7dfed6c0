"""What of a section fits together, and what its names may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes import common
from calamari_py.steps.kubernetes.sections import KubectlAction, KubectlSection, WaitSection
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.tool.argv import TYPE, is_namespaced_parent
from calamari_py.steps.kubernetes.values import KubeObject

FILE_ACTIONS = ("apply", "diff", "delete")
"""What is about the objects of kube manifests."""
_LOOKING = ("rollout-status", "wait")
_FOLLOWING = ("apply", "rollout-status")

_LONGEST_MANAGER = 128
_TYPE = TYPE.pattern
_TYPES = re.compile(rf"{_TYPE}(,{_TYPE})*", re.ASCII)
_NAMED = re.compile(rf"{_TYPE}/[^\s/%]+", re.ASCII)
_CONDITION = re.compile(r"delete|create|condition=[^\s=]+(=\S+)?|jsonpath=.+", re.DOTALL)
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def action_of(section: KubectlSection, wished: str | None, checks: Checks) -> KubectlAction:
    """What is done. A section that says nothing and has a script is about that."""
    said: KubectlAction | None = wished or section.action  # type: ignore[assignment]
    if said is not None:
        return said
    if section.script is None:
        return "apply"
    if section.files or section.kustomize:
        message = "is missing: there is a script, and there is something to apply"
        checks.refuse("action", message, "write action: script or action: apply")
    return "script"


def check_names(section: KubectlSection, checks: Checks) -> None:
    """Names that Kubernetes takes."""
    common.check_namespace(section.namespace, checks, creates=section.create_namespace)
    manager = section.field_manager
    if not manager.strip() or not manager.isprintable() or len(manager) > _LONGEST_MANAGER:
        shown = checks.shown("field_manager", manager)
        hint = f"use printable letters, {_LONGEST_MANAGER} at most"
        checks.refuse("field_manager", f"{shown} is no name of a field manager", hint)


def check_fitting(section: KubectlSection, action: KubectlAction, checks: Checks) -> None:
    """What contradicts itself, or is not there, is refused; what the action has no use for is said.
    One manifest serves several actions (``--action``), so that alone is no mistake."""
    if section.files and section.kustomize:
        message = "and 'files' are both there, and an object has one source"
        checks.refuse("kustomize", message, "write one of them")
    if section.force_conflicts and not section.server_side:
        message = "is for applying on the server's side, and 'server_side' is false"
        checks.refuse("force_conflicts", message, "remove one of the two")
    for field, message, hint in _missing(section, action):
        checks.refuse(field, message, hint)
    if action == "script" and section.create_namespace:
        message = "does not go with a script, which may make it itself"
        hint = "write into it: kubectl create namespace NAME"
        checks.refuse("create_namespace", message, hint)
    for field, why in _unused(section, action):
        checks.warn(field, f"does nothing with action '{action}': {why}")


def _missing(section: KubectlSection, action: KubectlAction) -> Iterator[tuple[str, str, str]]:
    """Fields that the action cannot do without."""
    has_files = bool(section.files or section.kustomize)
    if action in FILE_ACTIONS and not has_files:
        message = f"is missing: action '{action}' is about objects in files"
        yield "files", message, "write files: [k8s/*.yaml], or kustomize: DIRECTORY"
    if action == "rollout-status" and not has_files and not section.resources:
        message = "is missing: nothing says which rollout is meant"
        yield "resources", message, "write resources: [deployment/web], or files"
    if action == "wait" and not section.resources:
        message = "is missing: nothing says what is waited for"
        yield "resources", message, "write resources: [job/migrate]"
    if action == "wait" and not section.condition:
        message = "is missing: nothing says for what"
        yield "condition", message, "write condition: condition=Complete, or delete"
    if action == "script" and section.script is None:
        yield "script", "is missing", "write script: kubectl get pods"


def _unused(section: KubectlSection, action: KubectlAction) -> Iterator[tuple[str, str]]:
    if action == "rollout-status" and not section.resources and section.selector:
        yield "selector", "it is for kinds that 'resources' name"
    if action in (*FILE_ACTIONS, "script"):
        for field in ("resources", "selector", "condition"):
            if getattr(section, field):
                yield field, "it is for rollout-status and wait"
    if action == "script" and "/" in section.binary:
        yield "binary", "a script finds kubectl on its PATH"
    if action == "rollout-status" and section.resources and (section.files or section.kustomize):
        yield "files" if section.files else "kustomize", "resources say which rollouts are meant"


def check_namespaces(
    section: KubectlSection, objects: Sequence[KubeObject], checks: Checks
) -> None:
    """Files that name a namespace of their own are not changed: kubectl itself would refuse them,
    where a namespace is named on its command line."""
    own = sorted({each.ref.namespace for each in objects} - {"", section.namespace})
    if section.namespace and own:
        listed = ", ".join(f"'{name}'" for name in own)
        checks.warn("namespace", f"is not that of all files: some name {listed} themselves")


def check_resources(section: KubectlSection, checks: Checks) -> None:
    """Names of objects as kubectl takes them, and what is waited for."""
    for index, text in enumerate(section.resources):
        field = f"resources[{index}]"
        shown = checks.shown(field, text)
        if not (_TYPES.fullmatch(text) or _NAMED.fullmatch(text)):
            hint = "write deployment/web, or pods with a selector"
            checks.refuse(field, f"{shown} names no object", hint)
        elif "/" not in text and not section.selector:
            message = f"{shown} is a kind without a name"
            checks.refuse(field, message, "write kind/name, or say which by 'selector'")
        elif "/" in text and section.selector:
            message = f"{shown} is one object, and a selector is for kinds"
            checks.refuse(field, message, "remove the name, or 'selector'")
    if section.selector is not None and not _is_plain(section.selector):
        shown = checks.shown("selector", section.selector)
        checks.refuse("selector", f"{shown} selects nothing", "write labels: app=web,tier!=cache")
    if section.condition is not None and not _CONDITION.fullmatch(section.condition):
        shown = checks.shown("condition", section.condition)
        hint = "write delete, create, condition=NAME, or jsonpath='{.status.phase}'=Running"
        checks.refuse("condition", f"{shown} is nothing that can be waited for", hint)


def _is_plain(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


def read_kustomize(
    section: KubectlSection, action: KubectlAction, checks: Checks, context: ParseContext
) -> Path | None:
    """The folder that kustomize builds, None where there is none or the action needs none."""
    written = section.kustomize
    if written is None or action in ("wait", "script"):
        return None
    shown = checks.shown("kustomize", written)
    folder = context.folder / written
    if not written.strip():
        checks.refuse("kustomize", "is blank", "remove it, or name a folder")
    elif "://" in written or written.startswith(("github.com/", "git@")):
        message = f"{shown} is on the network: what it holds may change at any time"
        hint = "fetch it before, and name a folder; a kustomization in it may have remote bases"
        checks.refuse("kustomize", message, hint)
    elif not folder.is_dir():
        hint = f"correct the path; it is relative to {context.folder}"
        checks.missing("kustomize", f"{shown} is no folder", hint)
    elif not any((folder / name).is_file() for name in _KUSTOMIZATIONS):
        hint = "name the folder it is in, or write files: [DIRECTORY] for plain kube manifests"
        checks.missing("kustomize", f"{shown} holds no kustomization.yaml", hint)
    return folder.resolve()


def check_prune(section: KubectlSection, objects: Sequence[KubeObject], checks: Checks) -> None:
    """What an ApplySet can and cannot keep together."""
    prune = section.prune
    if prune is None:
        return
    shown = checks.shown("prune.applyset", prune.applyset)
    if not _NAMED.fullmatch(prune.applyset):
        message = f"{shown} names no parent of an ApplySet"
        checks.refuse("prune.applyset", message, "write configmaps/NAME or secrets/NAME")
    if not section.server_side:
        message = "is for applying on the server's side, and 'server_side' is false"
        checks.refuse("prune", message, "remove one of the two")
    if section.kustomize:
        message = "is for files: what a kustomization makes is not known before"
        checks.refuse("prune", message, "remove it, or write files")
    if section.namespace is None and is_namespaced_parent(prune.applyset):
        message = "needs a namespace: that is where the ApplySet is kept"
        checks.refuse("prune", message, "write namespace")
    for each in objects:
        if each.generate_name:
            message = f"cannot tell which '{each.generate_name}…' it made ({each.place})"
            checks.refuse("prune", message, "give the object a name")


def read_wait(
    written: WaitSection | bool,
    action: KubectlAction,
    checks: Checks,
) -> WaitSpec | None:
    """How long is waited, None for not at all."""
    if written is False and action in _LOOKING:
        hint = "remove it, or write how long: wait: {timeout: 10m}"
        checks.refuse("wait", f"is false, and action '{action}' waits", hint)
    return common.read_wait(written, checks, follows=action in _FOLLOWING)
