"""What can be done about an error or a warning that is well known: by Terraform's own words."""

from __future__ import annotations

import re

from calamari_py.steps.terraform.values import Diagnostic

_S3_PERMISSIONS = {
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
}

# Somebody else writes these texts: no pattern may look back and forth for ever.
_KNOWN = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (
            r'ephemeral input variable "(?P<name>[^"]{1,200})" was set during the plan phase',
            (
                "write '{name}' under 'terraform.variables' for the apply, too: a plan does not "
                "hold ephemeral variables"
            ),
        ),
        (
            r'No value for required variable.{0,50}? variable "(?P<name>[^"]{1,200})" is not set',
            (
                "write '{name}' under 'terraform.variables' in the manifest, or in one of its "
                "'variable_files'; TF_VAR_{name} of whoever calls calamari does not count"
            ),
        ),
        (
            (
                r"Value for undeclared variable.{0,100}? (?:a variable named|A variable named) "
                r'"(?P<name>[^"]{1,200})"'
            ),
            (
                "correct the name in 'terraform.variables' or the variable file, or declare "
                "variable '{name}' in the root module"
            ),
        ),
        (
            r"'terraform\.variables' names '(?P<name>[^']{1,500})', which",
            "correct the name, or declare variable '{name}' in the root module",
        ),
        (
            (
                r'Extraneous JSON object property.{0,100}? is named "(?P<name>[^"]{1,500})".{0,600}'
                r" in terraform\.backend$"
            ),
            (
                "'{name}' is a key of 'terraform.backend' that this kind of backend does not know: "
                "correct it, or leave it out"
            ),
        ),
        (
            r"Can't change variable when applying a saved plan.{0,50}? variable (?P<name>\S+) ",
            (
                "a plan is applied with the variables that it was made with: leave '{name}' as it "
                "was, or plan again"
            ),
        ),
        (
            r"Saved plan is stale",
            "plan again, and apply the new plan: the state has changed since this one was made",
        ),
        (
            r"Saved plan does not match the given state",
            (
                "this plan was made for another state: write the 'backend' and the 'workspace' "
                "under 'terraform' that it was made with, or plan again"
            ),
        ),
        (
            r'Failed to load ".{0,500}?" as a plan file|Failed to read plan from plan file',
            (
                "give 'plan_file' a plan that action 'plan' has left, made by this version of "
                "Terraform"
            ),
        ),
        (
            r"Unsupported (?:Terraform Core|OpenTofu Core) version",
            (
                "install a version that 'required_version' allows, name it by 'terraform.binary', "
                "or change 'required_version'"
            ),
        ),
        (
            r"state (?:file|snapshot) was created by Terraform v?(?P<version>\d[\w.+-]{0,40}\w)",
            "use Terraform {version} or newer: an older one cannot read this state",
        ),
        (
            r"Provider dependency changes detected|lock file is read-only",
            (
                "run 'terraform init' where the configuration is kept and commit "
                ".terraform.lock.hcl, or leave out 'lockfile: readonly'"
            ),
        ),
        (
            (
                r"does not match configured version constraint|doesn't match the updated version "
                r"constraint|Inconsistent dependency lock file"
            ),
            (
                "run 'terraform init -upgrade' where the configuration is kept and commit "
                ".terraform.lock.hcl, or write 'upgrade: true'"
            ),
        ),
        (
            r"provider (?P<name>\S{1,300}) was not found in any of the search locations",
            (
                "put {name} into 'plugin_mirror' (terraform providers mirror FOLDER), or leave "
                "'plugin_mirror' out to ask the registry"
            ),
        ),
        (
            r"no available releases match the given constraints",
            (
                "change the version constraint, or put such a version into 'plugin_mirror' where "
                "there is one"
            ),
        ),
        (
            r"could not connect to (?P<host>[\w.:-]{1,300})|request failed after \d+ attempts",
            (
                "let this machine reach the registry (a proxy by HTTPS_PROXY), or name a folder "
                "with the providers by 'plugin_mirror'"
            ),
        ),
        (
            r"request send failed|\.amazonaws\.com(?:\.cn)?[/:\" ].{0,300}?dial tcp",
            (
                "AWS does not answer: look at the network, the proxy (HTTPS_PROXY), the region and "
                "AWS_ENDPOINT_URL"
            ),
        ),
        (
            r'"https?://(?:[^/@" ]{1,300}@)?(?P<host>[\w.:-]{1,300})[^" ]{0,2000}": dial tcp',
            "{host} does not answer: look at the network and the proxy (HTTPS_PROXY)",
        ),
        (
            r"failed to instantiate provider|Failed to load plugin schemas|Plugin did not respond",
            (
                "the provider itself does not work on this machine: look at the text above, or "
                "take another version of it"
            ),
        ),
        (
            (
                r"Module not installed|Unreadable module directory|Failed to download module|"
                r"Module not found"
            ),
            "correct the module's 'source': a local one has to be in the package, too",
        ),
        (
            r"lifecycle\.prevent_destroy",
            (
                "this is meant to keep the resource: take 'prevent_destroy' out of the "
                "configuration first where it is really to go"
            ),
        ),
        (
            r"Invalid value for (?:input )?variable",
            "correct the value under 'terraform.variables', or in the variable file",
        ),
        (
            r"ExpiredToken|token included in the request is expired|provided token has expired",
            (
                "the credentials ran out: 'credentials.delivery: endpoint' renews them, unless the "
                "backend or a provider has keys of its own"
            ),
        ),
        (
            r"No valid credential sources|failed to refresh cached credentials",
            (
                "let backend and provider take the step's credentials: no 'profile', "
                "'shared_credentials_files' or keys in their configuration"
            ),
        ),
        (
            (
                r"InvalidAccessKeyId|InvalidClientTokenId|SignatureDoesNotMatch|"
                r"security token included in the request is invalid"
            ),
            (
                "AWS does not know these credentials: take keys and profiles out of the "
                "configuration of backend and provider, so that they use the step's"
            ),
        ),
        (
            r"S3 bucket \"?(?P<name>[\w.-]{1,100})\"? does not exist|NoSuchBucket",
            (
                "create the state's bucket first, or correct 'terraform.backend': bucket, region "
                "and account have to be those of the state"
            ),
        ),
        (
            r"Missing region value|Invalid AWS Region|invalid region",
            "write 'region' under 'terraform.backend', or give the step a region",
        ),
        (
            r'The attribute "(?P<name>[^"]{1,100})" is required by the backend',
            "write '{name}' under 'terraform.backend'",
        ),
        (
            r"requested bucket from|PermanentRedirect",
            "the bucket is in another region: correct 'region' under 'terraform.backend'",
        ),
        (
            (
                r"not authorized to perform: (?P<action>[\w-]{1,60}:\w{1,100})"
                r"(?: on resource: \"?(?P<resource>[^\s\"]{1,2000}))?.{0,300}?explicit deny"
            ),
            "a policy forbids {action}{on} explicitly: whoever keeps that policy has to change it",
        ),
        (
            (
                r"not authorized to perform: (?P<action>[\w-]{1,60}:\w{1,100})"
                r"(?: on resource: \"?(?P<resource>[^\s\"]{1,2000}))?"
            ),
            "give the step's role {action}{on}",
        ),
        (
            (
                r"operation error S3: (?P<operation>\w{1,60}), .{0,100}?StatusCode: 403|"
                r"operation error S3: (?P<denied>\w{1,60}),.{0,500}?AccessDenied"
            ),
            "give the step's role {permission} on the state's bucket and its objects",
        ),
        (
            (
                r"operation error (?P<service>[\w ]{1,60}): (?P<operation>\w{1,60}),.{0,500}?"
                r"(?:AccessDenied|UnauthorizedOperation|AuthorizationError|StatusCode: 403)"
            ),
            "give the step's role the permission for {operation} of {service}",
        ),
        (
            r"Backend configuration changed|Backend initialization required",
            (
                "the state is somewhere else than before: move it by hand once (terraform init "
                "-migrate-state), or correct 'terraform.backend'"
            ),
        ),
        (
            r"Invalid provider configuration",
            "look at the provider's block, and at what it takes from 'terraform.variables'",
        ),
        (
            r"Error acquiring the state lock.{0,2000}?Lock Info",
            "run again when whoever holds it is done, or wait longer with 'lock_timeout'",
        ),
        (
            r"Terraform crashed",
            (
                "this is a defect of Terraform or of a provider: what was written before says "
                "where; try another version, and look at the state before anything else"
            ),
        ),
    )
)


def hint_of(diagnostic: Diagnostic) -> str | None:
    """What to do about it; None where Terraform's own words have to do."""
    said = f"{diagnostic.summary} {diagnostic.detail} in {diagnostic.file}"
    text = " ".join(said.split())
    for pattern, hint in _KNOWN:
        found = pattern.search(text)
        if found is not None:
            return hint.format(**_words(found))
    return None


def _words(found: re.Match[str]) -> dict[str, str]:
    words = {name: (value or "").strip("'\"., ") for name, value in found.groupdict().items()}
    operation = words.get("operation") or words.get("denied", "")
    resource = words.get("resource")
    return {
        **words,
        "on": f" on {resource}" if resource else "",
        "permission": _S3_PERMISSIONS.get(operation, f"s3:{operation}"),
    }
