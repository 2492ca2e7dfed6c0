"""A kind that works itself: what it is given, what it says, and how it can end."""

from __future__ import annotations

import errno
import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calamari_py.aws import Parameter
from calamari_py.errors import (
    Cancelled,
    CloudError,
    IdentityError,
    Indeterminate,
    ManifestError,
    OutputNotWritable,
    Problem,
    StackFailed,
    Temporary,
    TimedOut,
)
from calamari_py.masking import Secret
from calamari_py.process import Command
from calamari_py.result import Outcome, StepResult
from calamari_py.runner import AdHocCommand
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import StepContext, StepOutcome, Wishes
from calamari_py.steps.script import ScriptKind
from tests.fakes import Running, prints, step_key_id, step_secrets
from tests.runner.own_work import Act, Errand, ErrandSpec, ends, raises
from tests.runner.world import DEV, HEAD, World

ERRAND = f"{HEAD}errand: {{what: stroll}}\n"
FINALLY = "finally: echo bye\n"
SECRET = "s3cr3t-of-an-errand"
CLOUD: Any = {"service": "cloudformation", "operation": "ExecuteChangeSet", "code": "Broken"}


def run(world: World, errand: Errand, *acts: Act, text: str = ERRAND, **options: Any) -> StepResult:
    """A run in which the kind does `acts`; the result document is written."""
    errand.acts = acts or errand.acts
    return world.run(text, result=world.folder / "result.json", **options)


def reports(do: Any) -> Act:
    """An execution that says something and succeeds."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        do(context.report)

    return act


# --- what it is given ---------------------------------------------------------------------------


def test_it_is_given_aws_a_clock_and_no_process(errand: Errand, world: World) -> None:
    """Region, account and limits are the step's; there is no environment and nothing was run."""
    world.aws.offset = timedelta(seconds=90)
    seen: dict[str, Any] = {}

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        seen["started"] = context.clock.monotonic()
        context.clock.sleep(30)
        seen["now"] = context.clock.now() - world.clock.now
        seen["spent"] = context.clock.monotonic() - seen["started"]
        seen["private"] = context.private.stat().st_mode & 0o777

    assert run(world, errand, act).exit_code == 0
    (context,) = errand.contexts
    aws = context.aws
    assert (aws.region, aws.account, aws.partition) == ("eu-west-1", "111111111111", "aws")
    assert seen == {"started": 0, "now": timedelta(seconds=90), "spent": 30, "private": 0o700}
    assert context.environment == {}
    assert context.clock.jitter() == 0.5
    assert world.child.commands == []
    assert list(world.private.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        pytest.param("", 3600.0, id="the kind's"),
        pytest.param("timeout: 90s\n", 90.0, id="the manifest's"),
    ],
)
def test_its_limit(written: str, limit: float, errand: Errand, world: World) -> None:
    """Where the manifest names no timeout the kind's own counts."""
    run(world, errand, text=ERRAND + written)
    assert errand.contexts[0].timeout == limit


def test_a_default_timeout_limits_a_process_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process door is handed the kind's limit where the manifest names none."""

    class Brief(ScriptKind):
        name = "brief"
        default_timeout = 77.0

    monkeypatch.setitem(STEP_KINDS, "brief", Brief())
    world.run(f"{HEAD}brief: echo\n")
    assert world.child.started[0].limits.timeout == 77.0
    (request,) = world.aws.requests()
    assert request.duration == 900


@pytest.mark.parametrize("timeout", ["5h", "5m"])
def test_its_credentials_are_renewed_and_asked_for_as_usual(
    timeout: str, errand: Errand, world: World
) -> None:
    """No limit of the step shortens what STS is asked for, and nothing is warned of."""
    held: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        for _ in range(8):
            held.append(context.credentials().access_key_id)
            context.clock.sleep(900)

    run(world, errand, act, text=f"{ERRAND}timeout: {timeout}\n")
    assert [request.duration for request in world.aws.requests()] == [3600] * 3
    assert list(dict.fromkeys(held)) == [step_key_id(number) for number in (1, 2, 3)]
    assert world.reporter.warnings == []
    assert world.reporter.told("identity")[0].renewed


