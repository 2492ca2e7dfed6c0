"""One attempt of one call, made of botocore's parts.

A full botocore client is not built: making one costs two fifths of a whole `assume_role`, for
documentation, waiters and paginators that are never used. What AWS defines stays botocore's:
models, serializer, endpoint rules, SigV4, transport, parser.

Imported at the first call only: this module brings botocore with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest, create_request_object, prepare_request_dict
from botocore.exceptions import BotoCoreError, ParamValidationError
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceModel
from botocore.parsers import ResponseParserError, create_parser
from botocore.serialize import create_serializer

from calamari_py import __version__
from calamari_py.aws.endpoints import SIGN_IN, Endpoints
from calamari_py.aws.failures import Call, Reply, Unreached, printable
from calamari_py.aws.settings import AwsSettings
from calamari_py.aws.transport import Answer, exchange, open_session
from calamari_py.identity import AwsCredentials, as_utc

_APP_ID = re.compile(r"[\w!$%&*+.^`|~-]{1,50}", re.ASCII)
_YEARS = range(2000, 2200)
_NOT_AS_MODELLED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What botocore's parser, and what it calls, raise for an answer that does not fit the model."""
_IMPATIENT = frozenset({"iam"})
_IMPATIENT_TIMEOUTS = (2.0, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """All that is constant for one service: made at its first call, kept for the next ones.

    `model` is None where AWS has no model of the API: a plain form.
    """

    model: ServiceModel | None
    url: str
    signing_region: str
    session: URLLib3Session
    timeouts: tuple[float, float]


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
        self._services: dict[str, _Service] = {}

    def host(self, service: str) -> str:
        """The host that calls of `service` go to, or Unreached when there is none."""
        return urlsplit(self.url(service)).netloc

    def url(self, service: str) -> str:
        """The URL that calls of `service` go to, or Unreached when there is none."""
        return self._service(service).url

    def send(self, call: Call, *, within: float | None = None) -> Reply:
        """One attempt, of `within` seconds at most, and never longer than the time-outs of
        connection and answer together. Raises Unreached when no answer of AWS came back.
        """
        service = self._service(call.service)
        try:
            prepared = self._prepare(service, call)
        except ParamValidationError as error:
            raise Unreached("InvalidParameters", str(error), retryable=False) from None
        except UnicodeError:
            reason = "a value of the request cannot be written as UTF-8"
            raise Unreached("InvalidParameters", reason, retryable=False) from None
        longest = sum(service.timeouts)
        answer = exchange(
            service.session,
            prepared,
            timeouts=service.timeouts,
            seconds=longest if within is None else min(longest, within),
        )
        return _read(service, call, answer)

    def _service(self, name: str) -> _Service:
        known = self._services.get(name)
        if known is None:
            try:
                known = self._services[name] = self._open(name)
            except BotoCoreError as error:
                raise Unreached("NoEndpoint", str(error), retryable=False) from None
        return known

    def _open(self, name: str) -> _Service:
        endpoint = self.endpoints.find(name)
        timeouts = self._timeouts
        if name in _IMPATIENT:
            timeouts = (
                min(timeouts[0], _IMPATIENT_TIMEOUTS[0]),
                min(timeouts[1], _IMPATIENT_TIMEOUTS[1]),
            )
        return _Service(
            model=None if name == SIGN_IN else self.endpoints.model(name),
            url=endpoint.url,
            signing_region=endpoint.signing_region,
            session=open_session(self._settings, self._environ, endpoint.url, timeouts),
            timeouts=timeouts,
        )

    def _prepare(self, service: _Service, call: Call) -> Any:
        if service.model is None:
            return self._prepare_form(service, call)
        operation = service.model.operation_model(call.operation)
        fields = create_serializer(_protocol(service.model)).serialize_to_request(
            dict(call.params), operation
        )
        prepare_request_dict(
            fields,
            endpoint_url=service.url,
            context={"client_region": service.signing_region},
            user_agent=self._user_agent(),
        )
        request = create_request_object(fields)
        if call.credentials is not None:
            _Signer(
                call.credentials,
                service.model.signing_name,
                service.signing_region,
                self._now() + call.offset,
            ).add_auth(request)
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


@dataclass(frozen=True, slots=True)
class _Keys:
    access_key: str
    secret_key: str
    token: str | None


class _Signer(SigV4Auth):
    """SigV4 with a clock of our own: the machine's, corrected by what AWS's says."""

    def __init__(
        self, credentials: AwsCredentials, service: str, region: str, now: datetime
    ) -> None:
        token = credentials.session_token
        keys = _Keys(
            credentials.access_key_id,
            credentials.secret_access_key.reveal(),
            token.reveal() if token is not None else None,
        )
        super().__init__(keys, service, region)  # type: ignore[arg-type]
        self._stamp = now.astimezone(UTC).strftime(SIGV4_TIMESTAMP)

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self._stamp
        super()._modify_request_before_signing(request)  # type: ignore[misc]


def _protocol(model: ServiceModel) -> str:
    return str(model.metadata["protocol"])


def _read(service: _Service, call: Call, answer: Answer) -> Reply:
    """The reply; `fields` is None when it is not AWS's language."""
    status, fields = answer.status, None
    if 200 <= status < 300 or status >= 400:
        if service.model is None:
            fields = _read_form(answer)
        else:
            fields = _read_modelled(service.model, call, answer)
    return Reply(
        status=status,
        fields=fields,
        request_id=_request_id(fields or {}) or answer.headers.get("x-amzn-requestid"),
        date=_date(answer.headers.get("date")),
    )


def _request_id(fields: Mapping[str, Any]) -> str:
    metadata = fields.get("ResponseMetadata")
    return printable(str(metadata.get("RequestId") or "")) if isinstance(metadata, dict) else ""


def _read_modelled(model: ServiceModel, call: Call, answer: Answer) -> Mapping[str, Any] | None:
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    try:
        return create_parser(_protocol(model)).parse(  # type: ignore[no-any-return]
            response,
            model.operation_model(call.operation).output_shape,  # type: ignore[arg-type]
        )
    except (ResponseParserError, *_NOT_AS_MODELLED):
        return None


def _read_form(answer: Answer) -> Mapping[str, Any] | None:
    if answer.status in {400, 401, 403}:
        # The page says nothing that helps, and may repeat what was sent.
        return {"Error": {"Code": "SignInRefused"}}
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _date(text: str | None) -> datetime | None:
    try:
        date = as_utc(parsedate_to_datetime(text or ""))
    except (ValueError, OverflowError):
        return None
    # Signatures are made with it: beyond these years it is nobody's clock, and overflows.
    return date if date.year in _YEARS else None
