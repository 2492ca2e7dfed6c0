"""Options of the command line that a step has no use for, or that it does not allow."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.errors import UsageError
from calamari_py.manifest.types import StepManifest
from calamari_py.runner.options import RunOptions
from calamari_py.runner.prepared import PreparedStep
from calamari_py.steps.base import StepKind


def check_options(options: RunOptions, step: PreparedStep) -> None:
    """UsageError for what the step's kind has no use for. A command in its place is a process,
    whatever the step is."""
    if options.command is not None:
        return
    asked = {
        "--interactive": options.interactive,
        "--isolate": options.isolate,
        "--pty on": options.terminal_asked,
        "--no-mask": options.no_mask,
    }
    _check_process_options(step.kind, asked, reads=step.reads)
    asked_of_changes = {
        "--fail-on-no-change": options.fail_on_no_change,
        "--detailed-exitcode": options.detailed_exitcode,
    }
    _check_change_options(step.kind, asked_of_changes, knows=step.knows_changes)


def check_isolation(options: RunOptions) -> None:
    """What keeps this machine from isolating anything, once it is known that it would have to."""
    if options.isolate:
        from calamari_py.process.isolate import require_isolation

        require_isolation()


def check_no_mask(options: RunOptions, step: StepManifest) -> str | None:
    """UsageError for ``--no-mask`` where the manifest does not allow it; the warning where it
    does."""
    if not options.no_mask:
        return None
    if not step.allow_no_mask:
        raise UsageError(
            f"--no-mask is refused: the manifest of '{step.name}' does not allow it",
            hint="run without --no-mask; a manifest allows it with 'allow_no_mask: true'",
        )
    return "--no-mask: the output of the step is shown as it is, with every secret in it"


def _check_process_options(kind: StepKind, asked: Mapping[str, bool], *, reads: bool) -> None:
    """UsageError for the first option of `asked` that is about the step's process, where there is
    none, or none whose input and output are those of the run, because the kind `reads` it."""
    if not kind.starts_processes:
        why, refused = f"start a process, and '{kind.name}' calls AWS itself", {*asked}
    elif reads:
        why = f"show their processes' output as it comes, and '{kind.name}' reads and tells it"
        refused = {*asked} - {"--isolate"}
    else:
        return
    for option, is_there in asked.items():
        if is_there and option in refused:
            raise UsageError(f"{option} is for steps that {why}", hint="leave it out")


def _check_change_options(kind: StepKind, asked: Mapping[str, bool], *, knows: bool) -> None:
    """UsageError for the first option of `asked` where nobody `knows` whether anything was
    changed."""
    if knows:
        return
    for option in (option for option, is_there in asked.items() if is_there):
        raise UsageError(
            f"{option} is not for steps of kind '{kind.name}': "
            "nobody knows whether they change anything",
            hint="leave it out",
        )
