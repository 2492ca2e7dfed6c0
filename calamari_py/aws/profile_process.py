"""A profile's ``credential_process``: what its program printed, checked before botocore has it.

botocore splits the command (no shell) and reads the answer. It does not start the program: that is
done by whoever made the AWS door, with an environment and a time limit of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from calamari_py.errors import PartialCredentials, SourceBroken
from calamari_py.identity import as_utc
from calamari_py.masking import SecretRegistry

RunProcess = Callable[[Sequence[str]], bytes]
"""An argv to what the program wrote to stdout; raises SourceBroken when it fails or hangs."""

_FORMAT = (
    "it must print one JSON object with Version 1, AccessKeyId, SecretAccessKey, and for "
    "temporary keys SessionToken and Expiration"
)


class ProcessAnswers:
    """What botocore takes for ``Popen``. A program runs once, however often botocore asks."""

    def __init__(
        self,
        profile: str,
        run: RunProcess | None,
        registry: SecretRegistry,
        clock: Callable[[], datetime],
    ) -> None:
        self._of = f"the credential_process of profile '{profile}'"
        self._run = run
        self._registry = registry
        self._clock = clock
        self._answers: dict[tuple[str, ...], bytes] = {}

    def __call__(self, argv: Sequence[str], **_pipes: Any) -> _Ended:
        """The ended program, or SourceBroken."""
        key = tuple(argv)
        if key not in self._answers:
            self._answers[key] = self._ask(key)
        return _Ended(self._answers[key])

    def _ask(self, argv: tuple[str, ...]) -> bytes:
        if self._run is None:
            raise SourceBroken(
                f"{self._of} cannot be run here",
                hint="use another account type, or give the keys with account type 'access-key'",
            )
        if not argv:
            raise SourceBroken(f"{self._of} is empty", hint="name a program")
        answer = self._run(argv)
        self._check(self._parse(answer))
        return answer

    def _parse(self, answer: bytes) -> Mapping[str, Any]:
        try:
            fields = json.loads(answer)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise SourceBroken(f"{self._of} printed no JSON object", hint=_FORMAT)
        for part, title in (
            ("SecretAccessKey", "secret access key"),
            ("SessionToken", "session token"),
        ):
            if isinstance(fields.get(part), str):
                self._registry.add(fields[part], name=f"{title} of {self._of[4:]}")
        return fields

    def _check(self, fields: Mapping[str, Any]) -> None:
        version = fields.get("Version")
        if version != 1 or isinstance(version, bool):
            said = f"in version {version}" if isinstance(version, int) else "without a version"
            raise SourceBroken(f"{self._of} answered {said}, not in version 1", hint=_FORMAT)
        for part in ("AccessKeyId", "SecretAccessKey"):
            if not isinstance(fields.get(part), str) or not fields[part].strip():
                raise PartialCredentials(f"{self._of} printed no {part}", hint=_FORMAT)
        for part in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
            value = fields.get(part)
            if value is not None and not (isinstance(value, str) and value.isascii()):
                raise PartialCredentials(f"{self._of} printed a {part} that is none", hint=_FORMAT)
        self._check_expiration(fields.get("Expiration"))

    def _check_expiration(self, text: object) -> None:
        if text is None:
            return
        try:
            printed = datetime.fromisoformat(str(text))
            expires_at = as_utc(printed) if printed.tzinfo is not None else None
        except ValueError:
            expires_at = None
        if expires_at is None:
            raise SourceBroken(
                f"{self._of} printed an Expiration that is no time",
                hint="write it like 2030-01-31T12:00:00Z",
            )
        if expires_at <= self._clock():
            when = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            raise SourceBroken(
                f"{self._of} gave credentials that expired at {when}",
                hint="renew what the program takes them from (sign in again), and run the step "
                "again",
            )


class _Ended:
    """A program that succeeded, as botocore sees it."""

    returncode = 0

    def __init__(self, stdout: bytes) -> None:
        self._stdout = stdout

    def communicate(self) -> tuple[bytes, bytes]:
        """Its stdout; stderr was read by whoever ran it."""
        return self._stdout, b""
