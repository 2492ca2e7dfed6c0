"""StepAws: AWS as a kind that works itself sees it, with the step's credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calamari_py.aws import AwsPort
from calamari_py.errors import CloudError
from calamari_py.identity import AwsCredentials

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN = frozenset({
    "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "UnrecognizedClientException",
})  # fmt: skip
"""Said of keys that AWS has forgotten; of ones that never worked, they are wrong."""


class StepAws:
    """An `AwsCalls`. Asks for the credentials before each call and keeps none.

    `current` gives the step's credentials, valid now; `renewed` ones that were obtained just now.
    Both raise the CalamariError of a renewal that failed. `warn` takes what a call has found odd
    (a clock that is off) without raising. One thread calls at a time, whatever others do with the
    credentials meanwhile.
    """

    def __init__(
        self,
        aws: AwsPort,
        *,
        current: Callable[[], AwsCredentials],
        renewed: Callable[[], AwsCredentials],
        warn: Callable[[str], None],
        region: str,
        account: str | None,
        partition: str,
        arn: str | None = None,
        role: str | None = None,
    ) -> None:
        self.region = region
        self.account = account
        self.partition = partition
        self.arn = arn
        self.role = role
        self._aws = aws
        self._current = current
        self._renewed = renewed
        self._warn = warn
        self._worked = ""

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """See `AwsCalls`."""

        def once(credentials: AwsCredentials) -> Mapping[str, Any]:
            try:
                answer = self._aws.call(
                    credentials, service, operation, params, subject=subject, budget=budget
                )
            finally:
                for warning in self._aws.take_warnings():
                    self._warn(warning)
            self._worked = credentials.access_key_id
            return answer

        credentials = self._current()
        try:
            return once(credentials)
        except CloudError as error:
            if not self._can_be_cured(error, credentials):
                raise
            newer = self._renewed()
            if newer.access_key_id == credentials.access_key_id:
                raise
        return once(newer)

    def _can_be_cured(self, error: CloudError, credentials: AwsCredentials) -> bool:
        """Whether other credentials may be what AWS wants."""
        worked = credentials.access_key_id == self._worked
        # S3 answers HEAD with expired credentials so, without a word.
        wordless = error.operation.startswith("Head") and error.code == "BadRequest"
        return error.code in _EXPIRED or (worked and (error.code in _UNKNOWN or wordless))
