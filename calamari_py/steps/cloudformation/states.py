"""What each status of a stack means, and what may follow it.

Sources: "Stack status codes" and "Stack failure options" of the CloudFormation user guide, and
the API reference of ContinueUpdateRollback, RollbackStack and CreateChangeSet.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

ChangeSetKind = Literal["CREATE", "UPDATE", "IMPORT"]


class Phase(enum.Enum):
    """Where a stack stands, as far as it decides what may follow."""

    STEADY = "steady"
    """Nothing runs, and it is whole: it can be updated."""
    FAILED_STEADY = "failed, and kept"
    """It failed and was not rolled back: it can be updated where rollback stays off, or rolled
    back."""
    IN_PROGRESS = "in progress"
    """Something runs: it has to end before anything else can begin."""
    REVIEW = "in review"
    """Only change sets are there: nothing was ever made."""
    NEVER_CREATED = "never created"
    """Its creation failed: it can only be deleted."""
    ROLLBACK_STUCK = "stuck in a rollback"
    """A rollback failed: it has to be brought to an end first."""
    DELETE_STUCK = "stuck in a deletion"
    """A deletion failed: it can only be deleted again."""
    DELETED = "deleted"
    UNKNOWN = "unknown"
    """It ended in a way that this release does not know: nothing is done to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One status. `verb` is the operation that leads to it ("create", "update", "delete", "import",
    or "review"), `succeeded` whether an operation that ended so did what was asked, `change_sets`
    the types of change set that the stack takes now, `said` a sentence for people about "the
    stack", lower-case, no full stop."""

    name: str
    phase: Phase
    verb: str
    said: str
    succeeded: bool = False
    change_sets: frozenset[ChangeSetKind] = frozenset()

    @property
    def is_terminal(self) -> bool:
        """Whether nothing runs."""
        return self.phase is not Phase.IN_PROGRESS

    @property
    def needs_keep(self) -> bool:
        """Whether it can only be updated with ``on_failure: keep`` (DisableRollback)."""
        return self.phase is Phase.FAILED_STEADY

    @property
    def is_cleanup(self) -> bool:
        """Whether the outcome is decided and only what is left over is still removed."""
        return self.name.endswith("_CLEANUP_IN_PROGRESS")


_NEW: frozenset[ChangeSetKind] = frozenset({"CREATE", "IMPORT"})
_CHANGE: frozenset[ChangeSetKind] = frozenset({"UPDATE", "IMPORT"})
_FORWARD: frozenset[ChangeSetKind] = frozenset({"UPDATE"})


def _steady(name: str, verb: str, said: str, *, succeeded: bool) -> Status:
    return Status(
        name=name,
        phase=Phase.STEADY,
        verb=verb,
        said=said,
        succeeded=succeeded,
        change_sets=_CHANGE,
    )


def _runs(name: str, verb: str, said: str) -> Status:
    return Status(name=name, phase=Phase.IN_PROGRESS, verb=verb, said=said)