def test_it_cannot_start_a_process(errand: Errand, world: World) -> None:
    """A kind that says that it starts none is held to it."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.run(Command(argv=("/bin/true",), environment={}, directory=Path("/")))

    assert run(world, errand, act).exit_code == 70
    assert world.child.commands == []


@pytest.mark.parametrize(
    ("head", "title"),
    [
        pytest.param("name: d\n", "d", id="name"),
        pytest.param(
            "name: a b/c\nproject: Päy\nenvironment: dev\ndeployment_id: '7'\n",
            "P-y-dev-a-b-c-7", id="all",
        ),
        pytest.param("name: 1st\n", "step-1st", id="begins with a digit"),
        pytest.param("name: '!!'\n", "step", id="nothing left"),
    ],
)  # fmt: skip
def test_its_title(head: str, title: str, errand: Errand, world: World) -> None:
    """The parts of the session name, fit for names that a kind makes up."""
    run(world, errand, text=f"{head}region: eu-west-1\nassume_role: {DEV}\nerrand: {{}}\n")
    assert errand.specs[0].title == title


def test_a_long_title_stays_apart(errand: Errand, world: World) -> None:
    """At most 90 characters, and two that begin alike are not the same."""
    for last in "ab":
        run(world, errand, text=f"name: {'x' * 100}{last}\n" + ERRAND.partition("\n")[2])
    one, other = (spec.title for spec in errand.specs)
    assert len(one) == len(other) == 90
    assert one != other


def test_a_call_is_made_again_with_new_credentials(errand: Errand, world: World) -> None:
    """Credentials that AWS calls expired are replaced, and the call is made once more."""
    expired = CloudError("expired", **{**CLOUD, "code": "ExpiredToken"})
    world.aws.answers["cloudformation:DescribeStacks"] = [expired, {"Stacks": []}]
    answers: list[Any] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        answers.append(context.aws.call("cloudformation", "DescribeStacks", {"StackName": "x"}))

    run(world, errand, act)
    assert answers == [{"Stacks": []}]
    callers = [call.caller for call in world.aws.calls if call.operation == "DescribeStacks"]
    assert callers == [step_key_id(1), step_key_id(2)]


# --- what it says -------------------------------------------------------------------------------


def test_what_it_says_is_masked(errand: Errand, world: World) -> None:
    """Lines, fields, facts, the ending and progress show no secret, also one that came later."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        say = context.report
        say.fact("early", {"deep": [SECRET, {SECRET: 1}], "at": world.clock.now})
        say.ending(f"{SECRET}: DONE")
        say.output("Early", f"is {SECRET}")
        say.hide(SECRET, "found")
        say.line(f"line {SECRET}", event="errand_line", fields={"value": [SECRET], "count": 3})
        say.line(f"plain {SECRET}")
        say.progress(50.0, f"at {SECRET}")
        say.warn(f"warn {SECRET}", f"cure {SECRET}")
        say.note(f"note {SECRET}")

    result = run(world, errand, act, outputs=None)
    assert world.reporter.told("detail") == [
        ("line ***", "errand_line", {"value": ["***"], "count": 3}),
        ("plain ***", "", {}),
    ]
    assert world.reporter.told("passing") == [(50.0, "at ***")]
    assert world.reporter.warnings == ["warn ***"]
    assert world.reporter.hints["warn ***"] == "cure ***"
    assert "note ***" in world.reporter.notes
    assert result.ending == "***: DONE"
    assert world.document()["details"] == {
        "early": {"deep": ["***", {"***": 1}], "at": "2026-03-01T09:30:00.000Z"}
    }
    assert result.outputs["Early"].sensitive
    assert SECRET not in world.reporter.text.replace(repr(result.outputs), "")
    assert SECRET not in (world.folder / "result.json").read_text()


def test_no_details_without_facts(errand: Errand, world: World) -> None:
    """The document has `details` only where there are any."""
    run(world, errand)
    assert "details" not in world.document()


@pytest.mark.parametrize(
    ("said", "value", "sensitive"),
    [
        pytest.param({}, "plain", False, id="plain"),
        pytest.param({"sensitive": True}, "a-new-secret", True, id="declared"),
        pytest.param({}, f"x{SECRET}y", True, id="holds a known secret"),
    ],
)
def test_outputs(
    said: dict[str, bool], value: str, sensitive: bool, errand: Errand, world: World
) -> None:
    """By the rules for a script's outputs: what is declared or known as a secret is sensitive."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.output("Name", value, **said)
        context.report.line(f"it is {value}")

    text = ERRAND + f"variables: {{P: {{value: {SECRET}, sensitive: true}}}}\n"
    result = run(world, errand, act, text=text)
    assert result.outputs["Name"].value == value
    assert result.outputs["Name"].sensitive is sensitive
    assert (value in world.reporter.told("detail")[0][0]) is not sensitive


def test_an_output_stays_sensitive(errand: Errand, world: World) -> None:
    """One that was declared sensitive once is masked with its next value, too."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.output("Name", "the-first-value", sensitive=True)
        context.report.output("Name", "the-next-value")
        context.report.line("it is the-next-value")

    assert run(world, errand, act).outputs["Name"].sensitive
    assert world.reporter.told("detail")[0][0] == "it is ***"


