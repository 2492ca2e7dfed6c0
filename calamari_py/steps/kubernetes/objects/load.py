"""Kube manifests become objects: those of a section's files, and what a tool has built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from calamari_py.errors import Problem, ToolFailed
from calamari_py.manifest.kube_text import decoded, read_documents
from calamari_py.manifest.nodes import Malformed
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.objects.files import KubeFile, find_files
from calamari_py.steps.kubernetes.objects.read import PLACEHOLDER_HINT, Reader
from calamari_py.steps.kubernetes.values import KubeObject
from calamari_py.variables import SourceUnreadable, read_regular_file

LIMIT = 100_000_000
"""Bytes of all files together."""
_PLACEHOLDER = re.compile(r"\{\{|\{%")


def load_objects(
    files: Sequence[str],
    *,
    folder: Path,
    render: bool,
    checks: Checks,
    context: ParseContext,
    field: str = "files",
    namespace: str = "",
) -> tuple[KubeObject, ...]:
    """The objects of all `files`, in their order; `namespace` is that of those that name none, for
    two that are the same. Everything that is wrong goes to `checks`, with its place in the file.
    """
    before = len(checks.found.problems)
    found: list[KubeObject] = []
    unknown = False
    left = LIMIT
    for file in find_files(files, folder=folder, checks=checks, context=context, field=field):
        text = _text(file, checks)
        left -= len(text or "")
        if left < 0:
            message = f"are larger than {LIMIT // 1_000_000} MB together"
            checks.refuse(field, message, "apply them in several steps")
            break
        if text is None:
            continue
        rendered: str | None = text
        if render:
            rendered = _rendered(text, file, checks, context)
            unknown = unknown or rendered is None
        if rendered is not None:
            found += _read(
                rendered, file, checks.found.problems, has_moved=_lines(rendered) != _lines(text)
            )
    _refuse_twins(found, namespace, checks.found.problems)
    if files and not found and not unknown and len(checks.found.problems) == before:
        checks.refuse(field, "hold no object", "write one, or name other files")
    return tuple(found)


def objects_of(data: bytes, *, origin: str) -> tuple[KubeObject, ...]:
    """The objects of what a tool has built, as kubectl takes it; `origin` names it in messages.

    Raises ToolFailed for what is no kube manifest.
    """
    problems: list[Problem] = []
    found: list[KubeObject] = []
    try:
        reader = Reader(problems, [])
        for document in read_documents(decoded(data, origin), origin, problems, []):
            found += reader.objects(document)
    except Malformed as error:
        problems += error.problems
    if problems:
        first = problems[0]
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise ToolFailed(
            f"{origin} is no kube manifest: {first.message} (line {first.line or 1}{more})",
            hint=first.hint,
        )
    return tuple(found)


def _text(file: KubeFile, checks: Checks) -> str | None:
    try:
        return decoded(read_regular_file(file.path, shown=file.shown, limit=LIMIT), file.shown)
    except SourceUnreadable as error:
        tell = checks.missing if error.missing else checks.refuse
        tell(file.field, error.message, error.hint)
    except Malformed as error:
        checks.found.problems += error.problems
    return None


def _rendered(text: str, file: KubeFile, checks: Checks, context: ParseContext) -> str | None:
    """None where it cannot be rendered, or not yet: where other problems of the manifest are looked
    for there are no values."""
    from calamari_py.templates import is_template

    rendered = text
    with checks.found:
        rendered = context.render(text, f"{context.path}.{file.field}")
    return None if rendered == text and is_template(text) else rendered


def _read(
    text: str, file: KubeFile, problems: list[Problem], *, has_moved: bool
) -> list[KubeObject]:
    """The objects of one file. With `has_moved` its lines are not those that people see."""
    found: list[KubeObject] = []
    of_text: list[Problem] = []
    of_objects: list[Problem] = []
    name = f"{file.shown} (rendered)" if has_moved else file.shown
    documents = read_documents(text, name, of_text, of_text)
    reader = Reader(of_objects, of_objects)
    for document in documents:
        found += reader.objects(document)
    problems += _with_placeholders(of_text, text)
    problems += of_objects
    return found


def _lines(text: str) -> int:
    return text.count("\n")


def _with_placeholders(problems: Iterable[Problem], text: str) -> list[Problem]:
    """A template is bad YAML in a hundred ways, and wants to be called by its name."""
    lines = text.split("\n") if _PLACEHOLDER.search(text) else []
    found: dict[int, Problem] = {}
    others: list[Problem] = []
    for problem in problems:
        near = range(max((problem.line or 1) - 2, 0), problem.line or 1)
        at = next((at for at in reversed(near) if at < len(lines) and _has(lines[at])), None)
        if at is None:
            others.append(problem)
        else:
            column = _PLACEHOLDER.search(lines[at])
            message = "holds a placeholder that nothing has filled in"
            found[at] = replace(
                problem,
                message=message,
                line=at + 1,
                column=column.start() + 1 if column else 1,
                hint=PLACEHOLDER_HINT,
            )
    return [*others, *found.values()]


def _has(line: str) -> bool:
    return _PLACEHOLDER.search(line) is not None


def _refuse_twins(found: Sequence[KubeObject], namespace: str, problems: list[Problem]) -> None:
    """Of two that are the same object one would win, and nobody knows which was meant."""
    first: dict[tuple[str, str, str, str], KubeObject] = {}
    for each in found:
        ref = each.ref
        if not ref.name:
            continue
        key = (ref.group, ref.kind, ref.namespace or namespace, ref.name)
        twin = first.setdefault(key, each)
        if twin is not each:
            file, _, line = each.place.rpartition(":")
            message = f"'{ref}' is there twice, first at {twin.place}"
            problems.append(
                Problem(message=message, file=file, line=int(line), column=1, hint="remove one")
            )
