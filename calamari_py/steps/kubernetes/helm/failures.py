"""What Helm says went wrong, told apart, each with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepContext
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.access.failures import read_failure, tool_failed
from calamari_py.steps.kubernetes.clip import clip
from calamari_py.steps.kubernetes.helm.argv import by_hand
from calamari_py.steps.kubernetes.helm.ecr import ecr_region
from calamari_py.steps.kubernetes.spec import HelmSpec

_STACK = re.compile(r"^[a-z_]+\.go:\d+: .*\[debug\]")
_PREFIX = re.compile(
    r"^(?:[WIE]\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] |[a-z_]+\.go:\d+: )?(?:WARNING: |[Ww]arning: )?"
)
"""What stands before a warning: the words of three loggers."""
_BEGIN = re.compile(r"[WIEF]\d{4} |[a-z_]+\.go:\d+: |WARNING: |[Ww]arning: |Error:")
"""How a message of any of them begins."""
_CHATTER = re.compile(
    r"Pulled: |Digest: |Hang tight|\.\.\.Successfully got|Update Complete|Saving \d+ chart"
    r"|Downloading |Deleting outdated|Release \".*\" does not exist"
)
_PLAIN = re.compile(r"^(UPGRADE|INSTALLATION|ROLLBACK) FAILED:\s*")
"""Words that say what we say ourselves."""
_NOT_FOUND = re.compile(r"release: not found")
_TIME_IS_OVER = re.compile(r"context deadline exceeded|timed out waiting for the condition")
_LONGEST = 2000
_ROWS = 12


class _Known(NamedTuple):
    """A text of Helm's, and the hint it gets."""

    text: re.Pattern[str]
    hint: Callable[[HelmSpec], str]


def _hint(text: str) -> Callable[[HelmSpec], str]:
    return lambda _: text


def _login_hint(spec: HelmSpec) -> str:
    if spec.repository is not None and spec.repository.username:
        return (
            "the repository refuses repository.username or repository.password: correct them, or"
            " let that user read the chart"
        )
    if spec.chart_is_path:
        return "what the chart depends on wants a login: keep it in the chart's charts/"
    if ecr_region(spec.chart) is not None:
        return (
            "let the step's role read it (ecr:GetAuthorizationToken, ecr:BatchGetImage,"
            " ecr:GetDownloadUrlForLayer), and see that the registry's policy does"
        )
    return "the registry or repository wants a login: write it under 'repository'"


_KNOWN = tuple(
    _Known(re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"another operation \(install/upgrade/rollback\) is in progress",
            lambda spec: "somebody else works on this release; look with: "
            + by_hand(spec, "history", spec.release),
        ),
        (
            r"has no deployed releases",
            lambda spec: "no revision of it was ever deployed; if nothing of it is worth keeping: "
            + by_hand(spec, "uninstall", spec.release),
        ),
        (
            r"cannot re-use a name that is still in use",
            lambda spec: "somebody installed it meanwhile; run the step again, and look with: "
            + by_hand(spec, "history", spec.release),
        ),
        (
            r"values don't meet the specifications of the schema",
            _hint("correct the values: the chart's values.schema.json says what they may be; what"
                  " is a number there, and made of a variable, stands in a values file, with"
                  " render: true"),
        ),
        (
            r"invalid ownership metadata",
            _hint("the object was not made by this release: delete it, rename it in the chart, or"
                  " hand it over by the label and the annotations that are named"),
        ),
        (
            r"field is immutable|may not change once set|updates to \w+ spec for fields other than",
            _hint("this field cannot be changed: delete the object that is named and run the step"
                  " again, or give it another name in the chart"),
        ),
        (
            r"(pre|post)-(install|upgrade|rollback|delete) hooks? failed|failed (pre|post)-",
            _hint("look at the Job or Pod of the hook; hooks: false goes without them"),
        ),
        (
            r"found in Chart\.yaml, but missing in charts/|You may need to run .helm dependency",
            _hint("fetch them with dependency_update: true, or keep them in the chart's charts/"),
        ),
        (
            (r"chart .* not found in|no chart version found|chart matching .* not found"
             r"|not found: manifest unknown|: not found$"),
            _hint("correct the chart's name and version"),
        ),
        (
            (r"unauthorized: authentication required|denied: |no basic auth credentials"
             r"|401 Unauthorized"),
            _login_hint,
        ),
        (
            (r"is not a valid chart repository|no cached repo found|failed to fetch|failed to do"
             r" request|could not download|looks like .* is not"),
            _hint("look at the address of the repository, and whether this machine reaches it"),
        ),
        (
            (r"execution error at|parse error at|error calling|nil pointer evaluating"
             r"|function .* not defined|YAML parse error on|error converting YAML to JSON"),
            _hint("correct the chart or its values; action: template shows what comes of them"),
        ),
        (
            r"data: Too long: must have at most|request is too large",
            _hint("a release finds place in one Secret of 1 MiB: put less into the chart's"
                  " folder (.helmignore) and into the values"),
        ),
        (
            r"library charts are not installable",
            _hint("a library has nothing of its own: name the chart that depends on it"),
        ),
        (
            r"chart requires kubeVersion",
            _hint("the chart is not made for this cluster's version: take another one of it"),
        ),
        (
            r"no matches for kind|ensure CRDs are installed first",
            _hint("the cluster does not know this kind: install its definition (CRD) before"),
        ),
        (_TIME_IS_OVER.pattern, _hint("allow it more with wait.timeout, or see what is not ready")),
    )
)  # fmt: skip