def test_a_secret_that_cannot_be_masked_is_said(errand: Errand, world: World) -> None:
    """A short value is not masked, and that is warned of at once."""
    run(world, errand, reports(lambda report: report.hide("ab", "Pin")))
    assert world.reporter.warnings == ["secret 'Pin' is too short to be masked (2 bytes)"]


def test_a_setback_fails_a_success(errand: Errand, world: World) -> None:
    """What went wrong after the work was done makes the step fail, with its words in the result."""
    act = reports(lambda report: report.setback("the policy was not set", "set it"))
    result = run(world, errand, act, text=ERRAND + FINALLY)
    assert (result.outcome, result.exit_code, result.exit_origin) == (Outcome.FAILED, 1, "calamari")
    assert world.reporter.hints["the policy was not set"] == "set it"
    assert [problem.message for problem in result.problems] == ["the policy was not set"]
    assert world.child.environments[0]["CALAMARI_OUTCOME"] == "failed"


def test_what_waits_is_said_in_time(errand: Errand, world: World) -> None:
    """What a renewal has to say comes with the next word or wait, not at the end."""
    world.aws.later_warnings = ("clock is off",)
    order: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:

        world.clock.advance(3000)
        world.aws.fail_at[2] = IdentityError("no token today")
        context.credentials()
        order.append("asked")
        context.clock.sleep(1)
        order.extend(world.reporter.warnings)

    run(world, errand, act)
    assert order[0] == "asked"
    assert any("could not be renewed: no token today" in warning for warning in order[1:])


def test_what_a_call_finds_odd_is_said(errand: Errand, world: World) -> None:
    """A clock that is off is warned of with the next word, and its call is not disturbed."""
    world.aws.answers["cloudformation:DescribeStacks"] = {"Stacks": []}
    said: list[list[str]] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        world.aws.later_warnings = ("the clock is off by 90 s",)
        context.aws.call("cloudformation", "DescribeStacks", {"StackName": "x"})
        said.append(list(world.reporter.warnings))
        context.report.line("next")
        said.append(list(world.reporter.warnings))

    run(world, errand, act)
    assert said == [[], ["the clock is off by 90 s"]]


# --- how it ends --------------------------------------------------------------------------------

STACK = StackFailed("Database could not be made", hint="see it", evidence=("then\tgone",), **CLOUD)


@pytest.mark.parametrize(
    ("act", "outcome", "code"),
    [
        pytest.param(ends(0), Outcome.SUCCEEDED, 0, id="success"),
        pytest.param(ends(9), Outcome.FAILED, 9, id="its own code"),
        pytest.param(raises(STACK), Outcome.FAILED, 1, id="stack failed"),
        pytest.param(raises(TimedOut("still waiting")), Outcome.TIMED_OUT, 124, id="timed out"),
        pytest.param(raises(Indeterminate("lost", **CLOUD)), Outcome.INDETERMINATE, 76,
                     id="indeterminate"),
        pytest.param(raises(Temporary("busy", **CLOUD)), Outcome.FAILED, 75, id="temporary"),
        pytest.param(raises(CloudError("denied", **CLOUD)), Outcome.FAILED, 1, id="refused"),
        pytest.param(raises(Cancelled(signal.SIGTERM)), Outcome.CANCELLED, 143, id="cancelled"),
        pytest.param(raises(ValueError("bug")), Outcome.FAILED, 70, id="defect"),
    ],
)  # fmt: skip
def test_how_it_ends(act: Act, outcome: Outcome, code: int, errand: Errand, world: World) -> None:
    """Each way to end has its outcome and code, in the file and for `finally`, which runs."""
    result = run(world, errand, act, text=ERRAND + FINALLY)
    assert (result.outcome, result.exit_code, result.exit_origin) == (outcome, code, "calamari")
    assert world.document()["outcome"] == outcome.value
    (environment,) = world.child.environments
    assert environment["CALAMARI_OUTCOME"] == outcome.value
    assert environment["CALAMARI_EXIT_CODE"] == str(code)
    assert environment["AWS_ACCESS_KEY_ID"] == step_key_id(2)
    assert "CALAMARI_ATTEMPT" not in environment


