"""What an error of CloudFormation means: it is not there, it is not allowed."""

from __future__ import annotations

from calamari_py.errors import CloudError
from calamari_py.steps.cloudformation.failures.denials import NOT_AUTHORIZED

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
# What a change set says that would change nothing; the last when a macro took part.
_NO_CHANGE = (
    "The submitted information didn't contain changes",
    (
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set"
    ),
    "No updates are to be performed",
)


def is_missing_stack(error: CloudError, name: str) -> bool:
    """Whether AWS says that there is no stack `name`: in its own words, and nothing else."""
    words = f"Stack with id {name} does not exist"
    return error.code == "ValidationError" and error.message.rstrip(". ").endswith(words)


def is_missing_change_set(error: CloudError) -> bool:
    """Whether AWS says that there is no such change set."""
    return error.code in ("ChangeSetNotFound", "ChangeSetNotFoundException")


def is_missing_stack_of(error: CloudError, name: str) -> bool:
    """The same, in the words that AWS has for it where something in the stack was asked for."""
    words = f"Stack [{name}] does not exist"
    return error.code == "ValidationError" and error.message.rstrip(". ").endswith(words)


def says_no_change(reason: str) -> bool:
    """Whether a change set failed for the one reason that there is nothing to do: AWS's own words
    from the first to the last."""
    return " ".join(reason.split()).removesuffix(".") in _NO_CHANGE


def is_denied(error: CloudError) -> bool:
    """Whether the caller may not."""
    return error.code in _DENIED


def denied(error: CloudError, subject: str) -> CloudError:
    """The same with what is missing: AWS's sentence names the action (a call may need that of
    another service, ``iam:PassRole``), and the resource."""
    sentence = NOT_AUTHORIZED.search(error.message)
    action = sentence["action"] if sentence else f"{error.service}:{error.operation}"
    resource = (sentence["resource"] or "").rstrip(".,") if sentence else ""
    on = f" on '{resource}'" if resource else f" ({subject})" if subject else ""
    why = f", {sentence['why'].rstrip('. ')}" if sentence and sentence["why"] else ""
    where = f" on '{resource}'" if resource else ""
    # The door may know which kind of policy it is that refuses.
    named = error.hint is not None and f"'{action}'" in error.hint
    hint = error.hint if named else f"allow '{action}'{where} in a policy of the step's role"
    return CloudError(
        f"the step's role is not allowed '{action}'{on}{why}",
        service=error.service,
        operation=error.operation,
        code=error.code,
        request_id=error.request_id,
        status=error.status,
        evidence=error.evidence,
        encoded=error.encoded,
        hint=hint,
        trace=error.trace,
    )
