"""FakeCloudFormation: the calls, as a step makes them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.fake_cloudformation import history as _history
from tests.fake_cloudformation import templates
from tests.fake_cloudformation.change_sets import Refused
from tests.fake_cloudformation.clock import JumpingClock, RunningClock
from tests.fake_cloudformation.endpoints import Endpoints, Params
from tests.fake_cloudformation.faults import SAID, Fault, cloud_error
from tests.fake_cloudformation.model import Design, FakeStack
from tests.fake_cloudformation.samples import ONE_BUCKET
from tests.fake_cloudformation.world import Script


@dataclass(frozen=True, kw_only=True)
class Called:
    """One call that came."""

    service: str
    operation: str
    params: Params
    at: float = 0.0
    budget: float | None = field(default=None, compare=False)


class FakeCloudFormation(Endpoints):
    """CloudFormation, with a little S3 and STS. Implements ``steps.base.AwsCalls``.

    `calls` are all calls in order, refused ones too; `faults` what goes wrong; `objects` what lies
    in S3, by bucket and key. `page_size` events, `change_page_size` changes make a page.
    `event_lag` and `status_lag` are seconds after which events and statuses can be seen.
    `decoded` are the plain texts of encoded authorization messages.
    """

    def __init__(
        self,
        clock: JumpingClock | RunningClock | None = None,
        *,
        region: str = "eu-west-1",
        account: str = "111111111111",
        session: str = "DeployRole/deploy",
    ) -> None:
        super().__init__(clock or JumpingClock(), region, account)
        self.region = region
        self.account: str | None = account
        self.partition = self.world.partition
        self.session_arn = f"arn:{self.partition}:sts::{account}:assumed-role/{session}"
        self.arn: str | None = self.session_arn
        self.role: str | None = None
        self.calls: list[Called] = []
        self.faults: list[Fault] = []
        self._tokens: dict[str, tuple[Params, dict[str, Any]]] = {}

    # ---- what a test says

    @property
    def objects(self) -> dict[tuple[str, str], bytes]:
        """What lies in S3."""
        return self.world.objects

    @property
    def stacks(self) -> dict[str, FakeStack]:
        """All stacks by id, deleted ones too."""
        return self.world.stacks

    @property
    def event_lag(self) -> float:
        """Seconds after which an event can be read."""
        return self.world.event_lag

    @event_lag.setter
    def event_lag(self, seconds: float) -> None:
        self.world.event_lag = seconds

    @property
    def skew(self) -> float:
        """Seconds that the times in AWS's answers are ahead of the clock."""
        return self.world.skew.total_seconds()

    @skew.setter
    def skew(self, seconds: float) -> None:
        self.world.skew = timedelta(seconds=seconds)

    def stack(self, name: str) -> FakeStack:
        """The stack of this name or id."""
        found = self.world.find(name)
        assert found is not None, f"no stack {name}"
        return found

    def script(
        self,
        logical_path: str,
        *,
        seconds: float = 10.0,
        fail: str | None = None,
        fail_rollback: str | None = None,
        fail_delete: str | None = None,
        replacement: str | None = None,
    ) -> None:
        """What happens to ``Data/Inner/Database`` from now on; see `Script`."""
        self.world.scripts[logical_path] = Script(
            seconds=seconds,
            fail=fail,
            fail_rollback=fail_rollback,
            fail_delete=fail_delete,
            replacement=replacement,
        )

    def upload(self, url_path: str, template: str | Mapping[str, Any]) -> str:
        """Put a template at ``bucket/key``; its URL."""
        bucket, _, key = url_path.partition("/")
        text = template if isinstance(template, str) else json.dumps(template)
        self.objects[bucket, key] = text.encode()
        return f"https://{bucket}.s3.{self.region}.amazonaws.com/{key}"

    def add_stack(
        self,
        name: str,
        *,
        status: str = "CREATE_COMPLETE",
        template: str | Mapping[str, Any] | None = None,
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        history: Sequence[str] | None = None,
        settles: tuple[float, str] | None = None,
        token: str | None = None,
        broken: Sequence[str] = (),
        protected: bool = False,
        drift: str = "NOT_CHECKED",
        role_arn: str | None = None,
        policy: str | None = None,
    ) -> FakeStack:
        """A stack that is there already. `history` are the statuses it went through (None: the
        usual way to `status`), a minute apart. One in progress stays so, or `settles` after so many
        seconds in a status. `broken` are the resources that a rollback or a deletion failed on,
        `token` is that of its last operation."""
        return _history.add(
            self.world,
            name,
            status=status,
            design=self._design(template, parameters, tags, role_arn),
            way=history,
            settles=settles,
            token=token,
            broken=broken,
            protected=protected,
            drift=drift,
            policy=policy,
        )

    def start_update(
        self,
        name: str,
        template: str | Mapping[str, Any],
        *,
        parameters: Mapping[str, str] | None = None,
        token: str | None = "Console-UpdateStack-0b9d",
    ) -> None:
        """Somebody else updates (or creates) a stack."""
        design = self._design(template, parameters, None, None)
        found = self.world.find(name)
        if found is None:
            found = self.world.make_stack(
                name, design, status="CREATE_IN_PROGRESS", parent=None, logical_id=""
            )
            self._operation(found, token).create()
            return
        self.change_sets.outdate(found)
        self._operation(found, token).update(design)

    def names(self) -> list[str]:
        """The operations that were called, in order."""
        return [called.operation for called in self.calls]

    def calls_of(self, operation: str) -> list[Params]:
        """The parameters of all calls of `operation`."""
        return [called.params for called in self.calls if called.operation == operation]

    # ---- AwsCalls

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """As the step's door to AWS: answers and errors."""
        try:
            return self.answer(service, operation, params, budget=budget)
        except Refused as refused:
            raise cloud_error(
                service, operation, refused.code, refused.message, subject=subject
            ) from None

    def answer(
        self, service: str, operation: str, params: Params, *, budget: float | None = None
    ) -> dict[str, Any]:
        """The answer; Refused as AWS refuses."""
        self.clock.catch_up()
        now = self.clock.monotonic()
        self.calls.append(
            Called(
                service=service,
                operation=operation,
                params=copy.deepcopy(dict(params)),
                at=now,
                budget=budget,
            )
        )
        fault = next((one for one in self.faults if one.strikes(operation, params, now)), None)
        if fault is not None and not fault.lost:
            raise self._failure(fault, service, operation, params)
        answer = self._once(service, operation, params)
        if fault is not None:
            raise self._failure(fault, service, operation, params)
        return answer

    def _failure(self, fault: Fault, service: str, operation: str, params: Params) -> BaseException:
        if callable(fault.error):
            return fault.error()
        if isinstance(fault.error, BaseException):
            return fault.error
        text = fault.message or self._said(fault.error, service, operation, params)
        return Refused(fault.error, text, fault)

    def _said(self, code: str, service: str, operation: str, params: Params) -> str:
        if code not in {"AccessDenied", "AccessDeniedException"}:
            return SAID.get(code, code)
        resource = (
            f"arn:{self.partition}:s3:::{params['Bucket']}"
            if service == "s3"
            else (
                f"arn:{self.partition}:cloudformation:{self.region}:{self.account}:stack/"
                f"{params.get('StackName', '*')}/*"
            )
        )
        return (
            f"User: {self.session_arn} is not authorized to perform: {service}:{operation} on "
            f"resource: {resource} because no identity-based policy allows the "
            f"{service}:{operation} action"
        )

    def _once(self, service: str, operation: str, params: Params) -> dict[str, Any]:
        """The same token for the same request again: nothing happens. A token that was used for
        another request is refused (nobody says whether AWS does so for every pair)."""
        token = params.get("ClientRequestToken")
        if token is None:
            return self.method(service, operation)(params)
        request = {"": operation, **params}
        known, answer = self._tokens.get(token, (request, None))
        if known != request:
            raise Refused("TokenAlreadyExistsException", "A client request token already exists")
        if answer is None:
            answer = self.method(service, operation)(params)
            self._tokens[token] = (request, answer)
        return answer

    def _design(
        self,
        template: str | Mapping[str, Any] | None,
        parameters: Mapping[str, str] | None,
        tags: Mapping[str, str] | None,
        role_arn: str | None,
    ) -> Design:
        written = template if template is not None else ONE_BUCKET
        text = written if isinstance(written, str) else json.dumps(written)
        read = templates.read(text)
        return Design(
            template=read,
            text=text,
            parameters=templates.parameter_values(read, parameters or {}, {}),
            tags=dict(tags or {}),
            role_arn=role_arn,
        )
