"""What the credential tests share: a fake AWS door, a fake clock, accounts and contexts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from calamari_py.aws import Parameter
from calamari_py.credentials._http import Client, Pace
from calamari_py.credentials.base import Absent, Found, SourceContext
from calamari_py.errors import CloudError
from calamari_py.identity import (
    AssumedRole,
    AwsCredentials,
    LauncherCredentials,
    Principal,
    RoleArn,
    RoleRequest,
)
from calamari_py.manifest.types import Account
from calamari_py.masking import Secret, SecretRegistry

REQUEST_ID = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"
ROLE = "arn:aws:iam::123456789012:role/OctoLauncherRole"
KEY_ID = "AKIALAUNCHERLAUNCHER"
SECRET_KEY = "launcher/secret+key0123456789abcdefghijk"
SESSION_TOKEN = "launcher-session-token//////////0123456789"


@dataclass
class FakeAws:
    """An AwsPort that answers web identity and profiles from its fields and records the calls."""

    refusal: CloudError | None = None
    profiles: dict[str | None, LauncherCredentials] = field(default_factory=dict)
    exchanged: list[tuple[str, str, str, int]] = field(default_factory=list)
    asked_profiles: list[str | None] = field(default_factory=list)

    def in_region(self, region: str) -> FakeAws:
        return self

    def clock_offset(self) -> timedelta:
        return timedelta()

    def take_warnings(self) -> tuple[str, ...]:
        return ()

    def assume_role_with_web_identity(
        self, *, token: Secret, role: RoleArn, session_name: str, duration: int
    ) -> AssumedRole:
        self.exchanged.append((token.reveal(), str(role), session_name, duration))
        if self.refusal:
            raise self.refusal
        arn = f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/{session_name}"
        return AssumedRole(
            credentials=credentials(),
            principal=Principal.parse(arn),
            duration=duration,
            request_id=REQUEST_ID,
        )

    def profile_credentials(self, profile: str | None) -> LauncherCredentials | None:
        self.asked_profiles.append(profile)
        if self.refusal:
            raise self.refusal
        return self.profiles.get(profile)

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> NoReturn:
        raise AssertionError("a credential source assumes no role by access keys")

    def caller_identity(self, credentials: AwsCredentials) -> NoReturn:
        raise AssertionError("a credential source asks for no identity")

    def trust_policy(self, credentials: AwsCredentials, role: RoleArn) -> NoReturn:
        raise AssertionError("a credential source reads no trust policy")

    def sign_in_url(
        self,
        credentials: AwsCredentials,
        *,
        destination: str | None = None,
        issuer: str | None = None,
        session_duration: int | None = None,
    ) -> NoReturn:
        raise AssertionError("a credential source signs nobody in")

    def parameter(self, credentials: AwsCredentials, name: str) -> Parameter:
        raise AssertionError("a credential source reads no parameter")

    def secret(self, credentials: AwsCredentials, secret_id: str) -> Secret:
        raise AssertionError("a credential source reads no secret")

    def call(
        self,
        credentials: AwsCredentials,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> NoReturn:
        raise AssertionError("a credential source works on nothing")


@dataclass
class FakeTime:
    """A clock that only pauses move; `pauses` holds them, in seconds."""

    now: float = 1000.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def client(self) -> Client:
        """A client whose pauses take no time."""
        return Client(pace=Pace(clock=lambda: self.now, sleep=self.sleep, random=lambda: 1.0))


def credentials() -> AwsCredentials:
    """A launcher's session keys."""
    return AwsCredentials(
        access_key_id="ASIALAUNCHERLAUNCHER",
        secret_access_key=Secret(SECRET_KEY),
        session_token=Secret(SESSION_TOKEN),
    )


def account(**fields: Any) -> Account:
    """An account section; `ambient` unless said otherwise."""
    return Account(**fields)


def context(
    environ: Mapping[str, str] | None = None,
    *,
    aws: FakeAws | None = None,
    folder: Path | None = None,
    registry: SecretRegistry | None = None,
    **fields: Any,
) -> SourceContext:
    """What a source is given; `fields` are those of the account section."""
    return SourceContext(
        environ=environ or {},
        aws=aws or FakeAws(),
        registry=SecretRegistry() if registry is None else registry,
        session_name="payments-dev-deploy",
        account=account(**fields),
        folder=folder,
    )


def found(outcome: Found | Absent) -> Found:
    """The outcome, which must not be an absence."""
    assert isinstance(outcome, Found), outcome
    return outcome


def absent(outcome: Found | Absent) -> Absent:
    """The outcome, which must be an absence."""
    assert isinstance(outcome, Absent), outcome
    return outcome


def jwt(**claims: object) -> str:
    """A token whose payload holds `claims`; nobody has signed it."""
    parts = [{"alg": "RS256"}, {"iss": "https://issuer.example", **claims}]
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    ]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def texts_of(error: BaseException) -> str:
    """Everything an exception and its causes could show anybody."""
    shown: list[str] = []
    current: BaseException | None = error
    while current is not None:
        shown += [str(current), repr(current), repr(vars(current))]
        current = current.__cause__ or current.__context__
    return "\n".join(shown)
