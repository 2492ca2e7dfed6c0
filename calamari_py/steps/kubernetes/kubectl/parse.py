"""A section becomes a spec, or every problem that can be told before anything is started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from calamari_py.errors import UsageError
from calamari_py.steps._checks import Checks
from calamari_py.steps._script import ScriptSpec, parse_script
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.access.parse import read_cluster, secrets_of
from calamari_py.steps.kubernetes.common import find_program
from calamari_py.steps.kubernetes.kubectl.settings import (
    FILE_ACTIONS,
    action_of,
    check_fitting,
    check_names,
    check_namespaces,
    check_prune,
    check_resources,
    read_kustomize,
    read_wait,
)
from calamari_py.steps.kubernetes.objects.load import load_objects
from calamari_py.steps.kubernetes.objects.secrets import secrets_of as secrets_in
from calamari_py.steps.kubernetes.sections import KubectlAction, KubectlSection
from calamari_py.steps.kubernetes.spec import ClusterSpec, KubectlSpec
from calamari_py.steps.kubernetes.values import KubeObject
from calamari_py.templates import LATE_TEXT


def parse_kubectl(section: KubectlSection, context: ParseContext) -> KubectlSpec:
    """What is to be done, its kube manifests read.

    Raises ManifestError with all problems, FileMissing when nothing else is wrong than that files
    are missing, UsageError for a rehearsal of what nobody can rehearse, and then ToolMissing or
    CommandNotExecutable for the program.
    """
    checks = Checks(context)
    action = action_of(section, context.wishes.action, checks)
    if action == "script" and context.wishes.dry_run:
        message = "--dry-run is not for action 'script': nobody knows what a script would do"
        raise UsageError(message, hint="leave it out, or name another action with --action")
    cluster = read_cluster(section.cluster, checks, context)
    check_names(section, checks)
    check_fitting(section, action, checks)
    check_resources(section, checks)
    kustomize = read_kustomize(section, action, checks, context)
    objects = _objects(section, action, checks, context)
    check_namespaces(section, objects, checks)
    check_prune(section, objects, checks)
    wait = read_wait(section.wait, action, checks)
    script = _script(section, action, checks, context)
    if LATE_TEXT in section.binary:
        checks.refuse("binary", "must be known before there are credentials")
    checks.found.raise_if_any()
    assert cluster is not None
    return KubectlSpec(
        action=action,
        dry_run=context.wishes.dry_run,
        binary=find_program(section.binary, context, field="kubectl.binary"),
        cluster=cluster,
        namespace=section.namespace or "",
        create_namespace=section.create_namespace,
        folder=context.folder,
        objects=objects,
        kustomize=kustomize,
        resources=section.resources,
        selector=section.selector or "",
        condition=section.condition or "",
        server_side=section.server_side,
        field_manager=section.field_manager,
        force_conflicts=section.force_conflicts,
        applyset=section.prune.applyset if section.prune else "",
        delete_namespaces=section.delete_namespaces,
        wait=wait,
        script=script,
        warnings=tuple(checks.warnings),
        secrets=tuple(_secrets(cluster, objects)),
    )


def _objects(
    section: KubectlSection, action: KubectlAction, checks: Checks, context: ParseContext
) -> tuple[KubeObject, ...]:
    """What is in the files, where the action is about that."""
    is_needed = action in FILE_ACTIONS or (action == "rollout-status" and not section.resources)
    if not section.files or not is_needed:
        return ()
    return load_objects(
        section.files,
        folder=context.folder,
        render=section.render,
        checks=checks,
        context=context,
        namespace=section.namespace or "",
    )


def _script(
    section: KubectlSection, action: KubectlAction, checks: Checks, context: ParseContext
) -> ScriptSpec | None:
    """The script, where that is what is done."""
    if action != "script" or section.script is None:
        return None
    with checks.found:
        return parse_script(section.script, replace(context, path=f"{context.path}.script"))
    return None


def _secrets(cluster: ClusterSpec, objects: Iterable[KubeObject]) -> Iterable[tuple[str, str]]:
    yield from secrets_of(cluster)
    yield from secrets_in(each.body for each in objects)
