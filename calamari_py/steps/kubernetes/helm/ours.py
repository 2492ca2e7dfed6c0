"""Whose a revision is: what this run may touch after an operation of its own, and what never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.holder import LABEL, Holder
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.spec import HelmSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One operation of this run. `after` is the newest revision of before; `holder` is that of an
    upgrade, whose revision bears its label, `back_to` where a rollback goes. Without either it is
    an uninstall, which makes no revision."""

    after: int = 0
    holder: Holder | None = None
    back_to: int | None = None


def made_by(
    work: Work,
    attempt: Attempt,
    revisions: Sequence[Revision],
    *,
    last_words: float | None = None,
) -> Revision | None:
    """The revision that the attempt made, None where it made none, or where it may be another
    run's. Two runs may plan the same number, of which Helm refuses one: a number says nothing.
    Raises ToolFailed where nobody can say."""
    if attempt.holder is None and attempt.back_to is None:
        return next((each for each in revisions[-1:] if each.status == "uninstalling"), None)
    later = [each for each in revisions if each.number > attempt.after]
    if attempt.back_to is not None:
        return _only_rollback(attempt, later)
    assert attempt.holder is not None
    # The first: Helm hands labels on to those that follow.
    labels = labels_of(work, [each.number for each in later], last_words=last_words)
    ours = attempt.holder.label
    return next((each for each in later if ours in labels.get(each.number, ())), None)


def _only_rollback(attempt: Attempt, later: Sequence[Revision]) -> Revision | None:
    """A rollback bears no label, and Helm begins one beside another: it is ours only where nothing
    else was made since. Pure."""
    if [each.number for each in later] != [attempt.after + 1]:
        return None
    (made,) = later
    has_failed = made.description.startswith('Rollback "')
    return made if made.back_to == attempt.back_to or has_failed else None


def labels_of(
    work: Work, numbers: Sequence[int], *, last_words: float | None = None
) -> Mapping[int, list[str]]:
    """The labels of runs on these revisions, in whichever form Helm keeps them. Raises ToolFailed
    where they cannot be read."""
    if not numbers:
        return {}
    asked = work.kubectl.capture(*get_labels(work.spec, numbers), last_words=last_words)
    if asked.exit.code != 0 and not asked.stdout:
        raise work.kubectl.failed(f"see whose release '{work.spec.release}' is", asked.stderr)
    found: dict[int, list[str]] = {}
    for line in asked.stdout.decode("utf-8", "replace").splitlines():
        version, _, label = line.partition(" ")
        if version.isdecimal() and label:
            found.setdefault(int(version), []).append(label)
    return found


def get_labels(spec: HelmSpec, numbers: Sequence[int]) -> tuple[str, ...]:
    """kubectl's words for it. Pure."""
    versions = ",".join(map(str, numbers))
    line = f"{{.metadata.labels.version}} {{.metadata.labels.{LABEL}}}{{'\\n'}}"
    return (
        "get",
        "secrets,configmaps",
        f"--selector=owner=helm,name={spec.release},version in ({versions})",
        f"--output=jsonpath={{range .items[*]}}{line}{{end}}",
    )
