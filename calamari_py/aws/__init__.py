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
    profiles   the shared config files, through botocore's providers (`profile_providers`), with
               ``credential_process`` (`profile_process`)
"""

from __future__ import annotations

from calamari_py.aws.calls import Pace
from calamari_py.aws.client import BotoAws
from calamari_py.aws.port import AwsPort, Parameter
from calamari_py.aws.settings import AwsSettings

__all__ = ["AwsPort", "AwsSettings", "BotoAws", "Pace", "Parameter"]
