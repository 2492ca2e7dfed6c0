"""``init``: tried again where the network is to blame, and held against what the manifest says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from calamari_py.errors import TimedOut, ToolFailed
from calamari_py.steps.base import Captured
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.following.diagnostics import report_diagnostic
from calamari_py.steps.terraform.reading.sensitive import hide_all
from calamari_py.steps.terraform.running.addresses import secrets_in
from calamari_py.steps.terraform.running.backend import check_backend
from calamari_py.steps.terraform.running.calls import Calls
from calamari_py.steps.terraform.running.plugin_cache import alone_in
from calamari_py.steps.terraform.running.transient import why_transient
from calamari_py.steps.terraform.values import Diagnostic

_PAUSES = (4.0, 8.0, 16.0)
"""Seconds between two attempts, a quarter more or less."""
_ATTEMPTS = len(_PAUSES) + 1
_LOCK_FILE = ".terraform.lock.hcl"
_DONE = b"has been successfully initialized!"
_MIGRATION = "state migration"


def initialise(calls: Calls) -> None:
    """Set the backend up, and fetch modules and providers. ToolFailed when that cannot be done, or
    when the manifest says of the backend what the configuration does not take."""
    lock_file = calls.spec.directory / _LOCK_FILE
    before = _content(lock_file)
    with alone_in(calls.spec.plugin_cache, calls.deadline, calls.report):
        captured = _repeated(calls)
    check_backend(calls)
    for warning in _warnings(calls, captured):
        report_diagnostic(calls.report, warning)
    after = _content(lock_file)
    if after is not None and after != before:
        done = "wrote" if before is None else "changed"
        calls.report.line(
            f"init {done} {_LOCK_FILE}: commit it, so that every run takes the same providers"
        )


def _repeated(calls: Calls) -> Captured:
    for attempt in range(1, _ATTEMPTS + 1):
        captured = _attempt(calls)
        if captured.exit.code == 0:
            return captured
        why = why_transient(calls.diagnostics_of(captured))
        if why is None or attempt == _ATTEMPTS:
            raise _failed(calls, captured, attempt)
        pause = _PAUSES[attempt - 1] * (0.75 + calls.context.clock.jitter() / 2)
        calls.report.warn(
            f"init failed for now ({why}): attempt {attempt + 1} of {_ATTEMPTS}"
            f" follows in {pause:.0f} s"
        )
        try:
            calls.deadline.sleep(pause, f"attempt {attempt + 1} of init")
        except TimedOut as late:
            late.hint = f"attempt {attempt} said: {_failed(calls, captured, attempt).message}"
            raise
    raise AssertionError("the last attempt returns or raises")


def _attempt(calls: Calls) -> Captured:
    captured = calls.attempt("init", argv.init(calls.spec, calls.files))
    # It names where modules come from: some are fetched with a password in the address.
    for text in (captured.stdout, captured.stderr):
        hide_all(calls.report, (("init", secret) for secret in secrets_in(text)))
    for line in captured.stdout.decode("utf-8", "replace").splitlines():
        if line.strip():
            calls.report.note(line)
    return captured


def _failed(calls: Calls, captured: Captured, attempts: int) -> ToolFailed:
    hint = None
    if any(_MIGRATION in diagnostic.summary for diagnostic in calls.diagnostics_of(captured)):
        hint = (
            f"'{calls.spec.directory}' holds a state of its own (terraform.tfstate), and the"
            " configuration names another place for it: run 'init -migrate-state' there once by"
            " hand, or move that file away when the other place is right already"
        )
    failed = calls.failed("init", captured, hint=hint)
    if attempts > 1:
        failed.evidence = (*failed.evidence, f"tried\t{attempts} times")
    return failed


def _warnings(calls: Calls, captured: Captured) -> Iterator[Diagnostic]:
    # Without a frame a warning ends where the next one begins, or what follows all of them.
    without_end = replace(captured, stdout=captured.stdout.partition(_DONE)[0].rpartition(b"\n")[0])
    for diagnostic in calls.diagnostics_of(without_end):
        # check_backend tells this one better.
        if diagnostic.summary != "Missing backend configuration":
            # It went well: what Terraform calls an error (a cache that is not there) was none.
            yield replace(diagnostic, severity="warning")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
