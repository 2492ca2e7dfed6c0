"""Folding in the logs of CI systems that know it, by lines of our own text on stderr."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from calamari_py.output._lines import Line, Span

_ERASE = "\r\x1b[0K"


def groups_of(environ: Mapping[str, str], *, now: Callable[[], float] = time.time) -> Groups:
    """How the system folds that `environ` is of; not at all where it is none that we know."""
    if environ.get("GITLAB_CI") == "true":
        return _GitlabGroups(now)
    if environ.get("BUILDKITE") == "true":
        return _BuildkiteGroups()
    return Groups()


class Groups:
    """No folding: lines stay as they are."""

    def fold(self, title: str, lines: Sequence[Line]) -> list[Line]:  # noqa: ARG002
        """`lines` folded under `title`, which is one line; what comes next is open again."""
        return list(lines)

    def unfold(self) -> list[Line]:
        """What opens again that which stands before: something in it went wrong."""
        return []


class _GitlabGroups(Groups):
    """https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections"""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def fold(self, title: str, lines: Sequence[Line]) -> list[Line]:
        moment = int(self._now())
        # Two sections of one job must not have one name.
        name = f"calamari_{os.urandom(4).hex()}"
        start = f"section_start:{moment}:{name}[collapsed=true]{_ERASE}"
        return [
            (Span(start), Span(title, "strong")),
            *lines,
            (Span(f"section_end:{moment}:{name}{_ERASE}"),),
        ]


class _BuildkiteGroups(Groups):
    """https://buildkite.com/docs/pipelines/configure/managing-log-output

    A group has no end but the next one's beginning, so that what comes next gets one of its own.
    """

    def fold(self, title: str, lines: Sequence[Line]) -> list[Line]:
        return [(Span(f"--- {title}"),), *lines, (Span("+++ output"),)]

    def unfold(self) -> list[Line]:
        return [(Span("^^^ +++"),)]
