"""The region of a step: whose word counts, and whether it can be one."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.errors import ManifestError, Problem
from calamari_py.identity import RoleRequest, is_region, partition_of
from calamari_py.manifest.types import StepManifest

VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS")


def region_of(
    step: StepManifest, environ: Mapping[str, str], *, sandbox: bool = False
) -> tuple[str | None, str | None]:
    """The region and where it came from, as far as it is known before the launcher is.

    ManifestError when the environment's is none: it becomes part of a host name.
    """
    if step.region:
        return step.region, "manifest"
    for name in VARIABLES:
        if region := environ.get(name, "").strip():
            if not is_region(region):
                problem = Problem(
                    path="region",
                    message=f"is not in the manifest, and {name} is '{region}', which is no region",
                    hint=f"correct {name}, or write 'region: eu-west-1' into the manifest",
                )
                raise ManifestError([problem])
            return region, name
    return ("us-east-1", "sandbox") if sandbox else (None, None)


def partition_problems(
    requests: tuple[RoleRequest, ...], region: str | None, environ: Mapping[str, str]
) -> list[Problem]:
    """Roles that STS of this region cannot know. An endpoint that somebody names may be any."""
    if region is None or any(environ.get(name, "").strip() for name in _ENDPOINTS):
        return []
    partition = partition_of(region)
    return [
        Problem(
            path=f"assume_role[{index}].role_arn",
            message=f"lies in partition '{request.role.partition}', and region '{region}' in "
            f"'{partition}'",
            hint=f"set a region of partition '{request.role.partition}'",
        )
        for index, request in enumerate(requests)
        if request.role.partition != partition
    ]
