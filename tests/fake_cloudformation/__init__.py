"""A CloudFormation for tests: it behaves as AWS does, in a time that jumps.

::

    fake = FakeCloudFormation()
    url = fake.upload("templates/data.json", DATABASE)
    fake.script("Data/Database", seconds=120, fail="The parameter … is not a valid password.")
    fake.faults.append(Fault(operation="DescribeStackEvents", error="Throttling", times=3))
    fake.clock.at(60, lambda: …)

`FakeCloudFormation` is the ``AwsCalls`` of a step, its `clock` the ``StepClock``; `calls` is what
was asked. Nested templates lie in its S3 (`upload`), at https URLs. `samples` has templates.
"""

from __future__ import annotations

from tests.fake_cloudformation.change_sets import NO_CHANGES, NO_UPDATES
from tests.fake_cloudformation.clock import START, JumpingClock, RunningClock
from tests.fake_cloudformation.faults import Fault
from tests.fake_cloudformation.model import FakeChangeSet, FakeEvent, FakeStack
from tests.fake_cloudformation.samples import DATABASE, ONE_BUCKET, big_stack, nested
from tests.fake_cloudformation.service import Called, FakeCloudFormation

__all__ = [
    "DATABASE",
    "NO_CHANGES",
    "NO_UPDATES",
    "ONE_BUCKET",
    "START",
    "Called",
    "FakeChangeSet",
    "FakeCloudFormation",
    "FakeEvent",
    "FakeStack",
    "Fault",
    "JumpingClock",
    "RunningClock",
    "big_stack",
    "nested",
]