def test_a_failure_keeps_its_evidence(errand: Errand, world: World) -> None:
    """The message, the hint and the rows of evidence reach the reporter."""
    run(world, errand, raises(STACK))
    failure = world.reporter.failure
    assert failure.message == "Database could not be made"
    assert (failure.hint, failure.evidence) == ("see it", ("then\tgone",))


def test_a_late_problem_keeps_its_place(errand: Errand, world: World) -> None:
    """What only the work itself finds wrong with the manifest still has its line."""
    problem = Problem(path="errand.what", message="is nowhere")
    assert run(world, errand, raises(ManifestError([problem]))).exit_code == 65
    assert world.reporter.failure.problems[0].place == "step.yaml:4:16"


def test_what_was_reported_stands_whatever_comes_then(errand: Errand, world: World) -> None:
    """A failure does not take back that something was changed, nor facts, ending and outputs."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.changed()
        context.report.fact("status", "UPDATE_FAILED")
        context.report.ending("my-stack: UPDATE_FAILED")
        context.report.output("StackId", "arn")
        raise STACK

    result = run(world, errand, act)
    assert result.changed is True
    assert result.details == {"status": "UPDATE_FAILED"}
    assert result.ending == "my-stack: UPDATE_FAILED"
    assert result.outputs["StackId"].value == "arn"


@pytest.mark.parametrize("changed", [True, False, None])
def test_changed_is_its_own_word(changed: bool | None, errand: Errand, world: World) -> None:
    """The outcome's word stands in the result."""
    assert run(world, errand, ends(changed=changed)).changed is changed


# --- signals and readers ------------------------------------------------------------------------


def test_a_signal_ends_any_wait_and_later_ones_wait(errand: Errand, world: World) -> None:
    """The first signal raises Cancelled; while the kind unwinds others do not; the code is the
    first's; `finally` runs."""
    unwound: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            context.clock.sleep(3600)
        except Cancelled:
            signal.raise_signal(signal.SIGINT)
            context.report.warn("CloudFormation goes on")
            unwound.append("calm")
            raise

    result = run(world, errand, act, text=ERRAND + FINALLY, install_signals=True)
    assert unwound == ["calm"]
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 143)
    assert world.reporter.warnings == ["CloudFormation goes on"]
    assert [env["CALAMARI_OUTCOME"] for env in world.child.environments] == ["cancelled"]


@pytest.mark.parametrize("swallows", [True, False], ids=["swallowed", "another error"])
def test_a_signal_is_why_whatever_comes_of_it(swallows: bool, errand: Errand, world: World) -> None:
    """A kind that fails on its way out, or forgets to pass the signal on, was cancelled."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Cancelled:
            if not swallows:
                raise CloudError("CancelUpdateStack is denied", **CLOUD) from None

    result = run(world, errand, act, install_signals=True)
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 143)
    said = ["CancelUpdateStack is denied, after the signal to stop"]
    assert world.reporter.warnings == ([] if swallows else said)


def test_a_reader_that_went_away_stops_it_once(errand: Errand, world: World) -> None:
    """A closed pipe cancels the work; what the kind still says is lost, and costs nothing."""
    unwound: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        try:
            context.report.line("x")
        except Cancelled:
            context.report.line("y")
            context.warn("z")
            unwound.append("calm")
            raise

    world.reporter.fail_on["detail"] = world.reporter.fail_on["warning"] = BrokenPipeError()
    result = run(world, errand, act, text=ERRAND + FINALLY)
    assert unwound == ["calm"]
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 141)
    assert len(world.child.commands) == 1


def test_a_full_disk_stops_it_once(errand: Errand, world: World) -> None:
    """Output that cannot be written fails the step, and unwinding is not hit by it again."""
    unwound: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        try:
            context.report.line("x")
        except OutputNotWritable:
            context.report.line("y")
            unwound.append("calm")
            raise

    world.reporter.fail_on["detail"] = OutputNotWritable("no space")
    result = run(world, errand, act)
    assert unwound == ["calm"]
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 1)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Cancelled(signal.SIGTERM), id="cancelled"),
        pytest.param(TimedOut("over"), id="timed out"),
        pytest.param(Indeterminate("lost", **CLOUD), id="indeterminate"),
        pytest.param(STACK, id="failed"),
        pytest.param(ValueError("bug"), id="defect"),
    ],
)
def test_the_last_that_was_told_is_kept(error: BaseException, errand: Errand, world: World) -> None:
    """Whatever ends the step: the result and the closing line hold the last status it told."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        for status in ("UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"):
            context.report.fact("status", status)
            context.report.ending(f"app: {status}")
        context.report.output("Url", "x")
        context.report.changed()
        raise error

    result = run(world, errand, act, text=ERRAND + AGAIN)
    assert (result.ending, result.changed) == ("app: UPDATE_IN_PROGRESS", True)
    assert result.outputs["Url"].value == "x"
    document = world.document()
    assert (document["details"], document["changed"]) == ({"status": "UPDATE_IN_PROGRESS"}, True)


