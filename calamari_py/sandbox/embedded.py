"""Sandbox: one embedded AWS, from the moment it is made until it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import ClassVar, Self

from calamari_py.errors import ToolMissing, UsageError
from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.masking.secret import Secret

SANDBOX_REGION = "us-east-1"
INSTALL_COMMAND = "pip install 'calamari-step-runner[sandbox]'"

DISTURBING_ENVIRONMENT: Mapping[str, str | None] = MappingProxyType(
    {
        "AWS_PROFILE": None,
        "AWS_DEFAULT_PROFILE": None,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "MOTO_ACCOUNT_ID": None,
        "INITIAL_NO_AUTH_ACTION_COUNT": None,
        "TEST_PROXY_MODE": None,
        "TEST_SERVER_MODE": None,
    }
)
"""What the edge sets (None: removes) in its own process before it makes a Sandbox.

moto opens botocore sessions that read the caller's profile, and fails when there is no such
profile; the other names change whose account a request belongs to, or what is checked.
"""

_MODULES = ("moto", "werkzeug", "flask", "flask_cors")


class Sandbox:
    """An AWS on 127.0.0.1, seeded and running; a context manager that closes it.

    `port` 0 takes a free one. Only one runs at a time in a process, for moto's state belongs to
    the process; each begins with fresh state and leaves none. Raises ToolMissing without the
    ``sandbox`` extra, UsageError when `port` is taken.
    """

    _running: ClassVar[Sandbox | None] = None

    def __init__(self, port: int = 0) -> None:
        _require_moto()
        if Sandbox._running is not None:
            raise UsageError(
                f"a sandbox is running already in this process, at '{Sandbox._running.endpoint}'",
                hint="close it first, or use it",
            )
        try:
            # moto costs half a second of imports
            from calamari_py.sandbox import seed, server
        except ImportError as error:
            raise ToolMissing(
                f"the sandbox cannot be loaded: {error}", hint=f"install it anew: {INSTALL_COMMAND}"
            ) from error

        seed.clear()
        session = seed.create_identities()
        self._server = server.Server(port)
        self._server.start()
        self.endpoint: str = f"http://127.0.0.1:{self._server.port}"
        self.launcher = LauncherCredentials(
            credentials=AwsCredentials(
                access_key_id=session.access_key_id,
                secret_access_key=Secret(session.secret_access_key),
                session_token=Secret(session.session_token),
                expires_at=session.expires_at,
            ),
            source="sandbox",
            description="embedded sandbox",
            arn=session.arn,
            region=SANDBOX_REGION,
        )
        self.environment: Mapping[str, str] = MappingProxyType(
            {
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_ACCESS_KEY_ID": session.access_key_id,
                "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
                "AWS_SESSION_TOKEN": session.session_token,
                "AWS_REGION": SANDBOX_REGION,
                "AWS_DEFAULT_REGION": SANDBOX_REGION,
            }
        )
        Sandbox._running = self

    def close(self) -> None:
        """Stop answering and forget all state; closing twice is closing once."""
        if Sandbox._running is not self:
            return
        from calamari_py.sandbox import seed

        self._server.stop()
        seed.clear()
        Sandbox._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _require_moto() -> None:
    from importlib.util import find_spec

    missing = next((name for name in _MODULES if find_spec(name) is None), None)
    if missing is not None:
        raise ToolMissing(
            f"the sandbox needs '{missing}', which is not installed",
            hint=f"install it: {INSTALL_COMMAND}",
        )
