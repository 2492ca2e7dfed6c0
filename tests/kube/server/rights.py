"""Who calls, what is forbidden to them, and what a test has the server answer instead."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.kube.server.failures import ApiError, qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request comes from. `arn` is there for who showed an EKS token."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request wants: a verb of RBAC, the resource (``pods``, ``pods/log``) and where."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def qualified(self) -> str:
        return qualified(self.resource, self.group)


@dataclass(slots=True)
class _Rule:
    verb: str
    resource: str
    namespace: str
    name: str
    error: ApiError | None = None
    left: int | None = None

    def fits(self, asked: Asked) -> bool:
        return (
            self.left != 0
            and fnmatchcase(asked.verb, self.verb)
            and any(fnmatchcase(one, self.resource) for one in (asked.resource, asked.qualified))
            and fnmatchcase(asked.namespace, self.namespace)
            and fnmatchcase(asked.name, self.name)
        )


@dataclass(slots=True)
class Rights:
    """All is allowed but what `forbid` names; `*` and `?` stand for anything in all its words."""

    _forbidden: list[_Rule] = field(default_factory=list)
    _refusals: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def forbid(self, verb: str, resource: str, *, namespace: str = "*", name: str = "*") -> None:
        self._forbidden.append(_Rule(verb, resource, namespace, name))

    def allow_all(self) -> None:
        """Forget what was forbidden and refused."""
        self._forbidden.clear()
        self._refusals.clear()

    def refuse_with(
        self,
        error: ApiError,
        *,
        verb: str,
        resource: str,
        namespace: str,
        name: str,
        times: int | None,
    ) -> None:
        self._refusals.append(_Rule(verb, resource, namespace, name, error, times))

    def allows(self, asked: Asked) -> bool:
        return not any(rule.fits(asked) for rule in self._forbidden)

    def refusal(self, asked: Asked) -> ApiError | None:
        """What a test wants answered; counted."""
        with self._lock:
            for rule in self._refusals:
                if rule.fits(asked):
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.error
        return None
