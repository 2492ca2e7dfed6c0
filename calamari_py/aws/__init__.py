"""The only door to boto3 and botocore.

`AwsPort` is what the rest of the house sees; `BotoAws` speaks the real protocol. Nothing heavy is
imported before the first call. Every secret part of an answer is registered with the masker before
anyone sees it.

::

    port       AwsPort, Parameter
    settings   AwsSettings: regions, endpoints, certificates, from the environment once
    client     BotoAws: the port's calls, what each asks and what it makes of the answer
    roles      what STS is asked for a role, and what is given up when it is refused
    signin     the console's federation endpoint
    calls      one call: budget, retries, the clock; `failures` says what an error means, `hints`
               what to do about it
    wire       one attempt: botocore's serializer; `endpoints` says where to, `signer` as whom,
               `transport` by which way, `answers` what came back
    eks_token  the bearer token of an EKS cluster, signed without botocore
    profiles   the shared config files, through botocore's providers (`profile_providers`), with
               ``credential_process`` (`profile_process`)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calamari_py.aws.calls import Pace
    from calamari_py.aws.client import BotoAws
    from calamari_py.aws.port import AwsPort, Parameter
    from calamari_py.aws.settings import AwsSettings

__all__ = ["AwsPort", "AwsSettings", "BotoAws", "Pace", "Parameter"]

_HOMES = {
    "AwsPort": "port",
    "AwsSettings": "settings",
    "BotoAws": "client",
    "Pace": "calls",
    "Parameter": "port",
}


def __getattr__(name: str) -> Any:
    """The names above, from where they are: `eks_token` has to start without them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
