"""A command of the caller's in the place of the step: same identity, same environment."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from calamari_py.channel import write_private
from calamari_py.manifest.types import Retry
from calamari_py.process import Command, resolve_tool
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.specs import search_path
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepKind,
    StepOutcome,
)

_SHELL_IS_DEAF = (signal.SIGTERM, signal.SIGINT)
"""What an interactive shell does not end for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdHocCommand:
    """What to run instead of the step. `argv[0]` may be a name on the step's PATH.

    `files` are written into the private folder before (name → text), with ``{role}`` for who the
    step runs as and ``{equipped}`` for the names that its kind sets (``A|B``; ``-``: none). Where
    there are any, ``{private}`` in `argv` and in the values of `names`, which join the environment,
    stands for that folder. `terminal` gives the command the caller's
    terminal, `hang_up` says that it is told to end as a shell is: by SIGHUP.
    """

    argv: tuple[str, ...]
    directory: Path
    terminal: bool = False
    hang_up: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


class AdHocKind(StepKind):
    """See `calamari_py.steps.base.StepKind`; not in `STEP_KINDS`, since no manifest names it.
    `scrub` is that of the step's own kind, and `equip_child` gives what that kind has for it."""

    name = "command"
    section: Any = None
    default_grace = 30.0
    default_delivery = "env"
    argument_fields: tuple[str, ...] = ()

    def __init__(
        self,
        scrub: tuple[str, ...] = (),
        equip_child: Callable[[StepContext], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self._scrub = scrub
        self._equip_child = equip_child

    def parse(self, section: AdHocCommand, context: ParseContext) -> AdHocCommand:
        """The same with an absolute program."""
        program = resolve_tool(section.argv[0], context.search_path, folder=section.directory)
        return replace(section, argv=(str(program), *section.argv[1:]))

    def environment(self, spec: AdHocCommand) -> KindEnvironment:  # noqa: ARG002
        """What a script of the step would find, and nothing that the step itself would not."""
        return replace(STEP_KINDS["script"].environment(None), scrub=self._scrub)

    def preview(self, spec: AdHocCommand) -> tuple[PlannedCommand, ...]:
        """The command."""
        return (PlannedCommand(argv=spec.argv, directory=spec.directory),)

    def execute(self, spec: AdHocCommand, context: StepContext) -> StepOutcome:
        """Run it; no time limit is set on what somebody does by hand."""
        equipment = self._equip_child(context)
        equipped = "|".join(equipment) or "-"
        for name, text in spec.files.items():
            written = text.replace("{equipped}", equipped)
            write_private(context.private / name, written.encode())

        def placed(text: str) -> str:
            return text.replace("{private}", str(context.private)) if spec.files else text

        names = {name: placed(value) for name, value in spec.names.items()}
        ended = context.run(
            Command(
                argv=tuple(placed(word) for word in spec.argv),
                environment={**context.environment, **equipment, **names},
                directory=spec.directory,
                stdin="inherit",
                terminal=spec.terminal,
                stop_signal=signal.SIGHUP if spec.hang_up else None,
                translate_signals=dict.fromkeys(_SHELL_IS_DEAF, signal.SIGHUP)
                if spec.hang_up
                else None,
            )
        )
        return StepOutcome(code=ended.code, exit=ended)


def ad_hoc_step(
    step: PreparedStep, command: AdHocCommand, *, environ: Mapping[str, str]
) -> PreparedStep:
    """`step` with `command` in its place: who it is and what it knows stay, how it would run
    (time limits, attempts, ``finally``) does not concern the command."""
    manifest = msgspec.structs.replace(
        step.loaded.manifest,
        timeout=None,
        idle_timeout=None,
        output_limit=None,
        service_messages=False,
        retry=Retry(),
        finally_=None,
    )
    own = STEP_KINDS[step.loaded.manifest.kind]
    kind = AdHocKind(step.scrub, partial(own.equip, step.spec))
    role = step.requests[-1].role if step.requests else None
    who = "none" if step.loaded.manifest.account.type == "none" else "launcher"
    if role is not None:
        who = f"{role.name}@{role.account}"
    files = {name: text.replace("{role}", who) for name, text in command.files.items()}
    context = ParseContext(
        folder=command.directory,
        search_path=search_path(manifest.env, environ),
        path="",
        render=lambda text, _place: text,
    )
    return replace(
        step,
        loaded=replace(step.loaded, manifest=manifest),
        kind=kind,
        spec=kind.parse(replace(command, files=files), context),
        finally_spec=None,
        delivery=manifest.credentials.delivery or step.delivery,
    )
