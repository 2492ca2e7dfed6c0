"""What to do about an error of AWS: by AWS's code, or by our word where no answer came."""

from __future__ import annotations

import re

from calamari_py.aws.settings import endpoint_names

DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden",
    "UnauthorizedOperation",
})  # fmt: skip
_DENIAL = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+\*?)(?: on resource: (?P<resource>\S+))?"
)
_POLICY = r"((?:[\w-]+ ){1,3}policy|permissions boundary)"
_EXPLICIT = re.compile(rf"with an explicit deny in an? {_POLICY}")
_SILENT = re.compile(rf"because no {_POLICY} allows")
_NEEDED = {
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "HeadBucket"): "s3:ListBucket",
}
"""The permission that a call needs where it has another name."""
_UNKNOWN_KEY = (
    "AWS does not know the access key: it is deleted or inactive, its session token is missing "
    "or not its own, or it belongs to another partition"
)
_WRONG_KEY = "check the secret access key: it does not belong to the access key id"
_LOOK_UP = "check the name, the region and the account that the step runs in"
_QUOTA = "a quota of the account is used up: delete what nobody needs, or ask AWS to raise it"
_STS = {
    "AccessDenied": (
        "either the caller lacks the permission, or the role's trust policy does not name the "
        "caller (or asks for an external id, tags or a source identity); check both"
    ),
    "ExpiredTokenException": "the web identity token has expired; obtain a new one and run again",
    "ValidationError": "correct what the message names in the manifest's assume_role section",
}
_CLOUDFORMATION = {
    "InsufficientCapabilitiesException": "name it under 'capabilities' in the manifest",
    "LimitExceededException": _QUOTA,
    "OperationInProgressException": (
        "another operation on the stack set is running; run the step again when it has ended"
    ),
}
_OF_SERVICE = {"sts": _STS, "cloudformation": _CLOUDFORMATION}
_HINTS = {
    "ExpiredToken": "the calling credentials have expired; obtain new ones and run again",
    "ExpiredTokenException": "the calling credentials have expired; obtain new ones and run again",
    "IDPRejectedClaim": "check the token's audience and issuer against the role's trust policy",
    "InvalidIdentityToken": (
        "check that the account of the role has an IAM identity provider for the token's issuer, "
        "and that the token's audience is registered there"
    ),
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "InvalidSignatureException": _WRONG_KEY,
    "LimitExceeded": _QUOTA,
    "LimitExceededException": _QUOTA,
    "MalformedPolicyDocument": "correct the session policy under assume_role.policy",
    "PackedPolicyTooLarge": "shorten the session policy, or pass fewer tags and policy ARNs",
    "RegionDisabledException": (
        "enable STS for the region in the role's account, or set another region"
    ),
    "ValidationError": "correct what the message names in the manifest",
    "NoSuchBucket": "check the bucket's name",
    "NotFound": "check the name, and that it lies in the account that the step runs in",
    "BadRequest": (
        "S3 gives no reason here: the credentials may have expired, or the bucket may lie in "
        "another region"
    ),
    "WrongRegion": "name a bucket of the step's region",
    "ParameterNotFound": _LOOK_UP,
    "ResourceNotFoundException": _LOOK_UP,
    "NoRegion": "set 'region' in the manifest or AWS_REGION in the environment",
    "NoEndpoint": "check the region, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT",
    "InvalidParameters": "correct what the message names in the manifest",
    "TlsError": (
        "if a proxy or a private endpoint uses its own certificate authority, name its "
        "certificates with AWS_CA_BUNDLE"
    ),
    "ProxyError": "check HTTPS_PROXY and NO_PROXY",
    "Unreachable": "check the network, HTTPS_PROXY and AWS_ENDPOINT_URL; then run the step again",
    "NotImplemented": "the sandbox answers in the place of AWS; run the step without --sandbox",
    "SignInRefused": (
        "AWS signs in with unexpired credentials of a role only, and takes no session duration "
        "for a role that was assumed from another role's session"
    ),
}  # fmt: skip


def hint_for(service: str, operation: str, code: str, text: str = "") -> str:
    """What to do about `code`, with which AWS refused `operation`; `text` is its message."""
    if code == "UnexpectedAnswer":
        names = endpoint_names(service)
        return f"something answers in the place of AWS; check HTTPS_PROXY, {names}"
    is_about_role = service == "sts" and operation.startswith("AssumeRole")
    if code in DENIED and not is_about_role:
        return _allow(service, operation, text)
    known = _OF_SERVICE.get(service, {}).get(code) or _HINTS.get(code)
    return known or f"look up '{code}' in the AWS documentation of {service}"


def _allow(service: str, operation: str, text: str) -> str:
    """What has to be allowed, as far as AWS says it; what was asked needs it otherwise."""
    denial = _DENIAL.search(text)
    action = denial["action"] if denial else _NEEDED.get((service, operation))
    action = action or f"{service}:{operation}"
    resource = (denial["resource"] or "").rstrip(".,") if denial else ""
    on = f" on '{resource}'" if resource else ""
    if explicit := _EXPLICIT.search(text):
        return f"'{action}'{on} is denied in so many words: change the {explicit[1]} that does it"
    silent = _SILENT.search(text)
    where = f"the {silent[1]}" if silent else "the policies of the role that asks"
    hint = f"allow '{action}'{on} in {where}"
    if (service, operation) == ("s3", "HeadObject"):
        hint += "; without 's3:ListBucket', S3 also says so of what is not there"
    return hint
