"""From a request to its answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.kube.server import discovery, openapi, reading, reviews, watch
from tests.kube.server.failures import ApiError, Body, forbidden, no_such_resource, not_allowed
from tests.kube.server.kinds import BUILT_IN, Type, defined_by
from tests.kube.server.operations import Operations
from tests.kube.server.routes import Target, target, verb_of
from tests.kube.server.tables import table, wants_table
from tests.kube.server.wire import Answer, Request, answer

if TYPE_CHECKING:
    from tests.kube.server.server import KubeServer

_VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.3-eks-1234567",
    "gitCommit": "0",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.23.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_LONG = 1800.0


class Api:
    """All that the server can be asked."""

    def __init__(self, server: KubeServer, operations: Operations) -> None:
        self._server = server
        self._operations = operations

    def types(self) -> tuple[Type, ...]:
        """The built-in types and those of all definitions there are now."""
        definitions = self._server.store.list("CustomResourceDefinition")
        return BUILT_IN + tuple(one for crd in definitions for one in defined_by(crd))

    def answer(self, request: Request) -> Answer:
        """What the request gets; raises ApiError."""
        told = self._told(request)
        if told is not None:
            return told
        found = target(request.path, self.types())
        watching = request.query.get("watch") in ("true", "1")
        verb = verb_of(request.method, found, watch=watching)
        asked = found.asked(verb)
        if refusal := self._server.rights.refusal(asked):
            raise refusal
        if found.type.create_only:
            return reviews.reviewed(self._server.rights, found, request)
        if not self._server.rights.allows(asked):
            raise forbidden(
                user=request.caller.name,
                verb=verb,
                plural=found.type.plural,
                subresource=found.subresource,
                group=found.type.group,
                namespace=found.namespace,
                name=found.name,
            )
        return self._carried_out(verb, found, request)

    def _carried_out(self, verb: str, found: Target, request: Request) -> Answer:
        does = self._operations
        store = self._server.store
        if verb == "watch":
            return self._watch(found, request)
        if verb == "list":
            return reading.listed(store, found, request, self._server.time())
        if verb == "get":
            if found.subresource == "log":
                pod = store.read(found.key)
                if pod is None:
                    raise found.missing()
                return reading.logged(self._server, found, request, pod)
            return does.get(found, request)
        if verb == "create" and not found.subresource:
            return does.create(found, request)
        if verb == "update":
            return does.replace(found, request)
        if verb == "patch":
            return does.patch(found, request)
        if verb == "delete":
            return does.delete(found, request)
        if verb == "deletecollection":
            listed = reading.listed(store, found, request, self._server.time())
            does.delete_all(found, request, reading.bodies(store, found, request))
            return listed
        raise not_allowed()

    def _watch(self, found: Target, request: Request) -> Answer:
        server = self._server
        seconds = float(request.query.get("timeoutSeconds") or _LONG)
        if server.watch_limit is not None:
            seconds = min(seconds, server.watch_limit)
        version = found.type.api_version

        def told(body: Body) -> Body:
            if wants_table(request.accept):
                meta = {"resourceVersion": body["metadata"]["resourceVersion"]}
                return table(found.type, [body], meta, server.time())
            return {**body, "apiVersion": version}

        return Answer(
            stream=watch.events(
                server.store,
                fits=reading.fits(found),
                matches=reading.matches(request),
                told=told,
                kind={"kind": found.type.kind, "apiVersion": version},
                version=request.query.get("resourceVersion", ""),
                bookmarks=request.query.get("allowWatchBookmarks") in ("true", "1"),
                ends=time.monotonic() + seconds,
                open_=lambda: server.open,
            )
        )

    def _told(self, request: Request) -> Answer | None:
        """What is about the server, and not about objects."""
        path = request.path.rstrip("/")
        if path == "/version":
            return answer(dict(_VERSION))
        if path in ("/healthz", "/livez", "/readyz"):
            return Answer(body=b"ok", content_type="text/plain")
        if path.startswith("/openapi"):
            return self._openapi(path)
        if path in ("/api", "/apis"):
            if "APIGroupDiscoveryList" in request.accept:
                body = discovery.aggregated(self.types(), core=path == "/api")
                whole = answer(body)
                return Answer(body=whole.body, content_type=discovery.AGGREGATED)
            if path == "/api":
                return answer(discovery.versions_of_core(self._server.url))
            return answer(discovery.group_list(self.types()))
        parts = path.strip("/").split("/")
        found = None
        if parts == ["api", "v1"]:
            found = discovery.resource_list(self.types(), "", "v1")
        elif parts[0] == "apis" and len(parts) == 2:
            found = discovery.group_of(self.types(), parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = discovery.resource_list(self.types(), parts[1], parts[2])
        else:
            return None
        if found is None:
            raise no_such_resource()
        return answer(found)

    def _openapi(self, path: str) -> Answer:
        found = None
        if path == "/openapi/v2":
            body = openapi.document_v2(self.types())
            return Answer(body=body, content_type=openapi.V2_TYPE)
        if path == "/openapi/v3":
            found = openapi.index(self.types())
        elif path.startswith("/openapi/v3/"):
            found = openapi.document(self.types(), path.removeprefix("/openapi/v3/"))
        if found is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return answer(found)
