"""What is asked of a step that its kind has no use for: refused, never passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calamari_py.errors import Problem, UsageError
from calamari_py.manifest import LoadedManifest
from calamari_py.manifest.nodes import placed
from calamari_py.manifest.types import Account, as_account
from calamari_py.steps.base import StepKind, Wishes


def check_wishes(kind: StepKind, wishes: Wishes) -> None:
    """UsageError for an action that `kind` does not know, or a rehearsal or a way to go on that it
    has not."""
    action = wishes.action
    if action is not None and not kind.actions:
        raise UsageError(
            f"--action is not for steps of kind '{kind.name}'",
            hint="leave it out: such a step does one thing",
        )
    if action is not None and action not in kind.actions:
        raise UsageError(
            f"'{action}' is no action of steps of kind '{kind.name}'",
            hint=f"choose one of: {', '.join(kind.actions)}",
        )
    if wishes.dry_run and not kind.rehearses:
        raise UsageError(
            f"--dry-run is not for steps of kind '{kind.name}'",
            hint="see what it would do, as far as anyone can tell: calamari explain",
        )
    if wishes.resume is not None and not kind.resumes:
        raise UsageError(
            f"--resume is not for steps of kind '{kind.name}'",
            hint="leave it out: nothing goes on at AWS when such a step has ended",
        )


def fitting(kind: StepKind, wishes: Wishes) -> Wishes:
    """What of `wishes` may be handed to `kind`."""
    return Wishes(
        action=wishes.action if wishes.action in kind.actions else None,
        dry_run=wishes.dry_run and kind.rehearses,
        resume=wishes.resume if kind.resumes else None,
    )


def problems_of_own_work(kind: StepKind, said: Mapping[str, Any], *, reads: bool) -> list[Problem]:
    """What a manifest says of a process or of no account, where `kind` calls AWS itself, and of an
    output that `kind` does not pass on but `reads`. `said` are the manifest's fields by their keys,
    ``finally`` among them where there is one."""
    if kind.starts_processes:
        why = f"is for output that is passed on, and '{kind.name}' reads and tells it"
        return _output_problems(said, why) if reads else []
    problems = [
        Problem(
            path=key,
            message=f"is for steps that start a process, and '{kind.name}' calls AWS itself",
            hint="remove it; 'timeout' limits the step as a whole",
        )
        for key in ("idle_timeout", "grace")
        if said.get(key) is not None
    ]
    why = f"is for the output of a process, and '{kind.name}' starts none"
    problems += _output_problems(said, why)
    if as_account(said.get("account", Account())).type == "none":
        problems.append(
            Problem(
                path="account",
                message=f"is 'none', and the step calls AWS ('{kind.name}')",
                hint="say who it starts as, and under 'assume_role' who it runs as",
            )
        )
    return problems


def _output_problems(said: Mapping[str, Any], why: str) -> list[Problem]:
    """What would do nothing without a ``finally``."""
    if "finally" in said:
        return []
    hint = "remove it; where there is a 'finally' it counts for that"
    return [
        Problem(path=key, message=why, hint=hint)
        for key in ("output_limit", "service_messages")
        if said.get(key)
    ]


def unused_keys(kind: StepKind, loaded: LoadedManifest) -> Iterator[str]:
    """Warnings of what counts for a process only, where a run starts none. No mistake: what
    somebody does by hand as the step's identity is a process."""
    step = loaded.manifest
    if kind.starts_processes or step.finally_ is not None:
        return
    given = {
        "env": bool(step.env),
        "inherit_env": step.inherit_env is not True,
        "credentials.delivery": step.credentials.delivery is not None,
    }
    for key in (key for key, is_given in given.items() if is_given):
        place = placed(Problem(path=key, message=""), loaded.places).place
        yield (
            f"{place}: '{key}' does nothing here: '{kind.name}' starts no process; it counts for "
            "'finally', and for calamari exec and shell"
        )