# --- retry --------------------------------------------------------------------------------------

BUSY = Temporary("AWS is busy", **CLOUD)
AGAIN = "retry: {attempts: 3, delay: 40s, on_exit_codes: [75, 9, 124]}\n"


@pytest.mark.parametrize(
    ("acts", "executions", "code", "waited"),
    [
        pytest.param((raises(BUSY), ends(0)), 2, 0, 40, id="error"),
        pytest.param((ends(9), raises(BUSY), ends(0)), 3, 0, 80, id="code, then error"),
        pytest.param((raises(BUSY),), 3, 75, 80, id="never works"),
        pytest.param((raises(STACK),), 1, 1, 0, id="another code"),
        pytest.param((raises(TimedOut("over")),), 1, 124, 0, id="its time is over"),
    ],
)
def test_retry(
    acts: tuple[Act, ...], executions: int, code: int, waited: int, errand: Errand, world: World
) -> None:
    """Attempts by exit code, an error's too; what has taken all its time is not repeated."""
    started = world.clock.now
    result = run(world, errand, *acts, text=ERRAND + AGAIN)
    assert len(errand.specs) == executions
    assert result.exit_code == code
    assert (world.clock.now - started).total_seconds() == waited
    assert len(result.attempts) == executions


def test_a_failed_attempt_says_why_and_leaves_nothing(errand: Errand, world: World) -> None:
    """Its error is in the warning; its outputs, facts and ending are not the step's; that it
    changed something is."""

    def first(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.output("Old", "x")
        context.report.fact("old", 1)
        context.report.ending("old")
        context.report.changed()
        raise BUSY

    result = run(world, errand, first, ends(changed=False), text=ERRAND + AGAIN)
    assert world.reporter.warnings == [
        "attempt 1 of 3 ended with code 75 (AWS is busy); the next begins in 40 s"
    ]
    assert (result.outputs, result.details, result.ending) == ({}, {}, None)
    assert result.changed is True
    assert [attempt.exit_code for attempt in result.attempts] == [75, 0]


def test_a_setback_of_a_repeated_attempt_is_not_the_steps(errand: Errand, world: World) -> None:
    """It was said when it happened; what is in the result is what the step ended with."""

    def first(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.setback("the policy was not set", "set it")
        raise BUSY

    def last(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.setback("the outputs were not read", "read them")

    result = run(world, errand, first, last, text=ERRAND + AGAIN)
    assert [problem.message for problem in result.problems] == ["the outputs were not read"]
    assert "the policy was not set" in world.reporter.hints


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "path", "place"),
    [
        pytest.param("idle_timeout: 5m\n", "idle_timeout", "step.yaml:5:15", id="idle_timeout"),
        pytest.param("grace: 5s\n", "grace", "step.yaml:5:8", id="grace"),
        pytest.param("output_limit: 1MB\n", "output_limit", "step.yaml:5:15", id="output_limit"),
        pytest.param("service_messages: true\n", "service_messages", "step.yaml:5:19",
                     id="service_messages"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_process_is_refused(
    more: str, path: str, place: str, errand: Errand, world: World
) -> None:
    """A key that could mean nothing is a problem with its place, before any call."""
    assert run(world, errand, text=ERRAND + more).exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert (problem.path, problem.place) == (path, place)
    assert "'errand' calls AWS itself" in problem.message or "starts none" in problem.message
    assert problem.hint
    assert world.aws.calls == []


def test_finally_has_a_process(errand: Errand, world: World) -> None:
    """What is said of output and environment counts for `finally`: nothing is refused or odd."""
    more = (
        "output_limit: 1MB\nservice_messages: true\nenv: {A: b}\ninherit_env: false\n"
        "credentials: {delivery: env}\n"
    )
    assert run(world, errand, text=ERRAND + more + FINALLY).exit_code == 0
    assert world.reporter.warnings == []


@pytest.mark.parametrize(
    ("more", "key", "place"),
    [
        pytest.param("env: {A: b}\n", "env", "5:6", id="env"),
        pytest.param("inherit_env: [A]\n", "inherit_env", "5:14", id="inherit_env"),
        pytest.param("credentials: {delivery: profile}\n", "credentials.delivery", "5:25",
                     id="delivery"),
    ],
)  # fmt: skip
def test_what_only_work_by_hand_reads_is_said(
    more: str, key: str, place: str, errand: Errand, world: World
) -> None:
    """It does nothing in a run, and is no mistake: `exec` and `shell` start a process."""
    assert run(world, errand, text=ERRAND + more).exit_code == 0
    (warning,) = world.reporter.warnings
    assert warning == (
        f"step.yaml:{place}: '{key}' does nothing here: 'errand' starts no process; it counts for "
        "'finally', and for calamari exec and shell"
    )
    assert world.journal.index("warning") < world.journal.index("AssumeRole")


def test_they_are_told_with_all_other_problems(errand: Errand, world: World) -> None:
    """A manifest that is not valid anyway hears of them, too."""
    run(world, errand, text=ERRAND + "idle_timeout: 5m\nnonsense: 1\n")
    paths = {problem.path for problem in world.reporter.failure.problems}
    assert paths == {"idle_timeout", "nonsense"}


@pytest.mark.parametrize(
    ("action", "found"),
    [
        pytest.param(None, {"nonsense", "errand.what"}, id="the section's"),
        pytest.param("look", {"nonsense"}, id="the caller's"),
    ],
)
def test_problems_are_those_of_the_action(
    action: str | None, found: set[str], errand: Errand, world: World
) -> None:
    """What the asked-for action does not need is not missed, whatever else is wrong."""
    text = f"{HEAD}errand: {{what: ''}}\nnonsense: 1\n"
    run(world, errand, text=text, wishes=Wishes(action=action))
    assert {problem.path for problem in world.reporter.failure.problems} == found


def test_no_account_is_refused(errand: Errand, world: World) -> None:
    """A step that calls AWS needs somebody to call it as."""
    text = "name: d\naccount: none\nregion: eu-west-1\nerrand: {}\n"
    assert run(world, errand, text=text).exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert (problem.path, problem.place) == ("account", "step.yaml:2:10")


def test_work_by_hand_reads_it(errand: Errand, world: World) -> None:
    """A command in the step's place is a process, with the environment that the manifest gives."""
    adhoc = AdHocCommand(argv=("sh",), directory=world.folder)
    assert run(world, errand, text=ERRAND + "env: {A: b}\n", command=adhoc).exit_code == 0
    assert world.reporter.warnings == []
    assert world.child.environments[0]["A"] == "b"


@pytest.mark.parametrize(
    "head", [f"name: d\nassume_role: {DEV}\n", "name: d\n"], ids=["with a role", "without"]
)
def test_a_region_is_needed(head: str, errand: Errand, world: World) -> None:
    """Without one nothing is called."""
    assert run(world, errand, text=f"{head}errand: {{}}\n").exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert problem.path == "region"
    assert problem.hint
    assert world.aws.calls == []
    assert errand.specs == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"interactive": True}, "--interactive", id="interactive"),
        pytest.param({"terminal": True, "terminal_asked": True}, "--pty on", id="pty"),
        pytest.param({"no_mask": True}, "--no-mask", id="no-mask"),
        pytest.param({"wishes": Wishes(action="fly")}, "'fly' is no action", id="action"),
    ],
)
def test_refused_options(options: dict[str, Any], named: str, errand: Errand, world: World) -> None:
    """An option that the kind has no use for is a mistake on the command line."""
    assert run(world, errand, **options).exit_code == 2
    assert named in world.reporter.failure.message
    assert world.reporter.failure.hint
    assert world.aws.calls == []


