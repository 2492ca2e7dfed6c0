"""Refusals inside of reasons: which action on what is denied to whom, decoded where AWS says it in
code only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ENCODED = re.compile(
    r"Encoded authorization failure message:\s*(?P<message>[\w+/=-]{16,})", re.IGNORECASE | re.ASCII
)
NOT_AUTHORIZED = re.compile(
    r"(?:User: (?P<who>\S+) )?(?:is )?not authorized to perform: (?P<action>[\w-]+:[\w*-]+)"
    r"(?: on resource: \\?\"?(?P<resource>[^\s\"\\]+)\\?\"?)?"
    r"(?:,? (?P<why>with an explicit deny[^.(\"]*|because [^.(\"]*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """`who` may not do `action` on `resource`; "" is unknown. `why` says what decides it,
    `explicit` that a statement forbids it. `encoded` is AWS's encoded message, `decoded` that it
    was read."""

    who: str = ""
    action: str = ""
    resource: str = ""
    why: str = ""
    explicit: bool = False
    encoded: str = ""
    decoded: bool = False

    @property
    def sentence(self) -> str:
        """``ec2:RunInstances on arn:… is denied to arn:… (no statement allows it)``."""
        on = f" on {self.resource}" if self.resource else ""
        to = f" to {self.who}" if self.who else ""
        return f"{self.action}{on} is denied{to} ({self.why})"

    @property
    def fact(self) -> dict[str, str]:
        """JSON values."""
        return {
            "who": self.who, "action": self.action, "resource": self.resource, "why": self.why,
        }  # fmt: skip

    @property
    def hint(self) -> str:
        """What to do about it."""
        if not self.action:
            return "decode the message to see what is denied"
        on = f" on '{self.resource}'" if self.resource else ""
        to = f" for '{self.who}'" if self.who else " in a policy of who works on the stack"
        if self.explicit or "permissions boundary" in self.why or "service control" in self.why:
            return (
                f"'{self.action}'{on} is forbidden{to}: {self.why}; whoever keeps that can lift it"
            )
        return f"allow '{self.action}'{on}{to}"

    def shorten(self, reason: str) -> str:
        """`reason` with what the encoded message says in its place."""
        if not self.encoded:
            return reason
        said = self.sentence if self.decoded else "see below for how to decode it"
        return reason.replace(self.encoded, f"({said})")


def read_denial(reason: str, decode: Callable[[str], str | None]) -> Denial | None:
    """What is denied according to `reason`; None when nothing is. `decode` gives an encoded message
    in clear, None where it may not."""
    encoded = ENCODED.search(reason)
    if encoded is not None:
        message = encoded["message"]
        found = _decoded(decode(message) or "", message)
        if found is not None:
            return found
    sentence = NOT_AUTHORIZED.search(reason)
    message = encoded["message"] if encoded is not None else ""
    if sentence is None:
        return Denial(encoded=message) if message else None
    why = (sentence["why"] or "").strip()
    return Denial(
        who=sentence["who"] or "",
        action=sentence["action"],
        resource=(sentence["resource"] or "").rstrip(".,"),
        why=why or "AWS does not say why",
        explicit="explicit deny" in why,
        encoded=message,
    )


def _decoded(text: str, message: str) -> Denial | None:
    """``DecodedMessage`` of sts:DecodeAuthorizationMessage."""
    try:
        told: Any = json.loads(text)
    except ValueError:
        return None
    context = told.get("context") if isinstance(told, dict) else None
    if not isinstance(context, dict) or not context.get("action"):
        return None
    principal = context.get("principal")
    explicit = bool(told.get("explicitDeny"))
    return Denial(
        who=str(principal.get("arn") or "") if isinstance(principal, dict) else "",
        action=str(context["action"]),
        resource=str(context.get("resource") or ""),
        why="an explicit deny" if explicit else "no statement allows it",
        explicit=explicit,
        encoded=message,
        decoded=True,
    )
