"""What the tests of the AWS door share: a world of accounts, a clock that costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calamari_py.aws import AwsSettings, BotoAws, Pace
from calamari_py.identity import AwsCredentials, RoleArn, RoleRequest
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret
from tests.fake_sts import FakeSts
from tests.fake_sts_rules import Keys

USER = "arn:aws:iam::123456789012:user/launcher"
DEPLOY = "arn:aws:iam::111111111111:role/DevDeployRole"
SECOND = "arn:aws:iam::222222222222:role/path/of/SecondRole"
EXTERNAL = "arn:aws:iam::111111111111:role/ExternalRole"


@dataclass
class FakeTime:
    """Time that passes only when somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, **more: Any) -> Pace:
        return Pace(monotonic=self.monotonic, sleep=self.sleep, jitter=lambda: 0.5, **more)


@dataclass
class World:
    """A server with a launcher and some roles, and calamari's door to it."""

    sts: FakeSts
    launcher: Keys
    time: FakeTime = field(default_factory=FakeTime)
    registry: SecretRegistry = field(default_factory=SecretRegistry)

    def aws(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        region: str | None = "eu-west-1",
        url: str | None = None,
        credential_source: Callable[[str], AwsCredentials] | None = None,
        run_process: Callable[[Sequence[str]], bytes] | None = None,
        session_name: str | None = None,
        **pace: Any,
    ) -> BotoAws:
        environ = {"AWS_ENDPOINT_URL": url or self.sts.url, **(environ or {})}
        return BotoAws(
            AwsSettings.from_environ(environ, region=region),
            self.registry,
            environ,
            credential_source=credential_source,
            run_process=run_process,
            session_name=session_name,
            pace=self.time.pace(**pace),
        )

    @property
    def credentials(self) -> AwsCredentials:
        return credentials_of(self.launcher)


def make_world(sts: FakeSts) -> World:
    launcher = sts.add_user(USER)
    sts.add_role(DEPLOY, trust=[USER], max_session_duration=7200)
    sts.add_role(SECOND, trust=[DEPLOY], max_session_duration=43200)
    sts.add_role(
        EXTERNAL,
        trust=[USER],
        allow=["sts:TagSession", "sts:SetSourceIdentity"],
        external_id="known-to-both",
    )
    return World(sts=sts, launcher=launcher)


def credentials_of(keys: Keys) -> AwsCredentials:
    return AwsCredentials(
        access_key_id=keys.access_key_id,
        secret_access_key=Secret(keys.secret_access_key),
        session_token=Secret(keys.session_token) if keys.session_token else None,
    )


def request(role: str = DEPLOY, **fields: Any) -> RoleRequest:
    return RoleRequest(
        role=RoleArn.parse(role), session_name=fields.pop("session_name", "step"), **fields
    )
