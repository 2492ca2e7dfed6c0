"""The identity of a step that runs: the same one, with credentials that do not run out."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from calamari_py.errors import CalamariError, IdentityError
from calamari_py.identity import DeploymentCredentials, LauncherCredentials
from calamari_py.renewal import Renewable
from calamari_py.runner.defect import defect_of
from calamari_py.runner.identity import IdentityInputs, ResolvedIdentity, assume, find_launcher
from calamari_py.runner.outbox import Outbox
from calamari_py.runner.trail import Trail

STATIC_SOURCES = frozenset({"environment", "access-key"})
"""Sources that say the same whenever they are asked."""
_ENOUGH = 60.0
"""Seconds that a launcher's credentials must still live to be used for one more hop."""


class IdentityKeeper:
    """Renews a step's credentials by the way they were obtained: the launcher's source is asked
    anew (a token file is read again, a token minted again), every hop is walked again, and the
    guard looks at the result. Safe to use from several threads: `Renewable` lets one renew.

    `outbox` takes what there is to say, `trail` notes every renewal.
    """

    def __init__(
        self,
        identity: ResolvedIdentity,
        inputs: IdentityInputs,
        *,
        outbox: Outbox,
        trail: Trail,
    ) -> None:
        # What there was to warn of has been said the first time; and a renewal that is refused is
        # tried again, so that looking into it each time would ask AWS for ever.
        self._inputs = replace(
            inputs,
            warn=outbox.note,
            tell=outbox.note,
            name_launcher=False,
            diagnose=None,
            # A source that knew the region once may not know it, or know another, the next time.
            settings=replace(inputs.settings, region=identity.region),
            region_source=identity.region_source,
        )
        self._outbox = outbox
        self._trail = trail
        self._identity = identity
        self._failure: CalamariError | None = None
        self._renewable = (
            Renewable(identity.deployment, self._renew, now=self._now, tell=outbox.warn)
            if identity.deployment is not None
            else None
        )

    def current(self, *, at_least: float = 0.0) -> ResolvedIdentity:
        """The identity with credentials that are valid now, renewed when they have to be, or when
        less than `at_least` seconds are left. Raises the CalamariError of a renewal that failed
        when there are none."""
        if self._renewable is None:
            return self._identity
        return replace(self._identity, deployment=self._renewable.current(at_least=at_least))

    def renewed(self) -> ResolvedIdentity:
        """The identity with credentials that were obtained just now, or the CalamariError of a
        renewal that failed, whether the old ones still work or not."""
        before = self._identity.deployment
        identity = self.current(at_least=math.inf)
        if before is not None and identity.deployment is before and self._failure is not None:
            raise self._failure
        return identity

    def _now(self) -> datetime:
        return self._identity.by_aws_clock(self._inputs.now())

    def _renew(self) -> DeploymentCredentials:
        try:
            identity = assume(self._with_launcher(), self._inputs)
            self._check_same(identity)
            # An identity that cannot be noted is not used.
            self._trail.renewed(identity)
        except CalamariError as error:
            self._failure = error
            self._trail.refused(error, self._identity)
            raise
        except Exception as error:
            # A defect of ours must not cost the step the credentials it still has.
            self._failure = defect_of(error, self._inputs.registry)
            raise self._failure from error
        self._identity, self._failure = identity, None
        assert identity.deployment is not None
        return identity.deployment

    def _with_launcher(self) -> ResolvedIdentity:
        """The identity with a launcher that can be used now."""
        known = self._identity.launcher
        assert known is not None, "without a launcher there is nothing to renew"
        if known.source in STATIC_SOURCES or self._inputs.launcher is not None:
            return self._identity
        try:
            return find_launcher(self._inputs)
        except CalamariError as error:
            if not _lives(known, self._now()):
                raise
            self._outbox.warn(
                f"the launcher's source fails ({error}); its last credentials still work"
            )
            return self._identity

    def _check_same(self, identity: ResolvedIdentity) -> None:
        """A step is one identity from its start to its end."""
        before, after = self._identity.deployment, identity.deployment
        assert before is not None
        assert after is not None
        if _who(before) == _who(after):
            return
        raise IdentityError(
            f"the renewed credentials belong to '{_shown(after)}', the step began as "
            f"'{_shown(before)}'",
            hint="what the launcher's source gives has changed while the step ran",
            trace=identity.trace,
            is_lasting=True,
        )


def _who(deployment: DeploymentCredentials) -> tuple[str, ...]:
    """What has to stay the same. A session's own name may change with its launcher; where nobody
    says whose the keys are, only the same keys are known to be the same identity."""
    principal = deployment.principal
    if principal is None:
        return (deployment.credentials.access_key_id,)
    return principal.partition, principal.account, principal.role or principal.arn


def _shown(deployment: DeploymentCredentials) -> str:
    principal = deployment.principal
    return principal.arn if principal else f"access key {deployment.credentials.access_key_id}"


def _lives(launcher: LauncherCredentials, now: datetime) -> bool:
    expires_at = launcher.credentials.expires_at
    return expires_at is not None and (expires_at - now).total_seconds() > _ENOUGH
