"""What the issuer tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calamari_py.credentials._http import Pace
from calamari_py.credentials.issuers import TokenRequest
from calamari_py.credentials.issuers._service import TokenService
from calamari_py.errors import CalamariError
from calamari_py.masking import SecretRegistry
from calamari_py.process import Captured
from tests.credentials.fakes import FakeTime, jwt

TOKEN = jwt(sub="repo:acme/app:ref:refs/heads/main", aud="sts.amazonaws.com")
BEARER = "bearer-of-the-job-0123456789"


def request(
    environ: Mapping[str, str] | None = None,
    *,
    registry: SecretRegistry | None = None,
    audience: str = "sts.amazonaws.com",
    service_connection: str | None = None,
) -> TokenRequest:
    """What an issuer is given."""
    return TokenRequest(
        environ=environ or {},
        registry=SecretRegistry() if registry is None else registry,
        folder=Path("/"),
        audience=audience,
        service_connection=service_connection,
    )


def patient(title: str, variable: str, *, time: FakeTime | None = None) -> TokenService:
    """A token service whose pauses take no time."""
    clock = time or FakeTime()
    pace = Pace(clock=lambda: clock.now, sleep=clock.sleep, random=lambda: 1.0)
    return TokenService(title=title, variable=variable, pace=pace)


@dataclass
class FakeCapture:
    """A capture() that runs nothing and remembers how it was called."""

    stdout: bytes = b""
    stderr: bytes = b""
    code: int = 0
    timed_out: bool = False
    error: CalamariError | None = None
    calls: list[tuple[tuple[str, ...], dict[str, str], float]] = field(default_factory=list)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        timeout: float,
        limit: int,
    ) -> Captured:
        assert directory.is_absolute()
        assert limit > 0
        self.calls.append((tuple(argv), dict(environment), timeout))
        if self.error:
            raise self.error
        return Captured(
            code=self.code, stdout=self.stdout, stderr=self.stderr, timed_out=self.timed_out
        )
