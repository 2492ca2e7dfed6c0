"""The checks of ``explain``: what would keep a step from starting, and what is worth knowing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from calamari_py.environment import ChildEnvironment
from calamari_py.errors import (
    EX_IDENTITY,
    EX_MANIFEST,
    EX_OK,
    CalamariError,
    ManifestError,
    exit_code_of,
)
from calamari_py.identity import Expectation, LauncherCredentials
from calamari_py.output import format_seconds
from calamari_py.output.explanation import Check, CommandLine
from calamari_py.runner.explain.reach import METADATA, Reach
from calamari_py.runner.identity import ResolvedIdentity, missing_region
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.report import forecast

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY", re.IGNORECASE
)
_KNOWS_REGION = frozenset({"profile", "imds"})
"""Sources that may say in which region they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the checks look at. `identity` was found where `found`, else foreseen; `error` is
    why it was not found, `defect` what is certain to stop its launcher. `policy` names the
    operator's policy that allowed the step."""

    step: PreparedStep
    identity: ResolvedIdentity
    found: bool
    error: CalamariError | None
    defect: str | None
    commands: Sequence[CommandLine]
    environment: ChildEnvironment
    reach: Reach
    isolated: bool
    policy: str | None
    now: datetime


def all_checks(facts: Facts) -> tuple[Check, ...]:
    """Every check, in the order in which a run would meet what they are about."""
    return (
        *_tools(facts),
        *_policy(facts),
        *_launcher(facts),
        *_region(facts),
        *_role(facts),
        *_expect(facts),
        *_lifetime(facts),
        *_output(facts),
        *_inherited(facts),
        *_files(facts),
        *_metadata(facts),
        *_user(facts),
    )


def mismatches(step: PreparedStep, identity: ResolvedIdentity) -> tuple[str, ...] | None:
    """What ``expect`` says and is not so; None when nothing is expected or nothing is known."""
    expect = step.loaded.manifest.expect
    principal = identity.deployment.principal if identity.deployment else None
    if expect is None or principal is None:
        return None
    expectation = Expectation(
        account=expect.account,
        role=expect.role,
        # A region that is not known yet is no other one.
        region=expect.region if identity.region else None,
        partition=expect.partition,
    )
    return expectation.mismatches(principal, identity.region)


def _tools(facts: Facts) -> Iterator[Check]:
    for error in facts.step.missing:
        yield _failed("tools", error)
    if facts.step.missing:
        return
    programs = dict.fromkeys(command.argv[0] for command in facts.commands)
    if programs:
        yield Check(name="tools", state="ok", evidence=", ".join(programs))
    elif facts.step.spec is None:
        yield Check(
            name="tools",
            state="warn",
            evidence="what runs is only known when the late variables are fetched",
        )


def _policy(facts: Facts) -> Iterator[Check]:
    if facts.policy is not None:
        evidence = f"'{facts.policy}' allows all that the manifest asks for"
        yield Check(name="policy", state="ok", evidence=evidence)


def _launcher(facts: Facts) -> Iterator[Check]:
    launcher = facts.identity.launcher
    if launcher is None:
        evidence = "none is looked for (account: none), and the step gets no credentials"
        yield Check(name="launcher", state="ok", evidence=evidence)
    elif facts.error is not None:
        yield _failed("identity", facts.error)
    elif facts.found or not facts.identity.trace:
        who = launcher.arn or f"access key {launcher.credentials.access_key_id}"
        yield Check(name="launcher", state="ok", evidence=f"{who} ({launcher.description})")
    else:
        yield _foreseen_launcher(launcher, facts)


def _foreseen_launcher(launcher: LauncherCredentials, facts: Facts) -> Check:
    if facts.defect is not None:
        falls_back = facts.step.loaded.manifest.account.fallback
        return Check(
            name="launcher",
            state="warn" if falls_back else "fail",
            evidence=f"{launcher.source} is broken: {facts.defect}",
            hint="correct it, or unset what names this source",
            exit_code=EX_OK if falls_back else EX_IDENTITY,
        )
    if launcher.source:
        evidence = f"{launcher.source}: {launcher.description}; not asked"
        return Check(name="launcher", state="ok", evidence=evidence)
    open_ones = [row.source for row in facts.identity.trace if row.result == "unknown"]
    if open_ones:
        return Check(
            name="launcher",
            state="warn",
            evidence=f"only asking tells: {', '.join(open_ones)}",
            hint="ask: calamari explain --online",
        )
    return Check(
        name="launcher",
        state="fail",
        evidence="no credential source is present",
        hint="give calamari an identity, or say under account where it is",
        exit_code=EX_IDENTITY,
    )


def _region(facts: Facts) -> Iterator[Check]:
    own_work = not facts.step.kind.starts_processes
    if facts.identity.region or facts.error is not None:
        return
    if not facts.step.requests and not own_work:
        return
    (problem,) = missing_region(of_step=not facts.step.requests).problems
    asked = {row.source for row in facts.identity.trace if row.result in {"present", "unknown"}}
    if asked & _KNOWS_REGION:
        evidence = f"the region {problem.message}; the launcher's source may know it"
        yield Check(name="region", state="warn", evidence=evidence)
        return
    evidence = f"the region {problem.message}"
    yield Check(name="region", state="fail", evidence=evidence, hint=problem.hint,
                exit_code=EX_MANIFEST)  # fmt: skip


