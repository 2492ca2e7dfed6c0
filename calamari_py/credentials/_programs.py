"""Programs that print a token or credentials: run in a scrubbed environment, shown to nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from calamari_py.environment import EnvironmentSpec, build_child_environment
from calamari_py.errors import CalamariError, SourceBroken
from calamari_py.masking import SecretRegistry

if TYPE_CHECKING:
    from calamari_py.process import Captured

TIMEOUT = 20.0
"""Seconds for one answer."""
LIMIT = 100_000
"""Bytes of both streams together."""
_SHOWN = 300
_JWT = re.compile(r"[\w-]{8,}\.[\w-]{8,}\.[\w-]*", re.ASCII)


class Capture(Protocol):
    """`calamari_py.process.capture`."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        timeout: float,
        limit: int,
    ) -> Captured:
        """Run it to its end."""


def run_captured(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    timeout: float,
    limit: int,
) -> Captured:
    """The real thing, imported when something is run."""
    from calamari_py.process import capture

    return capture(argv, environment=environment, directory=directory, timeout=timeout, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`who` names it in messages, `argv` begins with an absolute path. `hint` is for failures.

    `keep` is what it gets beside the environment that a step would inherit: whatever holds or
    leads to an identity is dropped otherwise. `timeout` is in seconds.
    """

    who: str
    argv: tuple[str, ...]
    hint: str
    keep: Mapping[str, str] = field(default_factory=dict, repr=False)
    run: Capture = run_captured
    timeout: float = TIMEOUT

    def output(
        self, *, environ: Mapping[str, str], registry: SecretRegistry, directory: Path
    ) -> bytes:
        """What it writes to stdout; SourceBroken when it fails, hangs or writes too much.

        `environ` is the caller's. Nothing of the output is registered unless the program fails.
        """
        scrubbed = build_child_environment(EnvironmentSpec(inherited=environ)).values
        try:
            done = self.run(
                self.argv,
                environment={**scrubbed, **self.keep},
                directory=directory.absolute(),
                timeout=self.timeout,
                limit=LIMIT,
            )
        except CalamariError as error:
            # Whatever the reason: there is no token, and that is a matter of identity.
            raise SourceBroken(f"{self.who}: {error.message}", hint=self.hint) from None
        if not done.timed_out and done.code == 0:
            return done.stdout
        registry.add(done.stdout.strip(), name="launcher token")
        ended = (
            f"gave no answer within {self.timeout:.3g} s"
            if done.timed_out
            else f"failed with exit code {done.code}"
        )
        raise SourceBroken(
            f"{self.who} {ended}", hint=self.hint, evidence=_shown(done.stderr, registry)
        )


def _shown(stderr: bytes, registry: SecretRegistry) -> tuple[str, ...]:
    """The end of what it complained, on one line, without secrets or what may be one."""
    text = _JWT.sub("***", stderr.decode("utf-8", "replace"))
    masked = str(registry.mask_text(text))
    line = " ".join("".join(c if c.isprintable() else " " for c in masked).split())
    if not line:
        return ()
    return (f"it said: {line if len(line) <= _SHOWN else '…' + line[-_SHOWN:]}",)
