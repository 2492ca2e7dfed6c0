"""Every source in every case, as one table: a cell that is missing is seen.

The rows are the sources, the columns the `CASES`. A cell is a `Cell`, or the reason why a source
cannot be in that case. The sources are the real ones, with short timeouts, through the real AWS
door, against loopback servers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.aws import Pace as AwsPace
from calamari_py.credentials import ACCOUNT_TYPES, SOURCES, SourceContext, profile_process
from calamari_py.credentials._http import Client, Pace
from calamari_py.credentials.access_key import AccessKeySource
from calamari_py.credentials.base import Absent, CredentialSource, Found
from calamari_py.credentials.container import ContainerSource
from calamari_py.credentials.environment import EnvironmentSource
from calamari_py.credentials.imds import ImdsSource
from calamari_py.credentials.oidc import OidcSource
from calamari_py.credentials.profile import ProfileSource
from calamari_py.credentials.web_identity import WebIdentitySource
from calamari_py.errors import SourceBroken, Temporary
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import KEY_ID, ROLE, SECRET_KEY, SESSION_TOKEN, account, jwt, texts_of
from tests.fake_metadata import (
    SILENCE,
    Answer,
    FakeContainer,
    FakeImds,
    Reply,
    credential_document,
)
from tests.fake_sts import FakeSts

CASES = (
    "absent", "found", "broken", "late", "never", "expiring", "expired", "nonsense",
    "other account", "missing fields", "huge",
)  # fmt: skip
"""``late``: the first answer never comes, the second does. ``never``: none does. The last four
are lies: an answer of 200 that is worth nothing."""

TOKEN = jwt(sub="system:serviceaccount:octopus:worker", aud="sts.amazonaws.com")
OTHER = "arn:aws:sts::999999999999:assumed-role/Other/x"
HUGE = "x" * 300_000
TIMEOUT = 0.15
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
IMDS = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
CONFIG = "AWS_CONFIG_FILE"
TOKEN_PATH = "/latest/api/token"
KEYS_PATH = "/latest/meta-data/iam/security-credentials/worker-role"


class World:
    """All servers, a folder, and the environment and account section that a cell prepares."""

    def __init__(
        self, sts: FakeSts, imds: FakeImds, container: FakeContainer, folder: Path
    ) -> None:
        self.sts, self.imds, self.container, self.folder = sts, imds, container, folder
        self.registry = SecretRegistry()
        self.environ: dict[str, str] = {
            "HOME": str(folder), CONFIG: str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }  # fmt: skip
        self.account: dict[str, Any] = {}
        self.patience = TIMEOUT

    def context(self) -> SourceContext:
        """What the source is given: AWS is the fake one."""
        aws = BotoAws(
            AwsSettings(region="eu-west-1", endpoints={"": self.sts.url}),
            self.registry,
            self.environ,
            run_process=lambda argv: profile_process(argv, context),
            pace=AwsPace(
                budget=4 * self.patience, connect_timeout=self.patience,
                read_timeout=self.patience,
                sleep=lambda seconds: None, jitter=lambda: 0.0,
            ),
        )  # fmt: skip
        context = SourceContext(
            environ=self.environ,
            aws=aws,
            registry=self.registry,
            session_name="payments-dev-deploy",
            account=account(**self.account),
            folder=self.folder,
        )
        return context

    # What a source has to begin with.

    def keys(self, key_id: str = KEY_ID, secret: str = SECRET_KEY, **others: str) -> None:
        """Keys in the environment."""
        self.environ |= {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, **others}

    def section(self, **fields: str) -> None:
        """Keys in the account section."""
        self.account |= {"type": "access-key", **fields}

    def irsa(self, token: str = TOKEN, *, expired: bool = False) -> None:
        """What EKS gives a pod."""
        (self.folder / "token").write_text(f"{token}\n")
        self.environ |= {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.folder / "token"), "AWS_ROLE_ARN": ROLE,
        }  # fmt: skip
        self.trust(token, expired=expired)

    def ci(self, token: str = TOKEN, *, expired: bool = False) -> None:
        """What GitLab gives a job."""
        self.environ["GITLAB_OIDC_TOKEN"] = token
        self.account |= {"type": "oidc", "role_arn": ROLE, "token_from": "gitlab"}
        self.trust(token, expired=expired)

    def trust(self, token: str, *, expired: bool) -> None:
        """A role that a token opens."""
        self.sts.add_role(ROLE)
        self.sts.add_token(token, roles=[ROLE], expired=expired)

    def profile(self, text: str) -> None:
        """A config file with the profile ``ops``."""
        (self.folder / "config").write_text(text)
        self.account |= {"type": "profile", "profile": "ops"}

    def process(self, **changes: str | int | None) -> None:
        """A profile whose keys a program prints."""
        fields = {
            "Version": 1, "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET_KEY,
            "SessionToken": SESSION_TOKEN, "Expiration": "2099-01-01T00:00:00Z", **changes,
        }  # fmt: skip
        document = json.dumps({k: v for k, v in fields.items() if v is not None})
        self.program(f"cat <<'END'\n{document}\nEND")

    def program(self, text: str) -> None:
        """A profile whose ``credential_process`` is this shell text."""
        path = self.folder / "vendor"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        self.environ["PATH"] = "/usr/bin:/bin"
        self.profile(f"[profile ops]\ncredential_process = {path}\n")

    def chain(self, role: str = ROLE) -> None:
        """A profile that assumes a role with another one's keys."""
        keys = self.sts.add_user("arn:aws:iam::123456789012:user/me")
        self.sts.add_role(role, trust=[keys.arn])
        self.profile(
            f"[profile ops]\nrole_arn = {role}\nsource_profile = base\n"
            f"[profile base]\naws_access_key_id = {keys.access_key_id}\n"
            f"aws_secret_access_key = {keys.secret_access_key}\n"
        )

    def pod(self, *answers: Answer) -> None:
        """An endpoint that first answers this."""
        self.environ[FULL] = f"{self.container.url}/v1/credentials"
        self.container.inject("/v1/credentials", *answers)

    def instance(self, path: str = TOKEN_PATH, *answers: Answer) -> None:
        """An instance whose service first answers this at `path`."""
        self.environ[IMDS] = self.imds.url
        self.imds.inject(path, *answers)


