"""The audit trail of one run: which identities it obtained, and which it was refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from calamari_py.errors import CalamariError, CloudError, RoleNotAssumable
from calamari_py.manifest.types import StepManifest
from calamari_py.masking import Masked
from calamari_py.runner.identity import ResolvedIdentity

if TYPE_CHECKING:
    from calamari_py.audit import AuditLog, EventName


class Trail:
    """Writes one line an identity event; does nothing without a log. Safe to use from threads."""

    def __init__(
        self, log: AuditLog | None, *, mask: Callable[[str], Masked], now: Callable[[], datetime]
    ) -> None:
        self._log = log
        self._mask = mask
        self._now = now
        self._step: StepManifest | None = None

    def of_step(self, step: StepManifest) -> None:
        """The step that the lines are about."""
        self._step = step

    def launcher(self, identity: ResolvedIdentity) -> None:
        """A launcher was found."""
        if identity.launcher is not None:
            self._write("launcher", identity)

    def assumed(self, identity: ResolvedIdentity) -> None:
        """The step's credentials were obtained."""
        self._write("assumed" if identity.deployment is not None else "none", identity)

    def renewed(self, identity: ResolvedIdentity) -> None:
        """The step's credentials were obtained anew while it ran."""
        self._write("renewed", identity)

    def refused(self, error: CalamariError, identity: ResolvedIdentity | None = None) -> None:
        """There is no identity for the step. That is told; that it could not be noted would only
        hide it."""
        with suppress(CalamariError):
            self._write("refused", identity, error)

    def _write(
        self,
        event: EventName,
        identity: ResolvedIdentity | None,
        error: CalamariError | None = None,
    ) -> None:
        if self._log is None or self._step is None:
            return
        from calamari_py.audit import AuditEvent

        step, mask = self._step, self._mask

        def maybe(text: str | None) -> Masked | None:
            return mask(text) if text else None

        launcher = identity.launcher if identity else None
        deployment = identity.deployment if identity else None
        # Of a refusal in the middle of a renewal: not what the step still has.
        if error is not None:
            deployment = None
        hops = deployment.hops if deployment else ()
        chain = [hop.principal.arn for hop in hops]
        principal = deployment.principal if deployment else None
        owner = deployment or launcher
        credentials = owner.credentials if owner else None
        cause = error.__cause__ if error else None
        code = cause.code if isinstance(cause, CloudError) else None
        ids = [launcher.request_id if launcher else None, *(hop.request_id for hop in hops)]
        role = account = None
        if isinstance(error, RoleNotAssumable):
            chain, role = list(error.reached), error.role_arn
            account = role.split(":")[4] if role else None
            ids += error.request_ids
        elif isinstance(cause, CloudError):
            ids.append(cause.request_id)
        elif principal is not None:
            account = principal.account
        self._log.write(
            AuditEvent(
                time=self._now(),
                event=event,
                step=mask(step.name),
                project=maybe(step.project),
                environment=maybe(step.environment),
                deployment_id=maybe(step.deployment_id),
                source=maybe(launcher.source) if launcher else None,
                launcher_arn=maybe(launcher.arn) if launcher else None,
                chain=tuple(mask(arn) for arn in chain),
                arn=maybe(principal.arn) if principal else None,
                session_name=maybe(principal.session) if principal else None,
                access_key_id=maybe(credentials.access_key_id) if credentials else None,
                expires_at=credentials.expires_at if credentials else None,
                request_ids=tuple(mask(one) for one in ids if one),
                account=maybe(account),
                role_arn=maybe(role),
                region=maybe(identity.region) if identity else None,
                code=maybe(code or (type(error).__name__ if error else None)),
            )
        )
