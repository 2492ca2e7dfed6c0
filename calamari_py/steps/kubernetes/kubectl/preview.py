"""The commands that a run would start, in order, as far as anyone can tell without starting one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from calamari_py.steps._script import planned_command
from calamari_py.steps.base import PlannedCommand
from calamari_py.steps.kubernetes.applying.namespace import namespace_ref
from calamari_py.steps.kubernetes.kubectl.actions.wait import wait_words
from calamari_py.steps.kubernetes.kubectl.sources import get_words, kustomize_words
from calamari_py.steps.kubernetes.objects.order import phases
from calamari_py.steps.kubernetes.spec import KubectlSpec, WaitSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef

_PRIVATE = Path("{private}")


def preview(spec: KubectlSpec) -> tuple[PlannedCommand, ...]:
    """Where what is found decides how often something is repeated, it is there once. A
    kustomization stands as one file, whatever it makes."""
    if spec.script is not None:
        return (planned_command(spec.script),)
    program = str(spec.binary)
    lines = (("version", "--client", "-o", "json"), *_words(spec))
    return tuple(
        PlannedCommand(argv=(program, *argv.with_timeout(words)), directory=spec.folder)
        if words[0] != "wait"
        else PlannedCommand(argv=(program, *words), directory=spec.folder)
        for words in lines
    )


def _words(spec: KubectlSpec) -> Iterator[tuple[str, ...]]:
    if spec.action == "wait":
        yield wait_words(spec, (spec.wait or WaitSpec()).timeout)
        return
    if spec.kustomize is not None and not (spec.action == "rollout-status" and spec.resources):
        yield kustomize_words(str(spec.kustomize))
    if spec.action == "apply" and not spec.dry_run:
        yield from _apply(spec)
    elif spec.action in ("apply", "diff"):
        yield _look()
        yield argv.apply(_files(spec.objects), spec, dry_run=True)
    elif spec.action == "delete":
        yield _look()
        if not spec.dry_run:
            yield argv.delete(_files(spec.objects))
            yield from [_look()] if spec.wait is not None else []
    else:
        if spec.resources:
            yield get_words(spec.resources, spec.selector)
        else:
            yield _look()
        yield _rollout([each.ref for each in spec.objects])


def _apply(spec: KubectlSpec) -> Iterator[tuple[str, ...]]:
    refs = [each.ref for each in spec.objects]
    if spec.namespace and namespace_ref(spec.namespace) not in refs:
        yield _look()
        if spec.create_namespace:
            yield ("create", "namespace", spec.namespace, argv.WRITE_TIMEOUT)
    yield _look()
    named = [each for each in spec.objects if each.ref.name]
    parts = (named,) if spec.applyset or not named else phases(named)
    for part in parts:
        prunes_in = spec.namespace if spec.applyset else None
        yield argv.apply(_files(part), spec, prunes_in=prunes_in)
    for nameless in (each for each in spec.objects if not each.ref.name):
        yield argv.create(_files([nameless])[0], spec)
    yield _look()
    if spec.wait is not None:
        yield _rollout(refs)


def _look() -> tuple[str, ...]:
    """What is there of all objects."""
    return argv.get_file(_files(())[0])


def _rollout(refs: Sequence[ObjectRef]) -> tuple[str, ...]:
    types = list(dict.fromkeys(ref.type for ref in refs)) or ["TYPES"]
    return argv.get_types(types, namespace="", selector="")


def _files(objects: Sequence[KubeObject]) -> list[Path]:
    """The private files in which objects are handed over; one where nobody knows how many."""
    return [_PRIVATE / f"{number:04}.yaml" for number in range(1, max(1, len(objects)) + 1)]
