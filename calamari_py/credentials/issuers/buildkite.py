"""Buildkite: the agent's own program mints a token for the job."""

from __future__ import annotations

from dataclasses import dataclass

from calamari_py.credentials._keys import setting
from calamari_py.credentials._programs import Capture, Program, run_captured
from calamari_py.credentials._tokens import checked_token
from calamari_py.credentials.base import Presence
from calamari_py.credentials.issuers.base import Minted, TokenRequest, look_for
from calamari_py.errors import CommandNotExecutable, CommandNotFound, SourceBroken

_PROGRAM = "buildkite-agent"
_BEARER = "BUILDKITE_AGENT_ACCESS_TOKEN"
_JOB = "BUILDKITE_JOB_ID"
_HINT = (
    "run the step inside of a Buildkite job; in a container, mount the agent's program and "
    "pass its BUILDKITE_* variables on"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildkite:
    """``buildkite-agent oidc request-token``, found on the caller's PATH."""

    run: Capture = run_captured

    def mint(self, request: TokenRequest) -> Minted:
        """What the agent prints. Newer ones also have it masked in the job's log."""
        # Imported when it is needed: the room brings all that runs processes.
        from calamari_py.process import resolve_tool

        environ = request.environ
        if not setting(environ, _BEARER):
            raise SourceBroken(f"'{_BEARER}' is not set", hint=_HINT)
        request.registry.add(setting(environ, _BEARER), name="Buildkite agent token")
        try:
            path = resolve_tool(_PROGRAM, environ.get("PATH", ""), hint=_HINT)
        except (CommandNotFound, CommandNotExecutable) as error:
            raise SourceBroken(error.message, hint=error.hint) from None
        program = Program(
            who="buildkite-agent",
            argv=(str(path), "oidc", "request-token", "--audience", request.audience),
            hint="the job has to run, and its agent to know `buildkite-agent oidc request-token`",
            keep={
                name: value
                for name, value in environ.items()
                if name.startswith("BUILDKITE_AGENT_") or name == _JOB
            },
            run=self.run,
        )
        written = program.output(
            environ=environ, registry=request.registry, directory=request.folder
        )
        return Minted(
            token=checked_token(
                written.decode("utf-8", "replace"),
                request.registry,
                where="the answer of buildkite-agent",
            ),
            where="the token of buildkite-agent",
            description="Buildkite OIDC",
            environment_names=frozenset({_BEARER}),
        )

    def look(self, request: TokenRequest) -> Presence:
        """Whether this is a job."""
        return look_for((_BEARER,), request)


ISSUER = Buildkite()
