"""Sections and files as a manifest would hand them to the parser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from calamari_py.errors import ManifestError, Problem
from calamari_py.steps.base import ParseContext, Wishes

TEMPLATES = Path(__file__).parent / "templates"


def context(
    folder: Path = TEMPLATES,
    *,
    section: str = "cloudformation",
    action: str | None = None,
    dry_run: bool = False,
    resume: str | None = None,
    secret: tuple[str, ...] = (),
    render: Callable[[str, str], str] = lambda text, _: text,
    title: str = "payments-dev-network",
) -> ParseContext:
    """What the corridor gives to the parser; `secret` are places made from a secret."""
    return ParseContext(
        folder=folder,
        search_path="",
        path=section,
        render=render,
        sensitive=lambda path: path in secret,
        wishes=Wishes(action=action, dry_run=dry_run, resume=resume),
        title=title,
    )


def problems_of(parse: Callable[[], object]) -> list[Problem]:
    """Every problem that `parse` raises."""
    with pytest.raises(ManifestError) as caught:
        parse()
    return list(caught.value.problems)


def said(problems: list[Problem]) -> dict[str, str]:
    """Message by place: the path in the manifest, or the file with line and column."""
    return {problem.place or problem.path: problem.message for problem in problems}