_ALL = (
    _runs("CREATE_IN_PROGRESS", "create", "the stack is being created"),
    Status(
        name="CREATE_FAILED",
        phase=Phase.FAILED_STEADY,
        verb="create",
        said="the stack could not be created; what was made is kept: correct and deploy with "
        "'on_failure: keep', or roll back",
        change_sets=_FORWARD,
    ),
    _steady("CREATE_COMPLETE", "create", "the stack is created", succeeded=True),
    _runs(
        "ROLLBACK_IN_PROGRESS",
        "create",
        "the stack could not be created; what was made is being removed",
    ),
    Status(
        name="ROLLBACK_FAILED",
        phase=Phase.NEVER_CREATED,
        verb="create",
        said="the stack was never created, and not all that was made could be removed; it can only "
        "be deleted",
    ),
    Status(
        name="ROLLBACK_COMPLETE",
        phase=Phase.NEVER_CREATED,
        verb="create",
        said="the stack was never created; what was made is removed, and an empty stack is left "
        "that can only be deleted",
    ),
    _runs("DELETE_IN_PROGRESS", "delete", "the stack is being deleted"),
    Status(
        name="DELETE_FAILED",
        phase=Phase.DELETE_STUCK,
        verb="delete",
        said="the stack is deleted in part; it can only be deleted again, where 'retain' leaves "
        "out what cannot be deleted",
    ),
    Status(
        name="DELETE_COMPLETE",
        phase=Phase.DELETED,
        verb="delete",
        said="the stack is deleted",
        succeeded=True,
    ),
    _runs("UPDATE_IN_PROGRESS", "update", "the stack is being updated"),
    _runs(
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "update",
        "the stack is updated; what it no longer needs is being removed",
    ),
    _steady("UPDATE_COMPLETE", "update", "the stack is updated", succeeded=True),
    Status(
        name="UPDATE_FAILED",
        phase=Phase.FAILED_STEADY,
        verb="update",
        said="the stack is updated in part and kept so: correct and deploy with "
        "'on_failure: keep', or roll back",
        change_sets=_FORWARD,
    ),
    _runs(
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "update",
        "the stack could not be updated and is going back to where it was",
    ),
    Status(
        name="UPDATE_ROLLBACK_FAILED",
        phase=Phase.ROLLBACK_STUCK,
        verb="update",
        said="the stack is stuck between its old and its new state; its rollback has to be "
        "continued, and it must not be deleted for that",
    ),
    _runs(
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "update",
        "the stack is back where it was; what the update made is being removed",
    ),
    _steady(
        "UPDATE_ROLLBACK_COMPLETE",
        "update",
        "the stack is back where it was; nothing to clean up",
        succeeded=False,
    ),
    Status(
        name="REVIEW_IN_PROGRESS",
        phase=Phase.REVIEW,
        verb="review",
        said="the stack has change sets and nothing else; none was executed",
        change_sets=_NEW,
    ),
    _runs("IMPORT_IN_PROGRESS", "import", "resources are being imported into the stack"),
    _steady("IMPORT_COMPLETE", "import", "the resources are imported", succeeded=True),
    _runs(
        "IMPORT_ROLLBACK_IN_PROGRESS",
        "import",
        "the resources could not be imported; the stack is going back to where it was",
    ),
    Status(
        name="IMPORT_ROLLBACK_FAILED",
        phase=Phase.ROLLBACK_STUCK,
        verb="import",
        said="the stack is stuck between the import and its old state",
    ),
    _steady(
        "IMPORT_ROLLBACK_COMPLETE",
        "import",
        "the stack is back where it was; the resources were not imported and are still there",
        succeeded=False,
    ),
)
STATUSES: dict[str, Status] = {status.name: status for status in _ALL}
"""By AWS's name of it."""


def describe(status: str) -> Status:
    """What `status` means; one that this release does not know is judged by how it ends."""
    known = STATUSES.get(status)
    if known is not None:
        return known
    verb = status.partition("_")[0].lower() or "change"
    if status.endswith("_IN_PROGRESS"):
        return _runs(status, verb, f"the stack is in {status}")
    if status.endswith("_COMPLETE"):
        succeeded = "ROLLBACK" not in status
        return _steady(status, verb, f"the stack is in {status}", succeeded=succeeded)
    said = f"the stack is in {status}, which calamari does not know"
    return Status(name=status, phase=Phase.UNKNOWN, verb=verb, said=said)


_REACHED = {
    "create": frozenset({"CREATE_COMPLETE"}),
    # A stack whose creation failed and was kept is corrected by an update.
    "update": frozenset({"UPDATE_COMPLETE"}),
    "import": frozenset({"IMPORT_COMPLETE"}),
    "delete": frozenset({"DELETE_COMPLETE"}),
    # RollbackStack deletes a stack that has no state to go back to.
    "rollback": frozenset({"UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"}),
}


def achieved(verb: str, status: str) -> bool:
    """Whether an operation ("create", "update", "delete", "rollback", "import") that ended with
    `status` did what was asked."""
    return status in _REACHED[verb]
