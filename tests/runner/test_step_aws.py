"""StepAws: a step's own calls, with credentials that are renewed when AWS has forgotten them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from subprocess import run
from typing import Any

import pytest

from calamari_py.errors import CloudError, IdentityError, Temporary
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret
from calamari_py.runner.step_aws import StepAws
from calamari_py.steps.base import AwsCalls
from tests.fakes import FakeAws, refusal


def keys(number: int) -> AwsCredentials:
    return AwsCredentials(
        access_key_id=f"ASIA{number}", secret_access_key=Secret("some-secret-key")
    )


@dataclass
class Renewals:
    """A keeper: `renewed` gives the next keys, or raises what it is told to."""

    number: int = 1
    asked: int = 0
    error: IdentityError | None = None
    static: bool = False

    def current(self) -> AwsCredentials:
        return keys(self.number)

    def renewed(self) -> AwsCredentials:
        self.asked += 1
        if self.error is not None:
            raise self.error
        self.number += 0 if self.static else 1
        return keys(self.number)


@dataclass
class Room:
    aws: FakeAws = field(default_factory=FakeAws)
    renewals: Renewals = field(default_factory=Renewals)
    warned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calls: AwsCalls = StepAws(
            self.aws,
            current=self.renewals.current,
            renewed=self.renewals.renewed,
            warn=self.warned.append,
            region="eu-west-1",
            account="111111111111",
            partition="aws",
        )

    def describe(self) -> Mapping[str, Any]:
        return self.calls.call(
            "cloudformation", "DescribeStacks", {"StackName": "app"}, subject="stack 'app'"
        )

    def answer(self, *answers: Mapping[str, Any] | BaseException, head: bool = False) -> None:
        name = "s3:HeadObject" if head else "cloudformation:DescribeStacks"
        self.aws.answers[name] = list(answers)

    @property
    def callers(self) -> list[str]:
        return [call.caller for call in self.aws.calls]


@pytest.fixture
def room() -> Room:
    return Room()


STACKS = {"Stacks": [{"StackName": "app"}]}
EXPIRED = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"]
FORGOTTEN = [
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "UnrecognizedClientException",
]


def test_a_call_is_made_with_the_credentials_of_the_moment(room: Room) -> None:
    """They are asked for before each call, and none is kept."""
    room.answer(STACKS)
    assert room.describe() == STACKS
    room.renewals.number = 7
    room.describe()
    assert room.callers == ["ASIA1", "ASIA7"]
    assert room.renewals.asked == 0
    first = room.aws.calls[0]
    assert (first.service, first.asked) == ("cloudformation", {"StackName": "app"})
    assert (room.calls.region, room.calls.account, room.calls.partition) == (
        "eu-west-1",
        "111111111111",
        "aws",
    )


@pytest.mark.parametrize("code", EXPIRED)
def test_expired_credentials_are_renewed_and_the_call_made_once_more(room: Room, code: str) -> None:
    """Whether AWS has taken them before or not."""
    room.answer(refusal(code), STACKS)
    assert room.describe() == STACKS
    assert room.callers == ["ASIA1", "ASIA2"]


@pytest.mark.parametrize("code", FORGOTTEN)
def test_keys_that_aws_has_forgotten_are_renewed(room: Room, code: str) -> None:
    """They worked a moment ago: the call is made once more."""
    room.answer(STACKS, refusal(code), STACKS)
    room.describe()
    assert room.describe() == STACKS
    assert room.callers == ["ASIA1", "ASIA1", "ASIA2"]


@pytest.mark.parametrize("code", FORGOTTEN)
def test_keys_that_never_worked_are_wrong(room: Room, code: str) -> None:
    """Others of the same source would be, too."""
    room.answer(refusal(code))
    with pytest.raises(CloudError, match="not authorized") as caught:
        room.describe()
    assert caught.value.code == code
    assert room.renewals.asked == 0


def test_once_more_is_once(room: Room) -> None:
    """What new credentials are refused with is the caller's to know."""
    room.answer(refusal("ExpiredToken"))
    with pytest.raises(CloudError) as caught:
        room.describe()
    assert caught.value.code == "ExpiredToken"
    assert room.callers == ["ASIA1", "ASIA2"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(refusal("AccessDenied"), id="denied"),
        pytest.param(refusal("ValidationError"), id="not there"),
        pytest.param(
            Temporary("later", service="cloudformation", operation="X", code="Throttling"),
            id="throttled",
        ),
    ],
)
def test_other_refusals_are_the_callers(room: Room, error: CloudError) -> None:
    """Nothing is renewed, nothing asked twice."""
    room.answer(STACKS, error)
    room.describe()
    with pytest.raises(CloudError) as caught:
        room.describe()
    assert caught.value is error
    assert room.renewals.asked == 0


def test_a_renewal_that_fails_is_the_error(room: Room) -> None:
    """It says why; the refusal says only that there was need of one."""
    room.answer(refusal("ExpiredToken"))
    room.renewals.error = IdentityError("role 'x' cannot be assumed any more")
    with pytest.raises(IdentityError, match="cannot be assumed") as caught:
        room.describe()
    assert caught.value is room.renewals.error


def test_credentials_that_cannot_be_renewed_are_not_tried_twice(room: Room) -> None:
    """The same keys once more would be refused once more."""
    room.renewals.static = True
    room.answer(refusal("ExpiredToken"))
    with pytest.raises(CloudError) as caught:
        room.describe()
    assert caught.value.code == "ExpiredToken"
    assert room.callers == ["ASIA1"]


def test_head_says_nothing_of_expiry(room: Room) -> None:
    """S3 answers HEAD with expired credentials by a bare 400."""
    room.answer(STACKS)
    room.describe()
    silent = refusal("BadRequest", service="s3", operation="HeadObject")
    room.answer(silent, {"ETag": "e-1"}, head=True)
    answer = room.calls.call("s3", "HeadObject", {"Bucket": "b", "Key": "k"})
    assert answer == {"ETag": "e-1"}
    assert room.callers == ["ASIA1", "ASIA1", "ASIA2"]


@pytest.mark.process
def test_nothing_heavy_is_imported_before_the_first_call() -> None:
    """A script of a second does not pay for what it never calls."""
    code = (
        "import sys; import calamari_py.runner.step_aws; "
        "print([name for name in ('botocore', 'urllib3') if name in sys.modules])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
