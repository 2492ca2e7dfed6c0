"""What a run has prepared at AWS, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.steps.cloudformation.changes.ownership import is_ours, token_of
from calamari_py.steps.cloudformation.following.contact import is_passing
from calamari_py.steps.cloudformation.service.places import name_of
from calamari_py.steps.cloudformation.states import Phase, describe
from calamari_py.steps.cloudformation.tokens import new_token
from calamari_py.steps.cloudformation.values import ChangeSet
from calamari_py.steps.cloudformation.work import Work

Answer = TypeVar("Answer")

_WITH_STACK = ", and the empty stack with it,"
_TRIES = 10
_PAUSE = 1.0
_PATIENCE = 60.0
_GOING = frozenset({"DELETE_PENDING", "DELETE_IN_PROGRESS"})
_DEAD = frozenset({"FAILED", "DELETE_FAILED", "DELETE_COMPLETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A change set of this run that can be judged. `is_new`: the stack does not exist yet;
    `made_stack`: this run made the empty stack (REVIEW_IN_PROGRESS) that holds it; `no_changes`:
    there is nothing to do, and the change set cannot be executed."""

    change_set: ChangeSet
    is_new: bool
    made_stack: bool
    no_changes: bool = False


def discard(work: Work, prepared: Prepared) -> bool:
    """Delete the change set, and the empty stack that nothing else is in. Whether all of it is
    gone: what is not is a warning. It asks for a minute, even where the step's time is over."""
    change_set = prepared.change_set
    left = f"change set '{change_set.name}' of stack '{name_of(change_set.stack_id)}'"
    try:
        insist(work, lambda: work.api.delete_change_set(change_set.id))
        if not prepared.is_new:
            return True
        left = f"empty stack '{name_of(change_set.stack_id)}'"
        return _without_empty_stack(work, prepared)
    except CalamariError as error:
        work.report.warn(f"{left} could not be deleted: {error.message}", error.hint)
        return False
    except Cancelled:
        also = _WITH_STACK if prepared.is_new and left.startswith("change set") else ""
        work.report.warn(f"{left}{also} may be left behind: the clean-up was interrupted")
        raise


def discard_unseen(work: Work, asked: Prepared, token: str, *, lost: bool) -> None:
    """Clean up after a request for a change set that has failed: AWS may have made it all the same.
    `lost`: there were tries without any answer."""
    stack, name = work.spec.stack_name, asked.change_set.name
    left = f"change set '{name}' of stack '{stack}'"
    left += _WITH_STACK if asked.made_stack else ""
    try:
        found = insist(work, lambda: work.api.named_change_set(stack, name))
    except CalamariError as error:
        if lost:
            work.report.warn(f"{left} may have been left behind: {error.message}", error.hint)
        return
    except Cancelled:
        work.report.warn(f"{left} may have been left behind: the clean-up was interrupted")
        raise
    if found is not None and token_of(found.description) == token:
        discard(work, Prepared(change_set=found, is_new=asked.is_new, made_stack=asked.made_stack))


def insist(work: Work, call: Callable[[], Answer]) -> Answer:
    """The answer of `call`, asked for again for up to a minute: what has to be tidied up does not
    end with the step's time."""
    until = work.clock.monotonic() + _PATIENCE
    pause = _PAUSE
    while True:
        try:
            return call()
        except CalamariError as error:
            if not is_passing(error) or work.clock.monotonic() >= until:
                raise
        _sleep(work, pause)
        pause = min(pause * 2, _PATIENCE / 4)


def _without_empty_stack(work: Work, prepared: Prepared) -> bool:
    """Whether nothing of ours is left of a stack that was never more than the holder of change
    sets. Its ARN names this very stack: one made later under the same name has another."""
    for _ in range(_TRIES):
        is_done = insist(work, lambda: _delete_if_empty(work, prepared))
        if is_done:
            return True
        # One with nested change sets goes by and by.
        _sleep(work, _PAUSE)
    shown = f"empty stack '{name_of(prepared.change_set.stack_id)}'"
    work.report.warn(f"{shown} is left behind: its change set is still being deleted")
    return False


def _delete_if_empty(work: Work, prepared: Prepared) -> bool:
    """One try, False while change sets of ours are still on their way out.

    The change sets are read before the status: one that somebody executes in between has changed
    the status. What is left is the one call after that: AWS deletes without any condition, and
    whoever makes and executes a change set just then loses a stack that is seconds old.
    """
    ours = prepared.change_set
    there = [one for one in work.api.change_sets(ours.stack_id) if not _is_dead(one)]
    if any(one.id != ours.id and not _is_going(one) for one in there):
        return True
    stack = work.api.find(ours.stack_id)
    if stack is None or describe(stack.status).phase is not Phase.REVIEW:
        return True
    if there:
        return False
    if not prepared.made_stack and not _was_never_more(work, stack.id):
        return True
    token = new_token(work.spec.token_prefix)
    work.api.delete_stack(stack.id, token=token, role_arn=None)
    return True


def _is_dead(change_set: ChangeSet) -> bool:
    return is_ours(change_set) and change_set.status in _DEAD


def _is_going(change_set: ChangeSet) -> bool:
    return is_ours(change_set) and change_set.status in _GOING


def _was_never_more(work: Work, stack_id: str) -> bool:
    """Whether its events tell of no more than an empty stack."""
    pages = work.api.event_pages(stack_id)
    return all(event.status == "REVIEW_IN_PROGRESS" for page in pages for event in page)


def _sleep(work: Work, seconds: float) -> None:
    work.clock.sleep(seconds * (0.75 + work.clock.jitter() / 2))
