"""AwsPort.call of S3: bodies, HEAD, buckets elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from calamari_py.errors import Temporary
from tests.aws.recorder import KEYS, Recorder, refused


def s3_fault(code: str, more: str = "") -> str:
    """An error of S3."""
    return f"<Error><Code>{code}</Code><Message>no</Message>{more}</Error>"


def test_an_object_is_put_as_it_is(recorder: Recorder) -> None:
    """Bytes, a signed hash of them, a checksum for buckets that want one, the owner expected, and a
    key whose odd characters survive."""
    recorder.say(headers={"ETag": '"e-1"', "x-amz-request-id": "r-1"})
    body = bytes(range(256))
    answer = recorder.aws().call(
        KEYS,
        "s3",
        "PutObject",
        {
            "Bucket": "my-bucket",
            "Key": "a//b c+ü%~.yaml",
            "Body": body,
            "ExpectedBucketOwner": "111111111111",
        },
    )
    assert answer == {"ETag": '"e-1"'}
    (asked,) = recorder.asked
    assert (asked.method, asked.path) == ("PUT", "/my-bucket/a//b%20c%2B%C3%BC%25~.yaml")
    assert asked.body == body
    assert asked.headers["X-Amz-Content-SHA256"] == sha256(body).hexdigest()
    assert asked.headers["x-amz-checksum-crc32"] == "KQWMcw=="
    assert asked.headers["x-amz-expected-bucket-owner"] == "111111111111"
    assert "Content-Encoding" not in asked.headers
    assert asked.signed_for == ("eu-west-1", "s3")


def test_an_object_is_read_as_it_is(recorder: Recorder) -> None:
    """No text is made of a body."""
    recorder.say(b"\xff\x00\xfe", headers={"Last-Modified": "Sun, 01 Mar 2026 09:30:00 GMT"})
    answer = recorder.aws().call(KEYS, "s3", "GetObject", {"Bucket": "my-bucket", "Key": "k"})
    assert answer["Body"] == b"\xff\x00\xfe"
    assert answer["LastModified"] == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


HEAD = {"Bucket": "my-bucket", "Key": "k"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(400, "BadRequest", id="400"),
        pytest.param(403, "AccessDenied", id="403"),
        pytest.param(404, "NotFound", id="404"),
        pytest.param(412, "PreconditionFailed", id="412"),
    ],
)
def test_head_says_by_its_status_what_it_means(recorder: Recorder, status: int, code: str) -> None:
    """There is no body that could hold a code."""
    recorder.say(status=status, headers={"x-amz-request-id": "r-1"})
    error = refused(recorder, "s3", "HeadObject", **HEAD)
    assert (error.code, error.status, error.request_id) == (code, status, "r-1")
    assert error.message == f"s3:HeadObject for a thing was refused ({code})"
    assert not isinstance(error, Temporary)
    assert error.hint is not None


def test_head_of_an_object_that_is_there(recorder: Recorder) -> None:
    """Its length is said, and nothing waited for."""
    recorder.say(b"0123456789", headers={"ETag": '"e-1"'})
    answer = recorder.aws().call(KEYS, "s3", "HeadObject", HEAD)
    assert (answer["ContentLength"], answer["ETag"]) == (10, '"e-1"')


@pytest.mark.parametrize(
    ("operation", "status", "body", "headers"),
    [
        pytest.param("HeadObject", 301, "", {"x-amz-bucket-region": "us-east-2"}, id="HEAD, moved"),
        pytest.param("HeadObject", 400, "", {"x-amz-bucket-region": "us-east-2"}, id="HEAD, 400"),
        pytest.param(
            "GetObject",
            301,
            s3_fault("PermanentRedirect"),
            {"x-amz-bucket-region": "us-east-2"},
            id="moved",
        ),
        pytest.param(
            "GetObject",
            400,
            s3_fault("AuthorizationHeaderMalformed", "<Region>us-east-2</Region>"),
            {},
            id="signed for another",
        ),
    ],
)
def test_a_bucket_elsewhere_is_said(
    recorder: Recorder, operation: str, status: int, body: str, headers: dict[str, str]
) -> None:
    """With both regions, however S3 puts it; nothing is followed."""
    recorder.say(body, status, headers)
    error = refused(recorder, "s3", operation, **HEAD)
    assert error.code == "WrongRegion"
    assert "the bucket lies in region 'us-east-2', not in 'eu-west-1'" in error.message
    assert len(recorder.asked) == 1


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        pytest.param(400, {"x-amz-bucket-region": "eu-west-1"}, "BadRequest", id="the same region"),
        pytest.param(400, {"x-amz-bucket-region": "x' y"}, "BadRequest", id="no region"),
        pytest.param(404, {"x-amz-bucket-region": "us-east-2"}, "NotFound", id="another reason"),
        pytest.param(302, {"Location": "https://evil.example"}, "UnexpectedAnswer", id="302"),
    ],
)
def test_a_region_is_no_excuse(
    recorder: Recorder, status: int, headers: dict[str, str], code: str
) -> None:
    """Only another region, and only where S3 refuses because of it."""
    recorder.say(status=status, headers=headers)
    assert refused(recorder, "s3", "HeadObject", **HEAD).code == code


def test_a_bucket_that_dns_does_not_know_yet_is_waited_for(recorder: Recorder) -> None:
    """A temporary redirect is one."""
    recorder.say(s3_fault("TemporaryRedirect"), 307)
    recorder.say(b"here")
    answer = recorder.aws().call(KEYS, "s3", "GetObject", HEAD)
    assert answer["Body"] == b"here"


def test_s3_says_what_it_refuses(recorder: Recorder) -> None:
    """Its errors have a shape of their own."""
    recorder.say(s3_fault("NoSuchBucket", "<BucketName>my-bucket</BucketName>"), 404)
    error = refused(recorder, "s3", "PutObject", **HEAD, Body=b"secret template")
    assert (error.code, error.hint) == ("NoSuchBucket", "check the bucket's name")


def test_the_body_is_in_no_repr(recorder: Recorder) -> None:
    """Neither of the error, nor of anything in its trace."""
    recorder.say(s3_fault("AccessDenied").replace(">no<", ">not the-secret-template<"), 403)
    error = refused(recorder, "s3", "PutObject", **HEAD, Body=b"the-secret-template")
    assert error.message.endswith("(AccessDenied): not ***")
    shown = []
    trace = error.__traceback__
    while trace is not None:
        if "/calamari_py/" in trace.tb_frame.f_code.co_filename:
            values = trace.tb_frame.f_locals
            shown += [repr(value) for name, value in values.items() if name != "params"]
        trace = trace.tb_next
    assert "the-secret-template" not in "".join(shown)
