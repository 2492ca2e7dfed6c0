"""Explanation: everything that a run would do, for the page and the document of ``explain``.

Never a secret and never a value of a variable: names, and what would be asked of whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from calamari_py.errors import TraceRow

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. `exit_code` is what a run would end with because of it."""

    name: str
    state: State
    evidence: str
    hint: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """Who would call STS. `source` is the credential source that wins, None when that is only
    known once it was asked; `arn` as far as known. `ignored` are the names in the environment that
    select an identity for other programs, and not here."""

    account_type: str
    source: str | None = None
    arn: str | None = None
    sources: tuple[TraceRow, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One ``sts:AssumeRole``. `duration` is in seconds, after clamping; `clamped` says that less is
    asked for than the manifest says. Of the external id and the inline session policy only whether
    there is one. `default_tags` are calamari's own."""

    role_arn: str
    session_name: str
    duration: int
    clamped: bool
    external_id: bool
    policy: bool
    policy_arns: tuple[str, ...]
    tags: Mapping[str, str]
    transitive_tags: tuple[str, ...]
    default_tags: Mapping[str, str]
    source_identity: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the step would run as. `arn` and `account` are None where only a call tells;
    `as_expected` says whether all that ``expect`` names is so, None where nothing is known to
    compare. `seconds` is how long the credentials live; `delivery` is how the child gets them, None
    when it gets none."""

    arn: str | None = None
    account: str | None = None
    as_expected: bool | None = None
    region: str | None = None
    region_source: str | None = None
    seconds: int | None = None
    delivery: str | None = None
    renewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where STS is asked. `set_by` is the environment variable that says so, None where AWS's own
    rules do; `proxy` names the one that the call goes through."""

    url: str
    set_by: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedVariable:
    """A variable of the step, without its value. `late` is where it is fetched from with the step's
    own credentials (``from_ssm``, …); `withheld` ones are not given to the child."""

    name: str
    sensitive: bool = False
    masked: bool = False
    withheld: bool = False
    late: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedName:
    """A secret that is masked, and the forms in which it is known."""

    name: str
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The child's environment, by name."""

    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command that would run; ``{private}`` in `argv` stands for a private folder."""

    argv: tuple[str, ...]
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Seconds, None for no limit; `grace` is None where the step starts nothing. After the codes
    `retry_codes` another attempt follows, and `retry_delay` seconds lie between two; `output_limit`
    is in bytes. `isolated` is ``--isolate``."""

    timeout: float | None
    idle_timeout: float | None
    grace: float | None
    attempts: int
    finally_timeout: float | None
    isolated: bool
    retry_codes: tuple[int, ...] = ()
    retry_delay: float | None = None
    output_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a run would do, and what was looked at. `online` says that AWS was asked, `found` that
    the identity was really obtained: launcher, hops and identity are then what was found."""

    step: str
    kind: str
    version: str
    project: str | None
    environment: str | None
    deployment_id: str | None
    online: bool
    found: bool
    launcher: Launcher
    hops: tuple[Hop, ...]
    identity: Identity
    sts: Endpoint | None
    variables: tuple[NamedVariable, ...]
    masks: tuple[MaskedName, ...]
    names: Names
    commands: tuple[CommandLine, ...]
    finally_commands: tuple[CommandLine, ...]
    intentions: tuple[str, ...]
    """What a kind that calls AWS itself would do, in sentences: it has no commands."""
    bounds: Bounds
    service_messages: bool = False
    allow_no_mask: bool = False
    checks: tuple[Check, ...] = ()

    @property
    def exit_code(self) -> int:
        """What a run would end with for the first check that fails; 0 when none does."""
        return next((check.exit_code for check in self.checks if check.state == "fail"), 0)

    @property
    def verdict(self) -> str:
        """The one sentence that it all comes to."""
        fails, warns = (
            sum(check.state == state for check in self.checks) for state in ("fail", "warn")
        )
        warnings = _counted(warns, "warning")
        if fails:
            return f"the step would not start: {_counted(fails, 'check')} failed, {warnings}"
        known = "" if self.found else ", as far as known"
        return f"the step would start{known}: {warnings}"

    def to_document(self) -> dict[str, Any]:
        """The JSON document of ``explain --format json``; ``docs/commands.md`` describes it."""
        import msgspec

        return {
            "schema_version": 1,
            **msgspec.to_builtins(self),
            "verdict": self.verdict,
            "exit_code": self.exit_code,
        }


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
