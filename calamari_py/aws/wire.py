"""One attempt of one call, made of botocore's parts.

A full botocore client is not built: making one costs two fifths of a whole `assume_role`, for
documentation, waiters and paginators that are never used. What AWS defines stays botocore's:
models, serializer, endpoint rules, SigV4, transport, parser.

Imported at the first call only: this module brings botocore with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore
from botocore.awsrequest import AWSRequest, create_request_object, prepare_request_dict
from botocore.exceptions import BotoCoreError, ParamValidationError
from botocore.httpsession import URLLib3Session
from botocore.model import OperationModel, ServiceModel
from botocore.serialize import create_serializer

from calamari_py import __version__
from calamari_py.aws.answers import protocol_of, read, read_form
from calamari_py.aws.endpoints import BUCKETS, SIGN_IN, Endpoints
from calamari_py.aws.failures import Call, Reply, Unreached
from calamari_py.aws.settings import AwsSettings
from calamari_py.aws.signer import sign
from calamari_py.aws.transport import ANSWER_LIMIT, LARGE_ANSWER_LIMIT, exchange, open_session

_APP_ID = re.compile(r"[\w!$%&*+.^`|~-]{1,50}", re.ASCII)
_IMPATIENT = frozenset({"iam"})
_IMPATIENT_TIMEOUTS = (2.0, 3.0)
_TALKATIVE = frozenset({"cloudformation", BUCKETS})
"""Services whose answers may be large."""
_WRONG_TYPE = re.compile(r", value: .*(?=, type: <class)", re.DOTALL)
"""What botocore repeats of a value that has not the type it should have."""
_CHECKSUMS = SimpleNamespace(request_checksum_calculation="when_supported", signature_version="s3")
"""The part of a client's configuration that botocore's checksums look at: always, in a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """All that is constant for one service, or one bucket: made at its first call, kept for the
    next ones.

    `model` is None where AWS has no model of the API: a plain form.
    """

    model: ServiceModel | None
    url: str
    signing_region: str
    signing_name: str
    session: URLLib3Session
    timeouts: tuple[float, float]
    limit: int


class Wire:
    """Sends calls and reads replies; keeps connections open between them.

    `now` is the clock that signatures are made with; `timeouts` are the seconds to wait for a
    connection and for an answer.
    """

    def __init__(
        self,
        settings: AwsSettings,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        timeouts: tuple[float, float],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._now = now
        self._timeouts = timeouts
        self.endpoints = Endpoints(settings)
        self._services: dict[tuple[str, str], _Service] = {}

    def host(self, service: str, bucket: str = "") -> str:
        """The host that calls of `service` go to, or Unreached when there is none."""
        return urlsplit(self.url(service, bucket)).netloc

    def url(self, service: str, bucket: str = "") -> str:
        """The URL that calls of `service` go to, or Unreached when there is none."""
        return self._service(service, bucket).url

    def send(self, call: Call, *, within: float | None = None) -> Reply:
        """One attempt, of `within` seconds at most, and never longer than the time-outs of
        connection and answer together. Raises Unreached when no answer of AWS came back.
        """
        service = self._service(call.service, call.bucket)
        prepared = self.prepare(call)
        longest = sum(service.timeouts)
        answer = exchange(
            service.session,
            prepared,
            timeouts=service.timeouts,
            seconds=longest if within is None else min(longest, within),
            limit=service.limit,
        )
        if service.model is None:
            return read_form(answer)
        return read(service.model, call.operation, answer, region=service.signing_region)

    def prepare(self, call: Call) -> Any:
        """The signed request that `send` would send, or Unreached when there can be none."""
        service = self._service(call.service, call.bucket)
        try:
            return self._prepare(service, call)
        except ParamValidationError as error:
            reason = _WRONG_TYPE.sub("", str(error))
            raise Unreached("InvalidParameters", reason, retryable=False) from None
        except UnicodeError:
            reason = "a value of the request cannot be written as UTF-8"
            raise Unreached("InvalidParameters", reason, retryable=False) from None

    def _service(self, name: str, bucket: str) -> _Service:
        known = self._services.get((name, bucket))
        if known is None:
            try:
                known = self._services[name, bucket] = self._open(name, bucket)
            except BotoCoreError as error:
                raise Unreached("NoEndpoint", str(error), retryable=False) from None
        return known

    def _open(self, name: str, bucket: str) -> _Service:
        endpoint = self.endpoints.find(name, bucket)
        model = None if name == SIGN_IN else self.endpoints.model(name)
        timeouts = self._timeouts
        if name in _IMPATIENT:
            timeouts = (
                min(timeouts[0], _IMPATIENT_TIMEOUTS[0]),
                min(timeouts[1], _IMPATIENT_TIMEOUTS[1]),
            )
        return _Service(
            model=model,
            url=endpoint.url,
            signing_region=endpoint.signing_region,
            signing_name=endpoint.signing_name or (model.signing_name if model else ""),
            session=open_session(self._settings, self._environ, endpoint.url, timeouts),
            timeouts=timeouts,
            limit=LARGE_ANSWER_LIMIT if name in _TALKATIVE else ANSWER_LIMIT,
        )

    def _prepare(self, service: _Service, call: Call) -> Any:
        if service.model is None:
            return self._prepare_form(service, call)
        operation = service.model.operation_model(call.operation)
        is_s3 = call.service == BUCKETS
        if is_s3:
            _leave_bucket_to_url(operation)
        fields = create_serializer(protocol_of(service.model)).serialize_to_request(
            dict(call.params), operation
        )
        prepare_request_dict(
            fields,
            endpoint_url=service.url,
            context={"client_region": service.signing_region},
            user_agent=self._user_agent(),
        )
        if is_s3:
            _add_checksum(fields, operation, call.params)
        request = create_request_object(fields)
        if call.credentials is not None:
            sign(
                request,
                call.credentials,
                name=service.signing_name,
                region=service.signing_region,
                now=self._now() + call.offset,
                for_s3=is_s3,
            )
        return request.prepare()

    def _prepare_form(self, service: _Service, call: Call) -> Any:
        """A form in the body: nothing of it stands in a URL, where proxies log it."""
        return AWSRequest(
            method="POST",
            url=service.url,
            data=urlencode(call.params),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "User-Agent": self._user_agent(),
            },
        ).prepare()

    def _user_agent(self) -> str:
        app = self._environ.get("AWS_SDK_UA_APP_ID", "").strip()
        agent = f"calamari/{__version__} Botocore/{botocore.__version__}"
        return f"{agent} app/{app}" if _APP_ID.fullmatch(app) else agent


def _leave_bucket_to_url(operation: OperationModel) -> None:
    """The endpoint rules put the bucket into the URL, and so does the model: once is enough.
    botocore changes the model in the same way."""
    path = operation.http["requestUri"]
    operation.http["requestUri"] = path.removeprefix("/{Bucket}")


def _add_checksum(
    fields: dict[str, Any], operation: OperationModel, params: Mapping[str, Any]
) -> None:
    """What botocore adds to a body: buckets that lock their objects take none without."""
    from botocore.httpchecksum import apply_request_checksum, resolve_request_checksum_algorithm

    fields["context"]["client_config"] = _CHECKSUMS
    resolve_request_checksum_algorithm(fields, operation, params)
    apply_request_checksum(fields)
