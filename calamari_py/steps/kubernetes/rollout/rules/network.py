"""Service and Ingress: one that asks for an address has one."""

from __future__ import annotations

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, mapping, rows, text
from calamari_py.steps.kubernetes.rollout.rules.judgement import Judgement, progressing, ready


def service(body: Body, _: Family) -> Judgement:
    """A load balancer has a host name (AWS) or an address (others)."""
    if text(body, "spec", "type") != "LoadBalancer":
        return ready("exists")
    if found := _address(body):
        return ready(found)
    given = mapping(body, "spec").get("externalIPs")
    if isinstance(given, list) and given:
        return ready(str(given[0]))
    return progressing("its load balancer has no address yet")


def ingress(body: Body, _: Family) -> Judgement:
    """Its controller has said where it listens."""
    if found := _address(body):
        return ready(found)
    return progressing("its controller has given it no address yet")


def _address(body: Body) -> str:
    for row in rows(body, "status", "loadBalancer", "ingress"):
        if found := text(row, "hostname") or text(row, "ip"):
            return found
    return ""
