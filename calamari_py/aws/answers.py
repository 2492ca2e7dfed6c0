"""What came back over HTTP, made a `Reply` by botocore's parsers. Brings botocore with it."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.model import OperationModel, ServiceModel
from botocore.parsers import ResponseParserError, ResponseParserFactory
from botocore.utils import parse_timestamp

from calamari_py.aws.failures import Reply, printable
from calamari_py.aws.transport import Answer
from calamari_py.identity import as_utc

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
_HEAD_CODES = {403: "AccessDenied", **{
    status: http.client.responses[status].replace(" ", "") for status in (400, 404, 412)
}}  # fmt: skip
"""HEAD is answered without a body, so without a word of AWS's: what the status says."""
_REDIRECTS = frozenset({301, 307})
_ELSEWHERE = _REDIRECTS | {400}
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d{1,2}", re.ASCII)


def _moment(value: Any) -> datetime:
    """A time as AWS writes it, in UTC."""
    return as_utc(parse_timestamp(value))


_PARSERS = ResponseParserFactory()
_PARSERS.set_parser_defaults(timestamp_parser=_moment)


def protocol_of(model: ServiceModel) -> str:
    """The protocol that the service is spoken to in: ``query``, ``rest-xml`` …"""
    return str(model.metadata["protocol"])


def read(model: ServiceModel, operation: str, answer: Answer, *, region: str) -> Reply:
    """The reply; `fields` is None when it is not AWS's language. `region` is where was asked."""
    asked = model.operation_model(operation)
    is_s3 = model.service_name == "s3"
    fields = None
    if _is_said(answer.status) or (is_s3 and answer.status in _REDIRECTS):
        fields = _parse(model, asked, answer)
    if is_s3 and answer.status in _ELSEWHERE:
        fields = _elsewhere(fields, answer, region) or fields
    return reply_of(answer, fields)


def read_form(answer: Answer) -> Reply:
    """The reply of a page that takes forms and gives JSON."""
    return reply_of(answer, _form_fields(answer) if _is_said(answer.status) else None)


def reply_of(answer: Answer, fields: Mapping[str, Any] | None) -> Reply:
    """The reply that says `fields`."""
    return Reply(
        status=answer.status,
        fields=fields,
        request_id=_request_id(fields or {}) or answer.headers.get("x-amzn-requestid"),
        date=_date(answer.headers.get("date")),
    )


def _is_said(status: int) -> bool:
    """Whether AWS answers with such a status."""
    return 200 <= status < 300 or status >= 400


def _parse(
    model: ServiceModel, operation: OperationModel, answer: Answer
) -> Mapping[str, Any] | None:
    succeeded = 200 <= answer.status < 300
    protocol = protocol_of(model)
    if succeeded and not _can_be_success(protocol, operation.name, answer.body):
        return None
    # The parser makes text of what is bytes, but leaves alone what it takes for a stream.
    is_stream = succeeded and operation.has_streaming_output
    body: Any = memoryview(answer.body) if is_stream else answer.body
    response = {"status_code": answer.status, "headers": answer.headers, "body": body}
    try:
        fields: dict[str, Any] = _PARSERS.create_parser(protocol).parse(
            response,
            operation.output_shape,  # type: ignore[arg-type]
        )
    except (ResponseParserError, *_NOT_AS_MODELLED):
        return None
    if is_stream:
        fields = {name: answer.body if value is body else value for name, value in fields.items()}
    if not answer.body and operation.http.get("method") == "HEAD" and answer.status in _HEAD_CODES:
        fields["Error"] = {"Code": _HEAD_CODES[answer.status]}
    return fields


def _can_be_success(protocol: str, operation: str, body: bytes) -> bool:
    """Whether AWS says so that it has done what was asked. A parser that expects nothing is content
    with any page, and one of JSON with any text."""
    if protocol == "query":
        return re.search(rb"<%bResponse[\s/>]" % operation.encode(), body[:1000]) is not None
    if body and protocol in {"json", "rest-json"}:
        try:
            return isinstance(json.loads(body), dict)
        except (ValueError, RecursionError):
            return False
    return True


def _elsewhere(
    fields: Mapping[str, Any] | None, answer: Answer, region: str
) -> Mapping[str, Any] | None:
    """What S3 says of a bucket in another region than the one that was asked, if it does."""
    error = (fields or {}).get("Error") or {}
    named = answer.headers.get("x-amz-bucket-region") or error.get("Region")
    if not isinstance(named, str) or named == region or not _REGION.fullmatch(named):
        return None
    message = f"the bucket lies in region '{named}', not in '{region}'"
    return {**(fields or {}), "Error": {"Code": "WrongRegion", "Message": message}}


def _form_fields(answer: Answer) -> Mapping[str, Any] | None:
    if answer.status in {400, 401, 403}:
        # The page says nothing that helps, and may repeat what was sent.
        return {"Error": {"Code": "SignInRefused"}}
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _request_id(fields: Mapping[str, Any]) -> str:
    metadata = fields.get("ResponseMetadata")
    return printable(str(metadata.get("RequestId") or "")) if isinstance(metadata, dict) else ""


def _date(text: str | None) -> datetime | None:
    try:
        date = as_utc(parsedate_to_datetime(text or ""))
    except (ValueError, OverflowError):
        return None
    # Signatures are made with it: beyond these years it is nobody's clock, and overflows.
    return date if date.year in _YEARS else None
