"""One attempt of one call, made of botocore's parts.

A full botocore client is not built: making one costs two fifths of a whole `assume_role`, for
documentation, waiters and paginators that are never used. What AWS defines stays botocore's:
models, serializer, endpoint rules, SigV4, transport, parser.

Imported at the first call only: this module brings botocore with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import botocore
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import ResponseParserError, create_parser
from botocore.serialize import create_serializer
from botocore.utils import validate_region_name

from calamari_py import __version__
from calamari_py.aws.failures import Call, Reply, Unreached
from calamari_py.aws.settings import AwsSettings, is_loopback
from calamari_py.identity import AwsCredentials

_VERSIONS = {"sts": "2011-06-15", "ssm": "2014-11-06", "secretsmanager": "2017-10-17"}
_LINK_LOCAL = re.compile(r"169\.254\.\d+\.\d+|\[?fe80:.*")
_APP_ID = re.compile(r"[\w!$%&*+.^`|~-]{1,50}", re.ASCII)
_REASON = re.compile(r"\[Errno -?\d+\] ([^\"'>)]+)")
_TLS_REASONS = (
    re.compile(r"(certificate verify failed: [^(]+)"),
    re.compile(r"\[(?:SSL|X509)(?:: ([A-Z0-9_]+))?\]"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """All that is constant for one service: made at its first call, kept for the next ones."""

    model: ServiceModel
    protocol: str
    url: str
    signing_region: str
    session: URLLib3Session


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
        data = os.path.join(os.path.dirname(botocore.__file__), "data")
        # Without the default paths: a model below the home folder could change what is sent.
        self._loader = Loader(extra_search_paths=[data], include_default_search_paths=False)
        self._services: dict[str, _Service] = {}

    def host(self, service: str) -> str:
        """The host that calls of `service` go to, or Unreached when there is none."""
        return urlsplit(self._service(service).url).netloc

    def partition(self, region: str) -> str:
        """The partition that `region` lies in, by botocore's table (``aws`` for an unknown one)."""
        for partition in self._loader.load_data("partitions")["partitions"]:
            if region in partition["regions"] or re.match(partition["regionRegex"], region):
                return str(partition["id"])
        return "aws"

    def send(self, call: Call) -> Reply:
        """One attempt. Raises Unreached when no answer of AWS came back."""
        service = self._service(call.service)
        try:
            prepared = self._prepare(service, call)
        except ParamValidationError as error:
            raise Unreached("InvalidParameters", str(error), retryable=False) from None
        try:
            response = service.session.send(prepared)
        except BotoCoreError as error:
            raise _unreached(error, self._timeouts) from None
        return _read(service, call, response.status_code, response.headers, response.content)

    def _service(self, name: str) -> _Service:
        known = self._services.get(name)
        if known is None:
            try:
                known = self._services[name] = self._open(name)
            except BotoCoreError as error:
                raise Unreached("NoEndpoint", str(error), retryable=False) from None
        return known

    def _open(self, name: str) -> _Service:
        region = self._settings.region
        if not region:
            raise Unreached("NoRegion", "no region is known", retryable=False)
        # The region becomes part of a host name: whoever sets it must not choose the domain.
        validate_region_name(region)
        folder = f"{name}/{_VERSIONS[name]}"
        model = ServiceModel(self._loader.load_data(f"{folder}/service-2"), name)
        url = self._settings.endpoint(name)
        signing_region = region
        if url is None:
            url, signing_region = self._resolve(folder, region)
        return _Service(
            model=model,
            protocol=str(model.metadata["protocol"]),
            url=url,
            signing_region=signing_region,
            session=URLLib3Session(
                verify=self._settings.ca_bundle or True,  # type: ignore[arg-type]
                proxies=_proxies(self._environ, url),
                timeout=self._timeouts,  # type: ignore[arg-type]
            ),
        )

    def _resolve(self, folder: str, region: str) -> tuple[str, str]:
        """Endpoint and signing region by AWS's rules for the service."""
        rules = self._loader.load_data(f"{folder}/endpoint-rule-set-1")
        wanted = {
            "Region": region,
            "UseFIPS": self._settings.use_fips,
            "UseDualStack": self._settings.use_dualstack,
            "UseGlobalEndpoint": False,
        }
        provider = EndpointProvider(rules, self._loader.load_data("partitions"))
        endpoint = provider.resolve_endpoint(
            **{name: value for name, value in wanted.items() if name in rules["parameters"]}
        )
        schemes = endpoint.properties.get("authSchemes") or [{}]
        return endpoint.url, schemes[0].get("signingRegion") or region

    def _prepare(self, service: _Service, call: Call) -> Any:
        operation = service.model.operation_model(call.operation)
        fields = create_serializer(service.protocol).serialize_to_request(
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


def _read(
    service: _Service, call: Call, status: int, headers: Mapping[str, str], body: bytes
) -> Reply:
    """The reply as botocore's parser reads it; `fields` is None when it is not AWS's language."""
    shape = service.model.operation_model(call.operation).output_shape
    fields: Mapping[str, Any] | None = None
    try:
        if 200 <= status < 300 or status >= 400:
            fields = create_parser(service.protocol).parse(
                {"status_code": status, "headers": headers, "body": body},
                shape,  # type: ignore[arg-type]
            )
    except (ResponseParserError, AttributeError, KeyError, TypeError, ValueError):
        fields = None
    metadata = (fields or {}).get("ResponseMetadata", {})
    return Reply(
        status=status,
        fields=fields,
        request_id=metadata.get("RequestId") or headers.get("x-amzn-requestid"),
        date=_date(headers.get("date")),
    )


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _proxies(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The proxy for `url` by the usual variables, never for this machine or its metadata."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or _LINK_LOCAL.fullmatch(host):
        return {}
    name = f"{parts.scheme}_proxy"
    proxy = environ.get(name) or environ.get(name.upper())
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not proxy or proxy_bypass_environment(parts.netloc, {"no": exceptions}):
        return {}
    return {parts.scheme: proxy}


def _unreached(error: BotoCoreError, timeouts: tuple[float, float]) -> Unreached:
    text = f"{error} {error.kwargs.get('error')}"
    if isinstance(error, SSLError) or "CA certificate" in text:
        matches = [match[1] for pattern in _TLS_REASONS if (match := pattern.search(text))]
        reason = (matches[0] or "").strip() if matches else ""
        # A handshake cut short may be the network's fault; a certificate is not.
        transient = "EOF" in text or "closed" in text
        return Unreached(
            "TlsError",
            f"no trusted TLS connection ({reason})" if reason else "no TLS connection",
            retryable=transient,
        )
    if isinstance(error, ProxyConnectionError):
        refused = "407" in text or "403" in text
        return Unreached(
            "ProxyError",
            "the proxy refuses the connection" if refused else "the proxy cannot be reached",
            retryable=not refused,
        )
    if isinstance(error, ConnectTimeoutError):
        reason = f"no connection within {timeouts[0]:g} s"
    elif isinstance(error, ReadTimeoutError):
        reason = f"no answer within {timeouts[1]:g} s"
    elif isinstance(error, ConnectionClosedError):
        reason = "the connection was closed without an answer"
    else:
        found = _REASON.search(text)
        reason = found[1].strip().lower() if found else "no connection"
    return Unreached("Unreachable", reason, retryable=True)
