"""What the server does not take: names, unknown fields, what must be there, what cannot change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.kube.server.failures import ApiError, Body, Cause, bad_request, invalid
from tests.kube.server.kinds import Type
from tests.kube.server.schema import unknown_fields, words, wrong_types, wrong_values

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_FREE = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
_LABELLED = {"Namespace", "Service"}


def check_name(type_: Type, body: Body) -> None:
    """422 for a name that cannot be one."""
    name = body["metadata"].get("name", "")
    if not name:
        text = "name or generateName is required"
        raise _invalid(type_, name, _required("metadata.name", text))
    if type_.kind in _FREE:
        return
    pattern = _LABEL if type_.kind in _LABELLED else _NAME
    if not pattern.fullmatch(name):
        label = type_.kind in _LABELLED
        rule = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc'"
            if label
            else "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
            "characters, '-' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'example.com'"
        )
        wanted = f"regex used for validation is '{pattern.pattern}')"
        text = f'Invalid value: "{name}": {rule}, {wanted}'
        cause = Cause(reason="FieldValueInvalid", message=text, field="metadata.name")
        raise _invalid(type_, name, cause)


def check_fields(type_: Type, body: Body, strictness: str) -> tuple[str, ...]:
    """Warnings about fields that there are not; 400 for them where the client wants it strict."""
    if problem := wrong_types(type_, body):
        raise _unhandled(type_, problem)
    found = [f'unknown field "{path}"' for path in unknown_fields(type_, body)]
    if not found or strictness == "Ignore":
        return ()
    if strictness == "Strict":
        raise _unhandled(type_, f"strict decoding error: {', '.join(found)}")
    return tuple(found)


def check_typed(type_: Type, patch: Body) -> None:
    """What an apply patch is refused for, before all else."""
    found = [f".{path}: field not declared in schema" for path in unknown_fields(type_, patch)]
    found += [f".{path}: expected numeric (int or float), got string" for path in words(patch)]
    if found:
        meta = patch["metadata"]
        where = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
        told = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in found)
        raise ApiError(
            500,
            "",
            f"failed to create typed patch object ({where}; {type_.api_version}, "
            f"Kind={type_.kind}): {told}",
        )


def check(type_: Type, before: Body | None, body: Body) -> None:
    """422 for an object that cannot be."""
    check_name(type_, body)
    causes = [*wrong_values(type_, body)]
    if not type_.custom:
        causes += _missing(type_, body)
        if before is not None:
            causes += _changed(type_, before, body)
    if causes:
        raise _invalid(type_, body["metadata"]["name"], *causes)


def _unhandled(type_: Type, problem: str) -> ApiError:
    kind, version = type_.kind, type_.version
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}')


def _invalid(type_: Type, name: str, *causes: Cause) -> ApiError:
    return invalid(type_.kind, type_.group, name, causes)


def _required(field: str, text: str = "") -> Cause:
    message = f"Required value: {text}" if text else "Required value"
    return Cause(reason="FieldValueRequired", message=message, field=field)


def _missing(type_: Type, body: Body) -> Iterator[Cause]:
    spec = body.get("spec") or {}
    templated = type_.group == "apps" or type_.kind == "Job"
    if templated and type_.kind != "ControllerRevision":
        yield from _containers("spec.template.spec", spec["template"]["spec"])
    if type_.group == "apps" and type_.kind != "ControllerRevision":
        yield from _selector(spec)
    if type_.kind == "Pod":
        yield from _containers("spec", spec)
    portless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    if type_.kind == "Service" and not spec.get("ports") and not portless:
        yield _required("spec.ports")


def _containers(field: str, spec: Body) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield _required(f"{field}.containers")
    for at, container in enumerate(spec.get("containers") or ()):
        for name in ("name", "image"):
            if not container.get(name):
                yield _required(f"{field}.containers[{at}].{name}")


def _selector(spec: Body) -> Iterator[Cause]:
    selector = spec.get("selector")
    if not selector:
        yield _required("spec.selector")
        return
    labels = spec["template"]["metadata"].get("labels") or {}
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        told = "".join(f'"{key}":"{value}"' for key, value in labels.items())
        value = f"map[string]string{{{told}}}"
        text = f"Invalid value: {value}: `selector` does not match template `labels`"
        yield Cause(reason="FieldValueInvalid", message=text, field="spec.template.metadata.labels")


_FIXED: dict[str, tuple[str, str]] = {
    "Deployment": ("selector", "v1.LabelSelector"),
    "ReplicaSet": ("selector", "v1.LabelSelector"),
    "DaemonSet": ("selector", "v1.LabelSelector"),
    "Job": ("template", "core.PodTemplateSpec"),
    "Service": ("clusterIP", ""),
}
_STATEFUL = {
    "replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds", "revisionHistoryLimit",
}  # fmt: skip


def _changed(type_: Type, before: Body, body: Body) -> Iterator[Cause]:
    old, new = before.get("spec") or {}, body.get("spec") or {}
    if type_.kind in _FIXED:
        name, go = _FIXED[type_.kind]
        if old.get(name) and old.get(name) != new.get(name):
            value = f"{go}{{…}}" if go else f'"{new.get(name)}"'
            yield _immutable(f"spec.{name}", value)
    elif type_.kind == "StatefulSet":
        if any(old.get(key) != new.get(key) for key in {*old, *new} - _STATEFUL):
            names = "', '".join(sorted(_STATEFUL))
            yield Cause(
                reason="FieldValueForbidden",
                message="Forbidden: updates to statefulset spec for fields other than "
                f"'{names}' are forbidden",
                field="spec",
            )
    elif before.get("immutable") and before.get("data") != body.get("data"):
        text = "Forbidden: field is immutable when `immutable` is set"
        yield Cause(reason="FieldValueForbidden", message=text, field="data")
    elif before.get("roleRef") != body.get("roleRef"):
        yield Cause(
            reason="FieldValueInvalid",
            message="Invalid value: rbac.RoleRef{…}: cannot change roleRef",
            field="roleRef",
        )


def _immutable(field: str, value: Any) -> Cause:
    text = f"Invalid value: {value}: field is immutable"
    return Cause(reason="FieldValueInvalid", message=text, field=field)
