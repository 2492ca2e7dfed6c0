"""Where a template is: a file beside the manifest, or an object that only AWS reads."""

from __future__ import annotations

from dataclasses import replace

from calamari_py.errors import Problem
from calamari_py.steps.base import ParseContext
from calamari_py.steps.cloudformation.parsing.addresses import climbs, is_s3, shown
from calamari_py.steps.cloudformation.parsing.files import read_text
from calamari_py.steps.cloudformation.parsing.guards import Checks, is_bucket
from calamari_py.steps.cloudformation.parsing.template import TemplateFault, read_facts
from calamari_py.steps.cloudformation.spec import (
    INLINE_LIMIT,
    TEMPLATE_LIMIT,
    Template,
    TemplateFacts,
)
from calamari_py.templates import is_template

FIELD = "template"
_MAX_URL = 5120
_S3_HINT = "write s3://BUCKET/KEY, or a file beside the manifest"


def read_template(
    written: str, *, render: bool, bucket: str | None, checks: Checks, context: ParseContext
) -> Template | None:
    """The template at `written`, None when that is no place to have one from.

    Raises FileMissing and ManifestError for a file that cannot be read; everything else goes to
    `checks`.
    """
    scheme, separator, _ = written.partition("://")
    if not separator:
        return _file(written, render=render, bucket=bucket, checks=checks, context=context)
    if render:
        message = "can only be used with a file: CloudFormation itself reads what is at an address"
        checks.refuse("render", message, "remove it, or download the template beside the manifest")
    refused = _address_fault(scheme.lower(), written)
    if refused:
        checks.refuse(FIELD, *refused)
        return None
    return Template(shown=shown(written), url=written)


def _address_fault(scheme: str, url: str) -> tuple[str, str] | None:
    """Why CloudFormation cannot read a template there. Source: API reference, `TemplateURL`: an
    object in S3 by https, not by way of a static website."""
    if scheme == "file":
        return "is a file:// address", "write the path alone; it is relative to the manifest"
    if scheme == "http":
        return "is read over http, where anybody may change it", "write https:// or s3://"
    if scheme not in ("s3", "https"):
        return f"'{scheme}://' is no address that CloudFormation reads", _S3_HINT
    if len(url) > _MAX_URL:
        return f"is longer than {_MAX_URL} characters", _S3_HINT
    return _object_fault(scheme, url)


def _object_fault(scheme: str, url: str) -> tuple[str, str] | None:
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is no valid address", _S3_HINT
    if not parts.path.strip("/"):
        return "names no object", _S3_HINT
    if climbs(parts.path):
        return "has a '.' or '..' between its slashes", "write the key as S3 lists it"
    if scheme == "https":
        return _host_fault(host, is_plain="@" not in parts.netloc and port is None)
    if not is_bucket(parts.netloc):
        return "names no bucket that can exist", _S3_HINT
    queried = set(dict(parse_qsl(parts.query, keep_blank_values=True)))
    return ("has a query", "the only one is ?versionId=…") if queried - {"versionId"} else None


def _host_fault(host: str, *, is_plain: bool) -> tuple[str, str] | None:
    if not is_plain:
        return "names a user or a port", "write the host alone: https://BUCKET.s3…"
    return None if is_s3(host) else _not_s3(host)


def _not_s3(host: str) -> tuple[str, str]:
    what = "a static website" if "s3-website" in host else "not in S3"
    return (
        f"is {what}, and CloudFormation reads templates from S3 only",
        f"download it beside the manifest, or {_S3_HINT}",
    )


def _file(
    written: str, *, render: bool, bucket: str | None, checks: Checks, context: ParseContext
) -> Template:
    text = read_text(written, context, FIELD)
    rendered = context.render(text, checks.path(FIELD)) if render else text
    if render and checks.is_secret(FIELD):
        checks.refuse(
            FIELD,
            "is made from a sensitive variable, and everybody who may read the stack sees it",
            "hand the value over as a parameter with NoEcho: true, and refer to that",
        )
    _check_size(rendered, bucket, checks)
    facts: TemplateFacts | None = None
    # Where other problems of the manifest are looked for, nothing can be rendered yet.
    if not (render and rendered == text and is_template(text)):
        facts = _facts(written, rendered, checks, rendered=render)
    return Template(shown=written, text=rendered, facts=facts)


def _check_size(text: str, bucket: str | None, checks: Checks) -> None:
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > TEMPLATE_LIMIT:
        checks.refuse(
            FIELD,
            f"has {size:,} bytes, and CloudFormation reads {TEMPLATE_LIMIT:,} at most",
            "split it into nested stacks",
        )
    elif size > INLINE_LIMIT and bucket is None:
        checks.refuse(
            FIELD,
            f"has {size:,} bytes, and a request takes {INLINE_LIMIT:,}",
            "write artifact_bucket: NAME, a bucket that the step's role may write to",
        )


def _facts(written: str, text: str, checks: Checks, *, rendered: bool) -> TemplateFacts | None:
    try:
        return read_facts(text, file=written)
    except TemplateFault as fault:
        problems = [_placed(problem, checks) for problem in fault.problems]
    if is_template(text) and not rendered:
        hint = "if calamari is to fill in what stands in '{{ }}', write render: true"
        problems = [replace(problem, hint=hint) for problem in problems]
    checks.found.problems += problems
    return None


def _placed(problem: Problem, checks: Checks) -> Problem:
    """What is wrong with the template as a whole stands where the manifest names it."""
    if problem.line:
        return problem
    message = f"'{problem.file}' {problem.message}"
    return Problem(path=checks.path(FIELD), message=message, hint=problem.hint)