@dataclass(frozen=True)
class Cell:
    """What is prepared, and what comes of it; `says` is a part of the reason."""

    prepare: Callable[[World], object]
    outcome: Literal["absent", "found", "broken", "temporary"]
    says: str = ""
    warning: str = ""
    check: Callable[[Found], bool] = field(default=lambda found: True)


def steps(*prepare: Callable[[World], object]) -> Callable[[World], None]:
    """One after the other."""

    def run(world: World) -> None:
        for step in prepare:
            step(world)

    return run


def absent(says: str, prepare: Callable[[World], object] = lambda world: None) -> Cell:
    return Cell(prepare, "absent", says)


def found(
    prepare: Callable[[World], object],
    *,
    warning: str = "",
    check: Callable[[Found], bool] = lambda found: True,
) -> Cell:
    return Cell(prepare, "found", warning=warning, check=check)


def broken(says: str, prepare: Callable[[World], object]) -> Cell:
    return Cell(prepare, "broken", says)


def temporary(says: str, prepare: Callable[[World], object]) -> Cell:
    return Cell(prepare, "temporary", says)


def no_expiry(outcome: Found) -> bool:
    return outcome.launcher.credentials.expires_at is None


def no_arn(outcome: Found) -> bool:
    return outcome.launcher.arn is None


def doc(**changes: str | None) -> Reply:
    return Reply(200, credential_document(**changes))


