"""Why one object failed, in one sentence for its row."""

from __future__ import annotations

import re
from collections.abc import Iterator

from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.clip import clip

_OWNER = re.compile(
    r'conflicts? with "([^"]+)"(?: with subresource "[^"]+")?'
    r"(?: using \S+?(?: at \S+?)?)?:?(?: +(.*))?$"
)
_FIELD = re.compile(r"^- (\S+)$")
_FROM_SERVER = re.compile(r"^(?:error: )?(?:Error from server(?: \(\w+\))?: )?(?:error: )?")
_WHERE = re.compile(
    r"(?:error when \w+ |error (?:validating|parsing) "
    r"|resource mapping not found for .{0,400}? from )?"
    r'"?/\S+/objects-\S+\.yaml"?: '
)
_ADVICE = re.compile(r"; if you choose to ignore these errors.*| ensure CRDs are installed first")
_LONGEST = 500
_MOST_FIELDS = 5


def cause_of(failure: ApiFailure | None, stderr: bytes) -> str:
    """What `stderr` of a command for one object says of it: who owns which field, or the server's
    own words, without the private file it was read from."""
    text = stderr.decode("utf-8", "replace")
    if failure is not None and failure.kind == "conflict":
        owners = list(_owned(text))
        if owners:
            return "; ".join(owners)
    return short(failure.text if failure is not None else text)


def short(text: str) -> str:
    """`text` as one line, not too long, without kubectl's own words before and after."""
    line = " ".join(text.split())
    line = _ADVICE.sub("", _WHERE.sub("", _FROM_SERVER.sub("", line)))
    return clip(line, _LONGEST)


def _owned(text: str) -> Iterator[str]:
    """``'other' owns .spec.replicas``, for each owner in a server's words on a conflict. kubectl
    writes one conflict in a line, and several of one owner below it."""
    fields: dict[str, list[str]] = {}
    owner = ""
    for line in text.splitlines():
        if line.startswith("Please review"):
            break
        if match := _OWNER.search(line):
            owner = match[1]
            fields.setdefault(owner, []).extend(match[2].split() if match[2] else [])
        elif owner and (match := _FIELD.match(line.strip())):
            fields[owner].append(match[1])
    for owner, owned in fields.items():
        more = len(owned) - _MOST_FIELDS
        listed = ", ".join(owned[:_MOST_FIELDS]) + (f" and {more} more" if more > 0 else "")
        yield f"'{owner}' owns {listed or 'fields of it'}"
