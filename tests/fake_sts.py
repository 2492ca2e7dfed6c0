"""FakeSts: a strict AWS on 127.0.0.1 that speaks STS's real Query protocol.

Where moto says yes to everything, this server says no for the reasons AWS has: signature, clock,
expiry, trust, external id, session length, role chaining, session tags, source identity, session
policies, tokens. It also answers ``iam:GetRole``, signs in to the console, keeps a few parameters
(SSM) and secrets (Secrets Manager), and has empty S3 buckets, so that one server is enough for a
whole step.

::

    with FakeSts() as sts:
        launcher = sts.add_user("arn:aws:iam::123456789012:user/launcher")
        sts.add_role("arn:aws:iam::111111111111:role/Deploy", trust=[launcher.arn])
        sts.url, sts.requests, sts.fail_next(503, "ServiceUnavailable", "later", times=2)

Its parts, one subject each::

    fake_sts_tables     keys, roles, tokens, requests      fake_sts_server     HTTP and its errors
    fake_sts_rules      who may have which role            fake_sts_answers    what each action says
    fake_sts_sessions   tags, source identity, policies    fake_sts_signature  SigV4 and the clock
    fake_sts_tokens     JWTs                               fake_sts_trust      trust policies
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from tests.fake_sts_server import Failure, Server, capitals, secret_text
from tests.fake_sts_tables import Keys, Log, Provider, Refusal, Role, Token
from tests.fake_sts_trust import Document, trust_document


class FakeSts:
    """The server and its tables; a context manager. Everything may be changed while it runs.

    `clock` is the server's, for tests in which sessions expire; `signing_clock` is what signatures
    are judged by and answers are dated with, where clients sign with another clock than that;
    `clock_offset` is in seconds: a positive one makes both run ahead of ours. `space` is how many
    bytes session policy and tags may take.
    `requests` holds one entry a request, in order, refused ones included; `refusals` those that
    the server itself refused, and why. `connections` counts TCP connections. `tls` makes it an
    https server.
    """

    def __init__(
        self,
        *,
        clock_offset: float = 0.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        signing_clock: Callable[[], datetime] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.clock_offset = clock_offset
        self.clock = clock
        self.signing_clock = signing_clock
        self.space = 4096
        self.keys: dict[str, Keys] = {}
        self.roles: dict[str, Role] = {}
        self.tokens: dict[str, Token] = {}
        self.providers: dict[str, Provider] = {}
        self.sign_in_tokens: dict[str, Keys] = {}
        self.parameters: dict[str, tuple[str, str]] = {}
        self.secrets: dict[str, str | bytes] = {}
        self.requests: list[Log] = []
        self.refusals: list[tuple[Log, Refusal]] = []
        self.connections = 0
        self._tls = tls
        self._failures: list[Failure] = []
        self._lock = threading.RLock()
        self.released = threading.Event()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = Server(self, self._tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.released.set()
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, or https with `tls`."""
        assert self._server is not None
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def now(self) -> datetime:
        """What the server's clock says."""
        return self.clock() + timedelta(seconds=self.clock_offset)

    def signing_now(self) -> datetime:
        """The time that a request has to be signed at."""
        return (self.signing_clock or self.clock)() + timedelta(seconds=self.clock_offset)

    def add_user(self, arn: str, *, access_key_id: str | None = None) -> Keys:
        """Long-lived keys of an IAM user."""
        keys = Keys(
            access_key_id=access_key_id or "AKIA" + capitals(16),
            secret_access_key=secret_text(30),
            arn=arn,
        )
        self.keys[keys.access_key_id] = keys
        return keys

    def add_session(
        self, role_arn: str, session_name: str, *, duration: int = 3600, **facts: Any
    ) -> Keys:
        """Temporary keys of a role session: what a pod or an instance has to begin with.

        `facts` are further fields of `Keys` (``tags``, ``transitive``, ``source_identity`` …).
        """
        partition, account = role_arn.split(":")[1], role_arn.split(":")[4]
        name = role_arn.rsplit("/", 1)[1]
        keys = Keys(
            access_key_id="ASIA" + capitals(16),
            secret_access_key=secret_text(30),
            session_token=secret_text(270),
            arn=f"arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}",
            role_arn=role_arn,
            expires_at=(self.now() + timedelta(seconds=duration)).replace(microsecond=0),
            **facts,
        )
        with self._lock:
            self.keys[keys.access_key_id] = keys
        return keys

    def add_role(
        self,
        arn: str,
        *,
        trust: Sequence[str] = (),
        allow: Sequence[str] = (),
        external_id: str | None = None,
        document: Document | None = None,
        max_session_duration: int = 3600,
    ) -> Role:
        """A role. `trust` names principals: a user, a role, an account's root, or ``*``.

        They may do ``sts:AssumeRole`` and what `allow` adds (``sts:TagSession``,
        ``sts:SetSourceIdentity``); `document` is a whole trust policy instead.
        """
        role = Role(
            arn=arn,
            document=document or trust_document(trust, actions=allow, external_id=external_id),
            max_session_duration=max_session_duration,
        )
        self.roles[arn] = role
        return role

    def add_provider(
        self, issuer: str, *, account: str, audiences: Sequence[str], partition: str = "aws"
    ) -> str:
        """An identity provider for the tokens of `issuer` (a URL); returns its ARN."""
        arn = f"arn:{partition}:iam::{account}:oidc-provider/{issuer.removeprefix('https://')}"
        self.providers[arn] = Provider(arn=arn, issuer=issuer, audiences=tuple(audiences))
        return arn

    def add_token(
        self,
        token: str,
        *,
        roles: Sequence[str],
        subject: str = "system:serviceaccount:octopus:worker",
        expired: bool = False,
    ) -> None:
        """An opaque web identity token and the ARNs of the roles that trust it.

        A real JWT (`fake_sts_tokens.make_token`) needs no entry, but a provider of its issuer and
        a role whose `document` trusts it (`fake_sts_trust.federated_document`).
        """
        self.tokens[token] = Token(roles=tuple(roles), subject=subject, expired=expired)

    def add_parameter(self, name: str, value: str, kind: str = "SecureString") -> None:
        """An SSM parameter: ``String``, ``StringList`` or ``SecureString``."""
        self.parameters[name] = (kind, value)

    def add_secret(self, secret_id: str, value: str | bytes) -> None:
        """A secret of Secrets Manager: a string or a binary."""
        self.secrets[secret_id] = value

    def fail_next(
        self,
        status: int,
        code: str,
        message: str = "injected by the test",
        times: int = 1,
        *,
        action: str | None = None,
    ) -> None:
        """Answer the next `times` requests (of `action`) with an AWS error, whatever they ask."""
        self._inject(Failure(status=status, code=code, message=message, action=action), times)

    def answer_next(
        self,
        body: bytes,
        status: int = 200,
        content_type: str = "text/xml",
        times: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        action: str | None = None,
    ) -> None:
        """Answer the next `times` requests (of `action`) with `body` as it is."""
        answer = Failure(
            status=status, body=body, content_type=content_type, headers=headers, action=action
        )
        self._inject(answer, times)

    def drop_next(self, times: int = 1) -> None:
        """Close the connection instead of answering."""
        self._inject(Failure(status=0), times)

    def hang_next(self, times: int = 1) -> None:
        """Do not answer before the server ends."""
        self._inject(Failure(status=-1), times)

    def _inject(self, failure: Failure, times: int) -> None:
        with self._lock:
            self._failures.extend([failure] * times)

    def take_failure(self, action: str) -> Failure | None:
        with self._lock:
            for index, failure in enumerate(self._failures):
                if failure.action in {None, action}:
                    return self._failures.pop(index)
        return None

    def requests_of(self, keys: Keys) -> list[Log]:
        """The requests that were signed with `keys`, in order."""
        return [log for log in self.requests if log.access_key_id == keys.access_key_id]

    def actions(self) -> list[str]:
        """The actions asked for, in order."""
        return [request.action for request in self.requests]
