"""The keys of a policy file, and what may stand under them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from calamari_py.addresses import ENDPOINT
from calamari_py.identity import MAX_DURATION, MIN_DURATION, PARTITIONS
from calamari_py.manifest.scalars import AccountId, Rule, parse_duration
from calamari_py.manifest.shapes import GIVEN
from calamari_py.manifest.types import AccountSource, AccountType

_ROLE_PATTERN = re.compile(r"arn:[a-z*?-]+:iam::[0-9*?]+:role/[!-~]+", re.ASCII)
_REGION_PATTERN = re.compile(r"[a-z0-9*?-]+", re.ASCII)
_NAME_PATTERN = re.compile(r"[\w+=,.@*?-]+", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_PORTS = {"https": 443, "http": 80}


def endpoint_origin(url: str) -> str:
    """``scheme://host:port`` of `url`, in lower case, or ValueError for what is no plain URL."""
    match = ENDPOINT.fullmatch(url)
    if match is None:
        raise ValueError("is no plain URL; write https://HOST or https://HOST:PORT")
    scheme = match["scheme"].lower()
    return f"{scheme}://{match['host'].lower()}:{int(match['port'] or _PORTS[scheme])}"


def _pattern(name: str, allowed: re.Pattern[str], example: str) -> Rule:
    def parse(text: str) -> str:
        if not allowed.fullmatch(text):
            raise ValueError(f"is no {name}; write one like {example}")
        return text

    return Rule(name, parse, {"type": "string"})


def _parse_partition(text: str) -> str:
    if text not in PARTITIONS:
        raise ValueError(f"is no partition; partitions: {', '.join(PARTITIONS)}")
    return text


def _parse_endpoint(text: str) -> str:
    origin = endpoint_origin(text)
    if text.count("/") > 2 and not text.endswith("/"):
        raise ValueError("has a path; an endpoint is allowed as a whole: https://HOST:PORT")
    return origin


def _parse_command(text: str) -> str:
    parts = text.split("/")
    if parts[0] or "" in parts[1:] or {".", ".."} & {*parts}:
        raise ValueError("is not an absolute path without '.', '..' and '//'")
    return text


def _parse_max_duration(text: str) -> int:
    seconds = parse_duration(text)
    if not MIN_DURATION <= seconds <= MAX_DURATION:
        raise ValueError("must be between 15m and 12h")
    return int(seconds)


RolePattern = Annotated[
    str,
    _pattern("role ARN pattern", _ROLE_PATTERN, "arn:aws:iam::111111111111:role/Deploy*"),
]
RegionPattern = Annotated[str, _pattern("region pattern", _REGION_PATTERN, "eu-*")]
NamePattern = Annotated[str, _pattern("name pattern", _NAME_PATTERN, "payments-*")]
ExternalId = Annotated[
    str,
    _pattern("external id (2 to 1224 of letters, digits and _+=,.@:/-)", _EXTERNAL_ID, "x-4711"),
]
Partition = Annotated[str, Rule("partition", _parse_partition, {"type": "string"})]
Endpoint = Annotated[str, Rule("endpoint", _parse_endpoint, {"type": "string"})]
CommandPath = Annotated[str, Rule("path", _parse_command, {"type": "string"})]
MaxDuration = Annotated[int, Rule("duration", _parse_max_duration, {"type": "string"})]


class PolicyRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a policy file. None: not limited; an empty list: nothing is allowed.

    `max_duration` is in seconds; `endpoints` are origins (`endpoint_origin`).
    """

    version: Annotated[Literal[1], GIVEN] = 1
    accounts: Annotated[tuple[AccountId, ...] | None, GIVEN] = None
    roles: Annotated[tuple[RolePattern, ...] | None, GIVEN] = None
    partitions: Annotated[tuple[Partition, ...] | None, GIVEN] = None
    regions: Annotated[tuple[RegionPattern, ...] | None, GIVEN] = None
    external_ids: Annotated[tuple[ExternalId, ...] | None, GIVEN] = None
    session_names: Annotated[tuple[NamePattern, ...] | None, GIVEN] = None
    source_identities: Annotated[tuple[NamePattern, ...] | None, GIVEN] = None
    tags: Annotated[dict[str, tuple[str, ...]] | None, GIVEN] = None
    endpoints: Annotated[tuple[Endpoint, ...] | None, GIVEN] = None
    token_commands: Annotated[tuple[CommandPath, ...] | None, GIVEN] = None
    projects: Annotated[tuple[str, ...] | None, GIVEN] = None
    environments: Annotated[tuple[str, ...] | None, GIVEN] = None
    deployments: Annotated[tuple[str, ...] | None, GIVEN] = None
    account_types: Annotated[tuple[AccountType, ...] | None, GIVEN] = None
    sources: Annotated[tuple[AccountSource, ...] | None, GIVEN] = None
    profiles: Annotated[tuple[str, ...] | None, GIVEN] = None
    allow_launcher_as_role: Annotated[bool | None, GIVEN] = None
    allow_expose_to_step: bool = False
    allow_fallback: bool = False
    allow_no_mask: bool = False
    session_policy: Annotated[dict[str, Any] | None, GIVEN] = None
    session_policy_arns: Annotated[tuple[str, ...] | None, GIVEN] = None
    max_duration: Annotated[MaxDuration | None, GIVEN] = None