def soon(**delta: int) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def xml(arn: str = "", **changes: str | None) -> bytes:
    """STS's answer to a token, with other fields."""
    fields: dict[str, str | None] = {
        "AccessKeyId": "ASIAAAAAAAAAAAAAAAAA", "SecretAccessKey": SECRET_KEY,
        "SessionToken": SESSION_TOKEN, "Expiration": "2099-01-01T00:00:00Z", **changes,
    }  # fmt: skip
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value)
    user = f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>"
    operation = "AssumeRoleWithWebIdentity"
    return (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{operation}Result><Credentials>{inner}</Credentials>{user}</{operation}Result>"
        f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def with_sts(
    begin: Callable[[World], object], disturb: Callable[[FakeSts], object]
) -> Callable[[World], None]:
    """A token that is good, and an STS that is not."""

    def prepare(world: World) -> None:
        begin(world)
        disturb(world.sts)

    return prepare


def patiently(begin: Callable[[World], object]) -> Callable[[World], None]:
    """The same, with an AWS that is given time: what is large comes slowly on a busy machine."""

    def prepare(world: World) -> None:
        world.patience = 5.0
        begin(world)

    return prepare


MINE = ROLE.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/payments-dev-deploy"


def by_token(begin: Callable[..., object], nothing: Cell) -> dict[str, Cell | str]:
    """The row of a source that exchanges a token at STS."""
    return {
        "absent": nothing,
        "found": found(begin, check=lambda f: f.launcher.arn == MINE),
        "broken": broken("AccessDenied", steps(
            begin, lambda w: w.sts.add_token(TOKEN, roles=[]))),
        "late": found(with_sts(begin, lambda sts: sts.hang_next())),
        "never": temporary("sts:AssumeRoleWithWebIdentity", with_sts(
            begin, lambda sts: sts.hang_next(9))),
        "expiring": found(lambda w: begin(w, jwt(exp=int(time.time()) + 5))),
        "expired": broken("ExpiredToken", lambda w: begin(w, jwt(exp=1), expired=True)),
        "nonsense": broken("by something that is not AWS", with_sts(
            begin, lambda sts: sts.answer_next(b"<html>log in</html>", times=9))),
        "other account": broken("another identity, 'arn:aws:sts::999999999999:", with_sts(
            begin, lambda sts: sts.answer_next(xml(OTHER)))),
        "missing fields": broken("answered without credentials", with_sts(
            begin, lambda sts: sts.answer_next(xml(MINE, SecretAccessKey=None), times=9))),
        "huge": broken("by something that is not AWS", with_sts(
            patiently(begin), lambda sts: sts.answer_next(HUGE.encode(), times=9))),
    }  # fmt: skip


ASKS_NOBODY = "it asks nobody"
SAYS_NO_ACCOUNT = "keys name no account: `expect` guards"

TABLE: dict[str, dict[str, Cell | str]] = {
    "environment": {
        "absent": absent("AWS_ACCESS_KEY_ID is not set", lambda w: w.keys(" ", "")),
        "found": found(lambda w: w.keys()),
        "broken": broken("holds a double quote", lambda w: w.keys(secret=f'"{SECRET_KEY}"')),
        "late": ASKS_NOBODY,
        "never": ASKS_NOBODY,
        "expiring": found(
            lambda w: w.keys(AWS_CREDENTIAL_EXPIRATION=soon(seconds=5)), check=no_expiry
        ),
        "expired": found(
            lambda w: w.keys(AWS_CREDENTIAL_EXPIRATION=soon(hours=-1)),
            warning="ran out at", check=no_expiry,
        ),
        "nonsense": broken("holds a line break", lambda w: w.keys(secret="<html>\nlog in</html>")),
        "other account": SAYS_NO_ACCOUNT,
        "missing fields": broken("'AWS_ACCESS_KEY_ID' is not", lambda w: w.keys("")),
        "huge": ASKS_NOBODY,
    },
    "access-key": {
        "absent": absent("account.access_key_id is not set", lambda w: w.section()),
        "found": found(lambda w: w.section(access_key_id=KEY_ID, secret_access_key=SECRET_KEY)),
        "broken": broken("holds a no-break space", lambda w: w.section(
            access_key_id=KEY_ID, secret_access_key="a\xa0b")),
        "late": ASKS_NOBODY,
        "never": ASKS_NOBODY,
        "expiring": "the section knows no expiry",
        "expired": "the section knows no expiry",
        "nonsense": broken("the other way round", lambda w: w.section(
            access_key_id=SECRET_KEY, secret_access_key=KEY_ID)),
        "other account": SAYS_NO_ACCOUNT,
        "missing fields": broken("'account.secret_access_key' is empty", lambda w: w.section(
            access_key_id=KEY_ID)),
        "huge": ASKS_NOBODY,
    },
    "web-identity": by_token(
        lambda w, *token, **more: w.irsa(*token, **more), absent("TOKEN_FILE is not set")
    ),
    "oidc": by_token(
        lambda w, *token, **more: w.ci(*token, **more),
        # The account section asks for a token: that there is none is no absence.
        broken("'GITLAB_OIDC_TOKEN' is not set",
               steps(lambda w: w.ci(), lambda w: w.environ.pop("GITLAB_OIDC_TOKEN"))),
    ),
    "profile": {
        "absent": absent("AWS_PROFILE is not set"),
        "found": found(lambda w: w.chain()),
        "broken": broken("leads back to itself", lambda w: w.profile(
            f"[profile ops]\nrole_arn = {ROLE}\nsource_profile = b\n"
            f"[profile b]\nrole_arn = {ROLE}\nsource_profile = ops\n")),
        "late": found(with_sts(lambda w: w.chain(), lambda sts: sts.hang_next())),
        "never": temporary("sts:AssumeRole", with_sts(
            lambda w: w.chain(), lambda sts: sts.hang_next(9))),
        "expiring": found(lambda w: w.process(Expiration=soon(minutes=30))),
        "expired": broken("gave credentials that expired at", lambda w: w.process(
            Expiration=soon(hours=-1))),
        "nonsense": broken("printed no JSON object", lambda w: w.program(
            "echo '<html>log in</html>'")),
        "other account": "a profile names no account: `expect` guards",
        "missing fields": broken("printed no SecretAccessKey", lambda w: w.process(
            SecretAccessKey=None)),
        "huge": broken("more than 100000 bytes", lambda w: w.program(
            "head -c 300000 /dev/zero | tr '\\0' x")),
    },
    "container": {
        "absent": absent(f"{FULL} is not set"),
        "found": found(lambda w: w.pod(), check=no_arn),
        "broken": broken("answered 403", lambda w: w.pod(Reply(403, "no"))),
        "late": found(lambda w: w.pod(SILENCE)),
        "never": broken("timed out", lambda w: w.pod(*[SILENCE] * 3)),
        "expiring": found(lambda w: w.pod(doc(Expiration=soon(seconds=5)))),
        "expired": found(lambda w: w.pod(doc(Expiration=soon(hours=-1))), warning="ran out at"),
        "nonsense": broken("no credential document", lambda w: w.pod(Reply(200, "<html>"))),
        "other account": found(
            lambda w: w.pod(doc(RoleArn="arn:aws:iam::999999999999:role/Other")), check=no_arn
        ),
        "missing fields": broken("without 'Token'", lambda w: w.pod(doc(Token=None))),
        "huge": broken("more than 64 KiB", lambda w: w.pod(*[Reply(200, HUGE)] * 3)),
    },
    "imds": {
        "absent": absent("timed out", lambda w: w.instance(TOKEN_PATH, SILENCE, SILENCE)),
        "found": found(lambda w: w.instance(), check=no_arn),
        "broken": broken("answered 403 to the token", lambda w: w.instance(TOKEN_PATH, Reply(403))),
        "late": found(steps(
            lambda w: w.instance(TOKEN_PATH, SILENCE), lambda w: w.instance(KEYS_PATH, SILENCE))),
        "never": broken("stopped answering at the cred", lambda w: w.instance(
            KEYS_PATH, *[SILENCE] * 3)),
        "expiring": found(lambda w: w.instance(KEYS_PATH, doc(Expiration=soon(seconds=5)))),
        "expired": found(
            lambda w: w.instance(KEYS_PATH, doc(Expiration=soon(hours=-1))), warning="ran out at"
        ),
        "nonsense": broken("no token", lambda w: w.instance(TOKEN_PATH, Reply(200, "<html>"))),
        "other account": found(
            lambda w: w.instance(KEYS_PATH, doc(RoleArn="arn:aws:iam::999999999999:role/Other")),
            check=no_arn,
        ),
        "missing fields": broken("without 'SecretAccessKey'", lambda w: w.instance(
            KEYS_PATH, doc(SecretAccessKey=None))),
        "huge": broken("more than 64 KiB", lambda w: w.instance(
            KEYS_PATH, *[Reply(200, HUGE)] * 3)),
    },
}  # fmt: skip

_CLIENT = Client(pace=Pace(sleep=lambda seconds: None))
REAL: dict[str, CredentialSource] = {
    "environment": EnvironmentSource(),
    "access-key": AccessKeySource(),
    "web-identity": WebIdentitySource(),
    "oidc": OidcSource(),
    "profile": ProfileSource(),
    "container": ContainerSource(client=_CLIENT, timeout=TIMEOUT),
    "imds": ImdsSource(client=_CLIENT, token_timeout=TIMEOUT, timeout=TIMEOUT),
}


def cells(*outcomes: str) -> pytest.MarkDecorator:
    """The cells with one of `outcomes`."""
    return pytest.mark.parametrize(
        ("source", "cell"),
        [
            pytest.param(source, cell, id=f"{source}-{case}")
            for source, row in TABLE.items()
            for case, cell in row.items()
            if isinstance(cell, Cell) and cell.outcome in outcomes
        ],
    )


def test_no_cell_is_missing() -> None:
    """Every source of every account type is in the table, in every case, or says why not."""
    names = {source.name for type_ in ACCOUNT_TYPES.values() for source in type_.sources}
    assert set(TABLE) == names
    assert names >= set(SOURCES)
    assert {name: tuple(row) for name, row in TABLE.items()} == dict.fromkeys(TABLE, CASES)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """All servers."""
    with FakeSts() as sts, FakeImds() as imds, FakeContainer() as container:
        yield World(sts, imds, container, tmp_path)


@cells("absent")
def test_absent(source: str, cell: Cell, world: World) -> None:
    """An absent source says what is missing, and what would make it present."""
    cell.prepare(world)
    outcome = REAL[source].resolve(world.context())
    assert isinstance(outcome, Absent)
    assert cell.says in outcome.why
    assert outcome.hint


@pytest.mark.process
@cells("found")
def test_found(source: str, cell: Cell, world: World) -> None:
    """A source that works gives registered credentials, with a warning where there is reason."""
    cell.prepare(world)
    begin = time.monotonic()
    outcome = REAL[source].resolve(world.context())
    assert time.monotonic() - begin < 5
    assert isinstance(outcome, Found)
    assert outcome.launcher.source == source
    assert [cell.warning in warning for warning in outcome.warnings] == [True] * bool(cell.warning)
    assert cell.check(outcome)
    secret = outcome.launcher.credentials.secret_access_key.reveal()
    assert world.registry.holds_secret(secret)


@pytest.mark.process
@cells("broken", "temporary")
def test_refused(source: str, cell: Cell, world: World) -> None:
    """A source that is there and does not work says why in its time, and shows no secret."""
    cell.prepare(world)
    begin = time.monotonic()
    expected = Temporary if cell.outcome == "temporary" else SourceBroken
    with pytest.raises(expected) as caught:
        REAL[source].resolve(world.context())
    assert time.monotonic() - begin < 5
    assert cell.says
    assert cell.says in caught.value.message
    assert caught.value.hint
    shown = texts_of(caught.value)
    assert not any(secret in shown for secret in (SECRET_KEY, SESSION_TOKEN, TOKEN, HUGE))
