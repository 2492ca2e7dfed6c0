"""What is asked of a step that its kind has no use for: refused, never passed over."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.errors import Problem, UsageError
from calamari_py.manifest.types import Account
from calamari_py.steps.base import StepKind, Wishes


def check_wishes(kind: StepKind, wishes: Wishes) -> None:
    """UsageError for an action that `kind` does not know, or a rehearsal that it has not."""
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


def fitting(kind: StepKind, wishes: Wishes) -> Wishes:
    """What of `wishes` may be handed to `kind`."""
    return Wishes(
        action=wishes.action if wishes.action in kind.actions else None,
        dry_run=wishes.dry_run and kind.rehearses,
    )


def check_fail_on_no_change(kind: StepKind) -> None:
    """UsageError where nobody can know whether anything was changed."""
    if not kind.knows_changes:
        raise UsageError(
            f"--fail-on-no-change is not for steps of kind '{kind.name}': "
            "nobody knows whether they change anything",
            hint="leave it out",
        )


def check_process_options(kind: StepKind, asked: Mapping[str, bool]) -> None:
    """UsageError for the first option of `asked` that is about the step's process, where there is
    none."""
    if kind.starts_processes:
        return
    for option, is_there in asked.items():
        if is_there:
            raise UsageError(
                f"{option} is for steps that start a process, and '{kind.name}' calls AWS itself",
                hint="leave it out",
            )


def problems_of_own_work(
    kind: StepKind, idle_timeout: float | None, grace: float | None, account: Account
) -> list[Problem]:
    """What a manifest says of a process or of no account, where `kind` calls AWS itself."""
    if kind.starts_processes:
        return []
    problems = [
        Problem(
            path=key,
            message=f"is for steps that start a process, and '{kind.name}' calls AWS itself",
            hint="remove it; 'timeout' limits the step as a whole",
        )
        for key, value in (("idle_timeout", idle_timeout), ("grace", grace))
        if value is not None
    ]
    if account.type == "none":
        problems.append(
            Problem(
                path="account",
                message=f"is 'none', and the step calls AWS ('{kind.name}')",
                hint="say who it starts as, and under 'assume_role' who it runs as",
            )
        )
    return problems