def test_an_option_is_refused_before_the_machine(
    errand: Errand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be isolated, such a step is told that there is nothing to isolate."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert run(world, errand, isolate=True).exit_code == 2
    assert world.reporter.failure.message.startswith("--isolate is for steps that start a process")


def test_the_legal_actions_are_named(errand: Errand, world: World) -> None:
    """Who mistypes an action is told which there are."""
    run(world, errand, wishes=Wishes(action="fly"))
    assert world.reporter.failure.hint == "choose one of: go, look"


def test_a_terminal_that_nobody_asked_for_is_none(errand: Errand, world: World) -> None:
    """`--pty auto` on a terminal means nothing to such a step."""
    assert run(world, errand, terminal=True).exit_code == 0


@pytest.mark.parametrize(
    ("options", "named", "hint"),
    [
        pytest.param({"wishes": Wishes(action="go")}, "--action", "leave it out", id="action"),
        pytest.param({"wishes": Wishes(dry_run=True)}, "--dry-run", "calamari explain",
                     id="dry run"),
        pytest.param({"fail_on_no_change": True}, "--fail-on-no-change", "leave it out",
                     id="no change"),
        pytest.param({"detailed_exitcode": True}, "--detailed-exitcode", "leave it out",
                     id="exit code"),
        pytest.param({"wishes": Wishes(resume="arn:x#1")}, "--resume", "leave it out", id="resume"),
    ],
)  # fmt: skip
def test_a_script_has_none_of_them(
    options: dict[str, Any], named: str, hint: str, errand: Errand, world: World
) -> None:
    """What only other kinds know is refused for a script, before any call."""
    result = world.run(f"{HEAD}script: echo\n", **options)
    assert result.exit_code == 2
    assert named in world.reporter.failure.message
    assert hint in (world.reporter.failure.hint or "")
    assert world.aws.calls == []


# --- what is asked of it ------------------------------------------------------------------------


def test_wishes_reach_the_kind(errand: Errand, world: World) -> None:
    """The caller's action replaces the section's own, and a rehearsal is one."""
    run(world, errand, text=ERRAND)
    run(world, errand, wishes=Wishes(action="look", dry_run=True))
    assert [(spec.action, spec.dry_run) for spec in errand.specs] == [("go", False), ("look", True)]


def test_an_operation_to_go_on_with_reaches_the_kind(errand: Errand, world: World) -> None:
    """As it was given; what it means is the kind's to say."""
    run(world, errand, wishes=Wishes(resume="arn:x#1"))
    assert errand.specs[0].resume == "arn:x#1"


def test_a_kind_that_cannot_go_on_refuses_it(
    errand: Errand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a kind calls AWS itself does not say that it has operations to go on with."""
    monkeypatch.setattr(errand, "resumes", False, raising=False)
    assert run(world, errand, wishes=Wishes(resume="arn:x#1")).exit_code == 2
    assert world.reporter.failure.message == "--resume is not for steps of kind 'errand'"
    assert world.aws.calls == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param(False, 1, id="nothing changed"),
        pytest.param(True, 0, id="something changed"),
        pytest.param(None, 0, id="nobody knows"),
    ],
)
def test_fail_on_no_change(changed: bool | None, code: int, errand: Errand, world: World) -> None:
    """A success that changed nothing is a failure for those who asked, and `finally` hears it."""
    result = run(
        world, errand, ends(changed=changed), text=ERRAND + FINALLY, fail_on_no_change=True
    )
    assert result.exit_code == code
    assert world.child.environments[0]["CALAMARI_EXIT_CODE"] == str(code)
    told = [problem.message for problem in result.problems]
    assert told == (["the step changed nothing, and --fail-on-no-change says that it has to"]
                    if code else [])  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        pytest.param(StepOutcome(code=0, changed=True), 2, id="changed"),
        pytest.param(StepOutcome(code=0, changed=False), 0, id="unchanged"),
        pytest.param(StepOutcome(code=0, changed=None), 0, id="nobody knows"),
        pytest.param(StepOutcome(code=0, changed=None, pending=True), 2, id="something to change"),
        pytest.param(StepOutcome(code=3, changed=True), 3, id="failed"),
    ],
)
def test_detailed_exitcode(outcome: StepOutcome, code: int, errand: Errand, world: World) -> None:
    """A success with changes has a code of its own and stays a success; `finally` hears it."""
    result = run(
        world, errand, lambda _spec, _context: outcome, text=ERRAND + FINALLY,
        detailed_exitcode=True,
    )  # fmt: skip
    assert (result.exit_code, result.outcome) == (code, "failed" if code == 3 else "succeeded")
    assert result.exit_origin == "calamari"
    assert world.child.environments[0]["CALAMARI_EXIT_CODE"] == str(code)
    assert world.document().get("pending", False) is outcome.pending
    assert result.problems == ()


def test_a_finally_that_fails_after_changes_is_a_failure(errand: Errand, world: World) -> None:
    """The code for changes is one of success, and hides nothing."""
    errand.acts = (ends(changed=True),)
    result = world.run(ERRAND + FINALLY, prints(b"", code=9), detailed_exitcode=True)
    assert (result.exit_code, result.outcome) == (1, "failed")


# --- what it knows before -----------------------------------------------------------------------


def test_secrets_of_a_section_are_masked(errand: Errand, world: World) -> None:
    """What a kind calls a secret is one, from the first line on."""
    act = reports(lambda report: report.line(f"it is {SECRET}"))
    run(world, errand, act, text=f"{HEAD}errand: {{password: {SECRET}}}\n")
    assert world.reporter.told("detail")[0][0] == "it is ***"


def test_a_secret_that_is_fetched_late(errand: Errand, world: World) -> None:
    """Its value is masked once it is there; what stood for it until then is not."""
    world.aws.parameters["/p"] = Parameter(value=Secret(SECRET), sensitive=False)
    text = (
        f"{HEAD}variables: {{P: {{from_ssm: /p}}}}\n"
        "errand: {password: '{{ P }}', what: nothing}\n"
    )
    act = reports(lambda report: report.line(f"{SECRET} (not fetched yet)"))
    run(world, errand, act, text=text)
    assert world.reporter.told("detail")[0][0] == "*** (not fetched yet)"
    assert world.reporter.warnings == ["errand: nothing is not much"]


def test_a_place_knows_whether_it_is_secret(errand: Errand, world: World) -> None:
    """A text that was made from a secret is known by its place."""
    text = HEAD + f"variables: {{P: {{value: {SECRET}, sensitive: true}}}}\nerrand: "
    run(world, errand, text=text + "{what: 'a {{ P }}'}\n")
    run(world, errand, text=text + "{what: plain}\n")
    assert [spec.is_secret for spec in errand.specs] == [True, False]


def test_a_rendered_file_is_no_secret_but_its_parts_are(errand: Errand, world: World) -> None:
    """Of a template that uses a secret the secret is masked, and the rest can be read."""

    def act(spec: ErrandSpec, context: StepContext) -> None:
        context.report.line(spec.section.what)

    variables = f"variables: {{P: {{value: {SECRET}, sensitive: true}}}}\n"
    run(world, errand, act, text=f"{HEAD}{variables}errand: {{render: true}}\n")
    (line, _, _) = world.reporter.told("detail")[0]
    assert line == "Resources: {Password: ***, Type: Thing}"
    assert "errand.what" not in world.reporter.text


def test_warnings_of_a_section_are_said_once(errand: Errand, world: World) -> None:
    """What a kind finds odd is said before anything is called."""
    run(world, errand, text=f"{HEAD}errand: {{what: nothing}}\n")
    assert world.reporter.warnings == ["errand: nothing is not much"]
    assert world.journal.index("warning") < world.journal.index("AssumeRole")


ROLE = "arn:aws:iam::999999999999:role/Service"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        pytest.param(f"roles: ['{DEV}']", 77, id="another role"),
        pytest.param("accounts: ['111111111111']", 77, id="another account"),
        pytest.param(f"roles: ['{DEV}', '{ROLE}']", 0, id="allowed"),
        pytest.param("regions: [eu-west-1]", 0, id="no limit on roles"),
    ],
)
def test_roles_of_a_section_are_the_operators_matter(
    policy: str, code: int, errand: Errand, world: World
) -> None:
    """A role that the step hands to AWS is held against the policy as one that it assumes."""
    world.write(f"{policy}\n", "ops.yaml")
    text = f"{HEAD}errand:\n  role_arn: {ROLE}\n"
    result = run(world, errand, text=text, policy=world.folder / "ops.yaml")
    assert result.exit_code == code
    if code:
        (problem,) = world.reporter.failure.problems
        assert (problem.path, problem.place) == ("errand.role_arn", "step.yaml:5:13")
        assert world.aws.calls == []


# --- finally ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param("", "AWS_SESSION_TOKEN", id="the script's"),
        pytest.param("credentials: {delivery: env}\n", "AWS_SESSION_TOKEN", id="the manifest's"),
    ],
)
def test_the_delivery_of_finally(
    manifest: str, expected: str, errand: Errand, world: World
) -> None:
    """`finally` is a script: its credentials come as a script's do, or as the manifest says."""
    run(world, errand, text=ERRAND + manifest + FINALLY)
    assert world.child.environments[0][expected] == step_secrets(2)[1]


def test_finally_adds_its_outputs(errand: Errand, world: World) -> None:
    """Outputs of the step and of `finally` are the step's."""

    def child(running: Running) -> int:
        running.publish("FromFinally=1\n")
        return 0

    errand.acts = (reports(lambda report: report.output("FromStep", "2")),)
    result = world.run(ERRAND + FINALLY, child)
    assert {name: output.value for name, output in result.outputs.items()} == {
        "FromStep": "2", "FromFinally": "1",
    }  # fmt: skip
