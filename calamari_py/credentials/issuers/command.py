"""``token_from: {command: […]}``: any program that prints a token."""

from __future__ import annotations

import os
from dataclasses import dataclass

from calamari_py.credentials._programs import Capture, Program, run_captured
from calamari_py.credentials._tokens import checked_token
from calamari_py.credentials.base import Presence
from calamari_py.credentials.issuers.base import Minted, TokenRequest
from calamari_py.errors import SourceBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`argv` as the manifest has it. The program sees no AWS variable of an identity and no token
    of the CI system's; it gets what it needs by files or by other variables.
    """

    argv: tuple[str, ...]
    run: Capture = run_captured

    def mint(self, request: TokenRequest) -> Minted:
        """What the program prints."""
        if not self.argv or not os.path.isabs(self.argv[0]):
            raise SourceBroken(
                "'account.token_from.command' does not begin with an absolute path",
                hint="write the whole path of the program: /usr/bin/NAME",
            )
        who = f"the token command '{self.argv[0]}'"
        program = Program(
            who=who,
            argv=self.argv,
            hint="run it by hand: it has to print the token alone, and to need no AWS credentials",
            run=self.run,
        )
        written = program.output(
            environ=request.environ, registry=request.registry, directory=request.folder
        )
        return Minted(
            token=checked_token(
                written.decode("utf-8", "replace"), request.registry, where=f"the answer of {who}"
            ),
            where="the token of 'account.token_from.command'",
        )

    def look(self, request: TokenRequest) -> Presence:  # noqa: ARG002
        """Whether the program is there."""
        path = self.argv[0] if self.argv else ""
        if not os.path.exists(path):
            return Presence(state="broken", why=f"command '{path}' does not exist")
        return Presence(state="present", why=f"command '{path}' would be run")
