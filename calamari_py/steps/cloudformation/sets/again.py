"""Looking at the set again when somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable

from calamari_py.errors import CloudError, Indeterminate, StackFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.following.polling import rest
from calamari_py.steps.cloudformation.sets.operate import is_busy
from calamari_py.steps.cloudformation.sets.work import SetWork

_TRIES = 3
_OVERTAKEN = ("StaleRequest", "NameAlreadyExists", "CreatedButModified", "StackInstanceNotFound")


def look_again(
    work: SetWork, attempt: Callable[[], StepOutcome], *, also: tuple[str, ...] = ()
) -> StepOutcome:
    """What `attempt` comes to. It is made anew, from the first look on, when AWS refuses something
    because somebody else has changed the set since; `also` are further codes that mean so. An
    operation that has begun is never repeated for this: its errors are of other types."""
    tries = 1
    while True:
        try:
            return attempt()
        except (Indeterminate, StackFailed):
            raise
        except CloudError as error:
            if is_busy(error):
                work.report.note(f"{work.shown} is at work for somebody else: {error.message}")
            elif tries < _TRIES and error.code.startswith((*_OVERTAKEN, *also)):
                tries += 1
                work.report.line(f"somebody else was faster ({error}): looking at the set again")
            else:
                raise
        work.deadline.check(f"{work.shown} to be free")
        rest(work, work.spec.poll_interval)
