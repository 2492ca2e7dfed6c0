"""What a run's record gives out is masked, down to the names of secrets and the trace."""

from __future__ import annotations

import json

import pytest

from calamari_py.errors import CalamariError, CloudError, IdentityError, TraceRow
from calamari_py.masking import Masker, SecretRegistry
from calamari_py.runner.intake import Declared
from calamari_py.runner.record import RunRecord, failure_of, masked_trace
from tests.fakes import FrozenClock

SECRET = "hunter22-and-more"
ROW = TraceRow(
    source="environment", present=True, tried=True, result="failed", why=f"said '{SECRET}'"
)


@pytest.fixture
def registry() -> SecretRegistry:
    made = SecretRegistry()
    made.add(SECRET, name="Token")
    return made


def test_no_name_and_no_reason_in_the_masking_record(registry: SecretRegistry) -> None:
    """A name that a step chose, or a reason of the manifest, may hold a secret of another name."""
    clock = FrozenClock()
    registry.add("another-value", name=f"output {SECRET}")
    registry.add("ab", name=f"pin of {SECRET}")
    Masker(registry).feed(b"another-value\n")
    record = RunRecord(step="deploy", registry=registry, now=clock, started_at=clock())
    record.unmasked = {f"key of {SECRET}": f"mask: false (as {SECRET} is public)"}
    masking = record.result().to_document()["masking"]
    assert SECRET not in json.dumps(masking)
    assert masking["hits"] == {"output ***": 1}
    assert masking["unmasked"] == {
        "pin of ***": "is too short to be masked (2 bytes)",
        "key of ***": "mask: false (as *** is public)",
    }


def test_no_reason_in_the_trace(registry: SecretRegistry) -> None:
    """What a source of credentials said of itself is masked; the rest of its row stays."""
    (row,) = masked_trace((ROW,), registry)
    assert (row.source, row.result, row.why) == ("environment", "failed", "said '***'")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(
            IdentityError(SECRET, hint=SECRET, trace=(ROW,), evidence=(SECRET,)), id="identity"
        ),
        pytest.param(
            CloudError(
                SECRET,
                service="sts",
                operation="AssumeRole",
                code="Denied",
                hint=SECRET,
                trace=(ROW,),
                evidence=(SECRET,),
            ),
            id="cloud",
        ),
    ],
)
def test_no_part_of_a_failure(error: CalamariError, registry: SecretRegistry) -> None:
    """Message, hint, evidence and trace, whichever of them quotes a secret."""
    failure = failure_of(error, registry)
    assert failure.trace[0].why == "said '***'"
    told = [failure.message, failure.hint, *failure.evidence, *(row.why for row in failure.trace)]
    assert SECRET not in str(told)


def test_what_a_step_declared_is_in_no_repr() -> None:
    """An output set by a command may be sensitive, whatever the step said of it."""
    assert SECRET not in repr(Declared(outputs={"Url": SECRET}))
