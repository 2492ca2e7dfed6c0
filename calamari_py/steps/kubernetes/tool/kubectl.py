"""Kubectl: the program, bound to one cluster and one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from calamari_py.process.base import Command, ProcessExit
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import Captured, LineReader, StepContext
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.access.failures import ApiFailure, read_failure, tool_failed
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.complaints import failures_in
from calamari_py.steps.kubernetes.tool.failed import ApiFailed
from calamari_py.steps.kubernetes.tool.files import private_files, references
from calamari_py.steps.kubernetes.tool.listed import Listed, by_type, matched, read_items
from calamari_py.steps.kubernetes.tool.version import client_version
from calamari_py.steps.kubernetes.values import ObjectRef

_Bodies = list[Mapping[str, Any]]


class Kubectl:
    """Its commands, run in `directory` with the environment of `access`. Every method raises
    Stopped when calamari had to end the command. The values of all Secrets that it reads are masked
    before anybody gets them."""

    def __init__(
        self, binary: Path, access: Access, context: StepContext, *, directory: Path
    ) -> None:
        self.binary = binary
        self.access = access
        self.context = context
        self._directory = directory

    def capture(self, *words: str, last_words: float | None = None) -> Captured:
        """What it wrote, however it ended by itself. With `last_words` (seconds) it is a look after
        the end, however that came, and never raises Stopped."""
        captured = self.context.capture(
            self._command(argv.with_timeout(words)), last_words=last_words
        )
        if captured.exit.stopped is not None and last_words is None:
            raise Stopped(words[0], captured.exit)
        return captured

    def succeed(self, *words: str, doing: str) -> bytes:
        """What it wrote to stdout. Raises ApiFailed, ``could not {doing}: …``, when it failed."""
        captured = self.capture(*words)
        if captured.exit.code != 0:
            raise self.failed(doing, captured.stderr)
        return captured.stdout

    def read(
        self, *words: str, reader: LineReader, also: Mapping[str, str] | None = None
    ) -> ProcessExit:
        """Run it with `also` in its environment; each line goes to `reader`. It may take as long as
        the step: say ``--request-timeout`` for what only asks."""
        ended = self.context.read(self._command(words, also), reader)
        if ended.stopped is not None:
            raise Stopped(words[0], ended)
        return ended

    def failed(self, doing: str, failure: ApiFailure | bytes) -> ApiFailed:
        """The error of a command that failed, with what it wrote to stderr."""
        told = tool_failed(doing, failure, access=self.access, context=self.context)
        return ApiFailed(told, read_failure(failure) if isinstance(failure, bytes) else failure)

    def files(self, texts: Iterable[bytes]) -> AbstractContextManager[tuple[Path, ...]]:
        """A private file for each of `texts`, gone when the block is left."""
        return private_files(self.context.private, texts)

    def list(
        self, types: Sequence[str], *, namespace: str | None, selector: str = "", doing: str
    ) -> Listed:
        """All objects of `types`, by one process. `namespace` None is all of them, "" is the
        context's. Types that were refused while others were listed are told by `Listed.failures`;
        ApiFailed where there is no use in going on, ``could not {doing}: …``."""
        asked = self.capture(*argv.get_types(types, namespace=namespace, selector=selector))
        items = self._known(read_items(asked.stdout))
        if asked.exit.code == 0:
            return Listed(items=items)
        failures = self.survivable(doing, asked.stderr)
        if len(types) == 1 or items or all(each.kind != "unknown-type" for each in failures):
            return Listed(items=items, failures=failures)
        # One type that the server does not know, and kubectl lists none of the others.
        each = [
            self.list([one], namespace=namespace, selector=selector, doing=doing) for one in types
        ]
        return Listed(
            items=[item for listed in each for item in listed.items],
            failures=tuple(failure for listed in each for failure in listed.failures),
        )

    def get_objects(
        self,
        refs: Sequence[ObjectRef],
        *,
        doing: str,
        refused: dict[ObjectRef, ApiFailure] | None = None,
        last_words: float | None = None,
    ) -> dict[ObjectRef, Mapping[str, Any]]:
        """Those of `refs` that are there, in the versions that they name, by one process as long as
        nothing is refused. What may not be looked at is put in `refused`; without that, and where
        there is no use in going on, it is an ApiFailed, ``could not {doing}: …``. A type that the
        server does not know has no objects, unless the API that it is of does not answer.
        `last_words` are those of `capture`: nothing is found where anything is refused then,
        and all is put in `refused`."""
        named = [ref for ref in refs if ref.name]
        if not named:
            return {}
        asked = self._get(named, last_words)
        if asked.exit.code == 0:
            return matched(named, self._known(read_items(asked.stdout)))
        if last_words is not None:
            if refused is not None:
                failures = failures_in(asked.stderr) or (ApiFailure(kind="other", text=""),)
                refused.update(dict.fromkeys(named, failures[0]))
            return {}
        self.survivable(doing, asked.stderr)
        # One that is refused, or of an unknown type, and kubectl writes none of the others.
        found: dict[ObjectRef, Mapping[str, Any]] = {}
        for lot in by_type(named):
            asked = self._get(lot, None)
            if asked.exit.code == 0:
                found.update(matched(lot, self._known(read_items(asked.stdout))))
                continue
            failure = self.survivable(doing, asked.stderr)[0]
            if failure.kind == "unknown-type":
                why = self._why_unknown(lot[0], doing)
                if why is None:
                    continue
                failure = why
            if refused is None:
                raise self.failed(doing, failure)
            refused.update(dict.fromkeys(lot, failure))
        return found

    def version(self) -> str:
        """The version, ``1.32.3``. ToolMissing when it is no kubectl, or one before 1.24."""
        return client_version(self.binary, self.capture("version", "--client", "-o", "json"))

    def survivable(self, doing: str, stderr: bytes) -> tuple[ApiFailure, ...]:
        """What `stderr` says went wrong, at least one thing. ApiFailed for a failure that makes it
        useless to go on, ``could not {doing}: …``."""
        failures = failures_in(stderr)
        lasting = [failure for failure in failures if failure.is_access]
        if lasting:
            raise self.failed(doing, lasting[0])
        if not failures:
            raise self.failed(doing, stderr)
        return failures

    def _why_unknown(self, ref: ObjectRef, doing: str) -> ApiFailure | None:
        """Why the server does not know the type of `ref`: kubectl says of an API that is down (an
        APIService's) what it says of one that there is not. None where there is no such type."""
        if not ref.group:
            return None
        asked = self.capture(*argv.get_version(ref))
        if asked.exit.code == 0:
            return None
        failure = self.survivable(doing, asked.stderr)[0]
        return None if failure.kind in ("unknown-type", "not-found") else failure

    def _get(self, refs: Sequence[ObjectRef], last_words: float | None) -> Captured:
        with self.files([references(refs)]) as (file,):
            return self.capture(*argv.get_file(file), last_words=last_words)

    def _known(self, bodies: _Bodies) -> _Bodies:
        """`bodies`, once the secrets among them are known."""
        secret = [body for body in bodies if body.get("kind") == "Secret"]
        if secret:
            from calamari_py.steps.kubernetes.objects.secrets import secrets_of

            for name, value in secrets_of(secret):
                self.context.report.hide(value, name)
        return bodies

    def _command(self, words: Sequence[str], also: Mapping[str, str] | None = None) -> Command:
        return Command(
            argv=(str(self.binary), *words),
            environment={**self.access.environment, **(also or {})},
            directory=self._directory,
        )
