"""What the verbs do to objects."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime

from tests.kube.server import defaults, fields, validity
from tests.kube.server.failures import (
    ApiError,
    Body,
    already_exists,
    bad_request,
    modified,
    not_found,
)
from tests.kube.server.outcomes import (
    establish,
    fields_given,
    gone,
    keep_meta,
    kept,
    patched,
    policy_of,
    scale_of,
)
from tests.kube.server.routes import Target
from tests.kube.server.store import Key, Store, key_of, random_suffix
from tests.kube.server.tables import table, wants_table
from tests.kube.server.wire import Answer, Request, answer


class Operations:
    """Changes of objects, as the API makes them."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], *, establish: bool = True
    ) -> None:
        self._store = store
        self._clock = clock
        self._establish = establish

    # --- the verbs -------------------------------------------------------------------------------

    def create(self, target: Target, request: Request) -> Answer:
        body = self._body(target, request)
        with self._store.changing():
            meta = body["metadata"]
            if not meta.get("name") and meta.get("generateName"):
                meta["name"] = meta["generateName"] + random_suffix()
            if not meta.get("name"):
                validity.check_name(target.type, body)
            self._refuse_ended_namespace(target)
            found = Target(type=target.type, namespace=target.namespace, name=meta["name"])
            if self._store.read(found.key) is not None:
                raise already_exists(found.type.plural, found.type.group, found.name)
            for name in ("uid", "resourceVersion", "managedFields", "creationTimestamp"):
                meta.pop(name, None)
            if found.type.statused:
                body.pop("status", None)
            return self._commit(found, request, None, body, status=201)

    def replace(self, target: Target, request: Request) -> Answer:
        body = self._body(target, request)
        with self._store.changing():
            before = self._present(target)
            version = body["metadata"].get("resourceVersion")
            if version and version != before["metadata"]["resourceVersion"]:
                raise modified(target.type.plural, target.type.group, target.name)
            if target.subresource == "scale":
                return self._scaled(target, request, before, body)
            return self._commit(target, request, before, kept(target, before, body))

    def patch(self, target: Target, request: Request) -> Answer:
        with self._store.changing():
            if request.content_type == "application/apply-patch+yaml":
                return self._apply(target, request)
            before = self._present(target)
            now = scale_of(target, before) if target.subresource == "scale" else before
            after = patched(target, request, now)
            version = after["metadata"].get("resourceVersion")
            if version and version != before["metadata"]["resourceVersion"]:
                raise modified(target.type.plural, target.type.group, target.name)
            if target.subresource == "scale":
                return self._scaled(target, request, before, after)
            return self._commit(target, request, before, kept(target, before, after))

    def delete(self, target: Target, request: Request) -> Answer:
        options = request.object()
        with self._store.changing():
            before = self._present(target)
            uid = (options.get("preconditions") or {}).get("uid")
            if uid and uid != before["metadata"]["uid"]:
                raise modified(target.type.plural, target.type.group, target.name)
            if request.dry_run or "All" in (options.get("dryRun") or ()):
                return answer(gone(target, before))
            left = self._store.delete(target.key, policy=policy_of(request, options))
            still = self._store.read(target.key)
        return answer(self._told(target, still) if still else gone(target, left or before))

    def delete_all(self, target: Target, request: Request, bodies: list[Body]) -> None:
        """`deletecollection`."""
        policy = policy_of(request, request.object())
        if not request.dry_run:
            for body in bodies:
                self._store.delete(key_of(body), policy=policy)

    def get(self, target: Target, request: Request) -> Answer:
        body = self._present(target)
        if target.subresource == "scale":
            return answer(scale_of(target, body))
        if wants_table(request.accept):
            meta = {"resourceVersion": body["metadata"]["resourceVersion"]}
            return answer(table(target.type, [body], meta, self._clock()))
        return answer(self._told(target, body))

    # --- how they do it --------------------------------------------------------------------------

    def _body(self, target: Target, request: Request) -> Body:
        body = request.object()
        if target.subresource == "scale":
            body.setdefault("metadata", {})
            return body
        type_ = target.type
        body.setdefault("apiVersion", type_.api_version)
        body.setdefault("kind", type_.kind)
        if (body["apiVersion"], body["kind"]) != (type_.api_version, type_.kind):
            raise bad_request(
                f"the object provided is unrecognized (must be of type {type_.kind}): "
                f"{body['apiVersion']}, Kind={body['kind']}"
            )
        meta = body.get("metadata") or {}
        body["metadata"] = meta
        if type_.namespaced:
            given = meta.setdefault("namespace", target.namespace)
            if given != target.namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on "
                    "the request"
                )
        if target.name and meta.setdefault("name", target.name) != target.name:
            raise bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL "
                f"({target.name})"
            )
        return body

    def _present(self, target: Target) -> Body:
        body = self._store.read(target.key)
        if body is None:
            raise target.missing()
        return body

    def _refuse_ended_namespace(self, target: Target) -> None:
        if not target.type.namespaced:
            return
        home = self._store.read(Key("", "Namespace", "", target.namespace))
        if home is None:
            raise not_found("namespaces", "", target.namespace)
        if home["metadata"].get("deletionTimestamp"):
            name = target.namespace
            raise ApiError(
                403,
                "Forbidden",
                f'{target.type.plural} "{target.name}" is forbidden: unable to create new content '
                f"in namespace {name} because it is being terminated",
            )

    def _apply(self, target: Target, request: Request) -> Answer:
        if "fieldManager" not in request.query:
            raise ApiError(
                422,
                "Invalid",
                'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required '
                "for apply patch",
            )
        patch = self._body(target, request)
        before = self._store.read(target.key)
        if before is None:
            self._refuse_ended_namespace(target)
        if patch["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        validity.check_typed(target.type, patch)
        version = patch["metadata"].pop("resourceVersion", None)
        if version and (before is None or version != before["metadata"]["resourceVersion"]):
            raise modified(target.type.plural, target.type.group, target.name)
        if target.type.statused and target.subresource != "status":
            patch.pop("status", None)
        entry = self._entry(target, request, "Apply")
        force = request.query.get("force") == "true"
        live = None if before is None else self._told(target, before)
        after = fields.apply(target.type, live, patch, entry, force=force)
        return self._commit(
            target, request, before, after, status=200 if before else 201, applied=True
        )

    def _commit(
        self,
        target: Target,
        request: Request,
        before: Body | None,
        body: Body,
        *,
        status: int = 200,
        applied: bool = False,
    ) -> Answer:
        """Defaults, checks, ownership; then it is stored, unless it is a dry run."""
        type_ = target.type
        warnings = validity.check_fields(type_, body, request.query.get("fieldValidation", ""))
        body = self._store.complete(body, before)
        defaults.fill(type_, body)
        validity.check(type_, before, body)
        keep_meta(before, body)
        if before is None and type_.kind == "CustomResourceDefinition" and self._establish:
            establish(body, self._store.stamp())
        if not applied and not fields_given(before, body):
            old = None if before is None else self._told(target, before)
            fields.record_update(type_, old, body, self._entry(target, request, "Update"))
        if not request.dry_run:
            body = self._store.write(body)
        elif before is None:
            body["metadata"].pop("resourceVersion", None)
        return answer(self._told(target, body), status, warnings=warnings)

    def _entry(self, target: Target, request: Request, operation: str) -> fields.Entry:
        return fields.Entry(
            name=request.manager,
            operation=operation,
            subresource=target.subresource,
            version=target.type.api_version,
            time=self._store.stamp(),
        )

    def _told(self, target: Target, body: Body) -> Body:
        """The object in the version that was asked for."""
        return {**body, "apiVersion": target.type.api_version}

    def _scaled(self, target: Target, request: Request, before: Body, scale: Body) -> Answer:
        after = copy.deepcopy(before)
        after.setdefault("spec", {})["replicas"] = (scale.get("spec") or {}).get("replicas", 0)
        self._commit(target, request, before, after)
        return answer(scale_of(target, after))
