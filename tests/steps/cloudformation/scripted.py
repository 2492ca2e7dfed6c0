"""AWS by script: what is asked, in order, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calamari_py.errors import CloudError, Temporary
from calamari_py.steps.cloudformation.service.api import StackApi

REGION = "eu-west-1"
STACK_ID = f"arn:aws:cloudformation:{REGION}:111111111111:stack/my-app/1b2c"
CHANGE_SET_ID = f"arn:aws:cloudformation:{REGION}:111111111111:changeSet/calamari-ab12/77"

Answer = Mapping[str, Any] | BaseException


class ScriptedCalls:
    """An ``AwsCalls`` that gives `answers` in order: ``(operation, answer or error)``.

    `asked` are the calls that came, with their parameters.
    """

    region = REGION
    account: str | None = "111111111111"
    partition = "aws"
    arn: str | None = None
    role: str | None = None

    def __init__(self, *answers: tuple[str, Answer]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """The next answer."""
        self.asked.append((service, operation, params))
        assert self._answers, f"nobody expects {operation} {params}"
        expected, answer = self._answers.pop(0)
        assert operation == expected, f"{operation} {params} instead of {expected}"
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def is_done(self) -> bool:
        """Whether everything was asked."""
        return not self._answers

    @property
    def params(self) -> Mapping[str, Any]:
        """Those of the last call."""
        return self.asked[-1][2]


def scripted(*answers: tuple[str, Answer]) -> tuple[StackApi, ScriptedCalls]:
    """A StackApi that is answered so."""
    calls = ScriptedCalls(*answers)
    return StackApi(calls), calls


def refusal(
    code: str, text: str = "", *, operation: str = "X", service: str = "cloudformation", **more: Any
) -> CloudError:
    """An error as the door makes it."""
    return CloudError(
        f"{service}:{operation} was refused ({code})" + (f": {text}" if text else ""),
        service=service,
        operation=operation,
        code=code,
        hint="the door's hint",
        **more,
    )


def throttled() -> Temporary:
    """An error that passes."""
    return Temporary(
        "cloudformation:X failed for now (Throttling, 5 tries in 30 s): Rate exceeded",
        service="cloudformation",
        operation="X",
        code="Throttling",
    )