def is_not_found(stderr: bytes) -> bool:
    """There is no such release."""
    return _NOT_FOUND.search(_error_of(stderr)) is not None


def is_timeout(stderr: bytes) -> bool:
    """Helm waited as long as it was told to."""
    return _TIME_IS_OVER.search(_error_of(stderr)) is not None


def helm_failed(
    doing: str,
    stderr: bytes,
    *,
    spec: HelmSpec,
    access: Access | None,
    context: StepContext,
    code: int = 1,
) -> ToolFailed:
    """The error of a command that failed: ``could not upgrade release 'web': …``.

    A cluster that does not let us is more than what Helm says of it, unless Helm itself knows what
    it is about."""
    text = _PLAIN.sub("", _error_of(stderr)).strip()
    known = next((each for each in _KNOWN if each.text.search(text)), None)
    failure = read_failure(f"Error: {text}\n".encode(), program="helm") if text else None
    if failure is not None and failure.kind == "other":
        failure = None
    if access is not None and failure is not None and (known is None or failure.is_access):
        return tool_failed(doing, failure, access=access, context=context, program="helm")
    first, *rest = text.splitlines() or [f"helm ended with {code} and did not say why"]
    return ToolFailed(
        f"could not {doing}: {first.rstrip('.')}",
        hint=known.hint(spec) if known is not None else None,
        evidence=tuple(line.strip() for line in rest[:_ROWS] if line.strip()),
    )


def warning_of(line: bytes) -> str | None:
    """What a line of stderr warns of, None where it does not."""
    text = line.decode("utf-8", "replace").strip()
    if is_debug(line) or not text or text.startswith("Error:") or _CHATTER.match(text):
        return None
    return _PREFIX.sub("", text) or None


def is_debug(line: bytes) -> bool:
    """Helm says what it is at."""
    return _STACK.match(line.decode("utf-8", "replace")) is not None


def begins(line: bytes) -> bool:
    """Whether the line begins a message; what does not belongs to the one before it."""
    return _BEGIN.match(line.decode("utf-8", "replace")) is not None


def _error_of(stderr: bytes) -> str:
    """What stands after ``Error:``, without what ``--debug`` adds: a trace of Helm's own."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    begin = next((index for index, line in enumerate(lines) if line.startswith("Error:")), None)
    if begin is None:
        return ""
    found = [lines[begin].removeprefix("Error:").strip()]
    for line in lines[begin + 1 :]:
        if _STACK.match(line):
            break
        found.append(line)
    return clip("\n".join(found).strip(), _LONGEST)