def _role(facts: Facts) -> Iterator[Check]:
    if facts.identity.launcher is None or facts.step.requests:
        return
    yield Check(
        name="role",
        state="warn",
        evidence="no assume_role: the step runs as the launcher",
        hint="name a deployment role under assume_role",
    )


def _expect(facts: Facts) -> Iterator[Check]:
    expect = facts.step.loaded.manifest.expect
    if expect is None or facts.identity.launcher is None:
        return
    differ = mismatches(facts.step, facts.identity)
    if differ is None:
        yield Check(
            name="expect",
            state="warn",
            evidence="who the launcher is, only a call tells",
            hint="ask: calamari explain --online",
        )
    elif differ:
        yield Check(
            name="expect",
            state="fail",
            evidence="; ".join(differ),
            hint="correct assume_role, or expect if the manifest moved",
            exit_code=EX_IDENTITY,
        )
    else:
        wanted = {
            "account": expect.account,
            "role": expect.role,
            "region": expect.region,
            "partition": expect.partition,
        }
        named = ", ".join(f"{name} {value}" for name, value in wanted.items() if value)
        says = "STS says so" if facts.found else "the role's ARN says so"
        yield Check(name="expect", state="ok", evidence=f"{named}: {says}")


def _lifetime(facts: Facts) -> Iterator[Check]:
    limit, deployment = facts.step.timeout, facts.identity.deployment
    expires_at = deployment.credentials.expires_at if deployment else None
    if expires_at is None or limit is None:
        return
    timeout = f"the step may take {format_seconds(limit)}"
    if facts.step.renews:
        evidence = f"{timeout}, and its credentials are renewed"
        yield Check(name="lifetime", state="ok", evidence=evidence)
        return
    lives = f"credentials live {format_seconds((expires_at - facts.now).total_seconds())}"
    ends_early = forecast(facts.step, facts.identity, now=facts.now) is not None
    yield Check(
        name="lifetime",
        state="warn" if ends_early else "ok",
        evidence=f"{lives}, {timeout}",
        hint="credentials.delivery: endpoint renews them" if ends_early else None,
    )


def _output(facts: Facts) -> Iterator[Check]:
    if facts.step.loaded.manifest.service_messages:
        yield Check(
            name="output",
            state="warn",
            evidence="service_messages: what the step prints can be a command to calamari",
            hint="leave service_messages out where a step prints what others wrote",
        )


def _inherited(facts: Facts) -> Iterator[Check]:
    names = [name for name in facts.environment.passed if _SECRET_NAME.search(name)]
    if facts.step.loaded.manifest.inherit_env is not True or not facts.step.has_child:
        return
    if names:
        yield Check(
            name="inherited",
            state="warn",
            evidence=f"passed on, and named like secrets: {', '.join(names)}",
            hint="inherit_env: false, or a list of what the step needs",
        )
    else:
        evidence = "no name that is passed on looks like a secret"
        yield Check(name="inherited", state="ok", evidence=evidence)


def _files(facts: Facts) -> Iterator[Check]:
    if not facts.step.has_child:
        return
    files = facts.reach.files
    if not files:
        evidence = "no token or config file of a launcher is here"
        yield Check(name="files", state="ok", evidence=evidence)
    elif facts.isolated:
        yield Check(name="files", state="ok", evidence=f"hidden: {', '.join(files)}")
    else:
        yield Check(
            name="files",
            state="warn",
            evidence=f"the step can read {', '.join(files)}",
            hint="on Linux, --isolate hides them; or run calamari as a user of its own",
        )


def _metadata(facts: Facts) -> Iterator[Check]:
    if not facts.step.has_child:
        return
    answering = facts.reach.answering
    hint = "hop limit 1, a network policy or a firewall shuts it off"
    if answering is None:
        evidence = "not tried: a step may ask 169.254.169.254 where it answers"
        yield Check(name="metadata", state="warn", evidence=evidence, hint=hint)
    elif answering:
        where = ", ".join(f"{name} ({METADATA[name]})" for name in answering)
        evidence = f"takes connections, from the step too: {where}"
        yield Check(name="metadata", state="warn", evidence=evidence, hint=hint)
    else:
        evidence = f"nothing takes a connection at {', '.join(METADATA.values())}"
        yield Check(name="metadata", state="ok", evidence=evidence)


def _user(facts: Facts) -> Iterator[Check]:
    if not facts.step.has_child:
        return
    if facts.reach.uid:
        yield Check(name="user", state="ok", evidence=f"uid {facts.reach.uid}, not root")
    else:
        evidence = "root: nothing can be hidden from a step that is root, too"
        hint = "run calamari as a user of its own"
        yield Check(name="user", state="warn", evidence=evidence, hint=hint)


def _failed(name: str, error: CalamariError) -> Check:
    said, hint = [error.message, *getattr(error, "evidence", ())], error.hint
    if isinstance(error, ManifestError):
        said = [f"{problem.path} {problem.message}".strip() for problem in error.problems]
        hint = hint or next((problem.hint for problem in error.problems if problem.hint), None)
    return Check(
        name=name,
        state="fail",
        evidence="; ".join(said),
        hint=hint,
        exit_code=exit_code_of(error),
    )
