"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.kube.server.failures import Body, bad_request

Test = Callable[[Body], bool]
_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<no>[^\s,=!()]+)"
    r"|(?P<key>[^\s,=!()]+)\s*(?:(?P<set>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<op>==|=|!=)\s*(?P<value>[^,]*))?)\s*(?:,|$)"
)


def labels(selector: str) -> Test:
    """``a=b,c!=d,e in (f,g),!h`` as a test."""
    tests: list[Callable[[dict[str, str]], bool]] = []
    at = 0
    while at < len(selector):
        term = _TERM.match(selector, at)
        if term is None or term.end() == at:
            raise bad_request(f"unable to parse requirement: {selector!r}")
        tests.append(_term(term.groupdict()))
        at = term.end()
    return lambda body: all(test(body["metadata"].get("labels") or {}) for test in tests)


def _term(parts: dict[str, str | None]) -> Callable[[dict[str, str]], bool]:
    key = parts["key"] or parts["no"] or ""
    if parts["absent"]:
        return lambda has: key not in has
    if parts["set"]:
        values = {value.strip() for value in (parts["values"] or "").split(",")}
        wanted = parts["set"] == "in"
        return lambda has: (key in has and has[key] in values) == wanted
    if parts["op"]:
        value = (parts["value"] or "").strip()
        equal = parts["op"] != "!="
        return lambda has: (has.get(key) == value) == equal
    return lambda has: key in has


def fields(selector: str) -> Test:
    """``metadata.name=web,status.phase!=Running`` as a test: any field that holds a word."""
    wanted: list[tuple[list[str], bool, str]] = []
    for term in filter(None, selector.split(",")):
        name, sign, value = re.split(r"(!=|==|=)", term, maxsplit=1)
        wanted.append((name.strip().split("."), sign != "!=", value.strip()))
    return lambda body: all((_text(body, path) == value) == equal for path, equal, value in wanted)


def _text(body: object, path: list[str]) -> str:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    if isinstance(body, bool):
        return str(body).lower()
    return "" if body is None else str(body)
