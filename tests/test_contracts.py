"""Every entry of every registry keeps what its protocol promises."""

from __future__ import annotations

import inspect
import io
import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec
import pytest

from calamari_py import manifest
from calamari_py.credentials import ACCOUNT_TYPES, SOURCES
from calamari_py.credentials.base import Absent, CredentialSource, SourceContext
from calamari_py.delivery import DELIVERIES, DeliveryContext
from calamari_py.environment import owned_names
from calamari_py.errors import Findings, TraceRow, UsageError
from calamari_py.identity import AwsCredentials
from calamari_py.manifest import Overrides
from calamari_py.manifest.types import Account, AccountType, CredentialSettings
from calamari_py.masking import Masked, MaskedBytes, Secret, SecretRegistry
from calamari_py.output import FORMATS
from calamari_py.output.base import (
    Failure,
    IdentityReport,
    MaskedProblem,
    Reporter,
    ReporterOptions,
    StepHeader,
)
from calamari_py.result import Outcome, OutputVariable, StepIdentity, StepResult
from calamari_py.runner.prepare import prepare_step
from calamari_py.runner.prepared import PreparedStep
from calamari_py.steps import FINALLY_SECTION, STEP_KINDS
from calamari_py.steps.base import StepKind, Wishes
from tests.fakes import START, FakeAws
from tests.runner.world import HEAD, World
from tests.steps.kubernetes.fakes import cluster_body
from tests.steps.kubernetes.world import acts_as_kubernetes
from tests.steps.terraform.world import acts_as_terraform

# --- step kinds ---------------------------------------------------------------------------------

SAMPLES: dict[str, str] = {
    "script": "script: {run: 'echo {{ Token }}', render: true, args: [plain]}\n",
    "cloudformation": "cloudformation: {stack_name: contract, template: template.json,"
    " parameters: {Password: '{{ Token }}'}}\n",
    "stack_set": "stack_set: {name: contract, template: template.json,"
    " parameters: {Password: '{{ Token }}'}}\n",
    "terraform": "credentials: {delivery: env}\n"
    "terraform: {directory: infra, backend: {bucket: states, key: '{{ Token }}'},"
    " variables: {password: '{{ Token }}'}}\n",
    "kubectl": "credentials: {delivery: env}\n"
    "kubectl: {cluster: {eks: blue}, files: [secret.yaml], render: true, wait: false}\n",
    "helm": "credentials: {delivery: env}\n"
    "helm: {cluster: {eks: blue}, release: web, chart: chart, action: template,"
    " values: [{password: '{{ Token }}'}]}\n",
}
"""A section of every kind that uses the sensitive variable `Token` wherever it may stand."""

TEMPLATE = {
    "Parameters": {"Password": {"Type": "String", "NoEcho": True}},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
}

SECRET_OBJECT = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: '{{ Token }}'}
"""

SECRETS = (
    "variables:\n"
    "  Token: {value: s3cr3t-token-value, sensitive: true}\n"
    "  Made: {value: 'made-of-{{ Token }}'}\n"
    "env: {TOKEN: '{{ Token }}', MADE: '{{ Made }}'}\n"
)
KINDS = [pytest.param(name, id=name) for name in STEP_KINDS]
STARTING = [pytest.param(name, id=name) for name, kind in STEP_KINDS.items()
            if kind.starts_processes]  # fmt: skip
READING = [pytest.param(name, id=name) for name, kind in STEP_KINDS.items()
           if kind.reads_output]  # fmt: skip
OWN_WORK = [pytest.param(name, id=name) for name, kind in STEP_KINDS.items()
            if not kind.starts_processes]  # fmt: skip


_NOT_THERE: Any = object()


def has_protocol(entry: object, protocol: type) -> list[str]:
    """The members of `protocol` that `entry` lacks, or has with other parameters."""
    missing = []
    for name, member in vars(protocol).items():
        if name.startswith("_") or name == "from_environ":
            continue
        found = getattr(entry, name, _NOT_THERE)
        if found is _NOT_THERE:
            missing.append(name)
        elif inspect.isfunction(member):
            wanted = list(inspect.signature(member).parameters)[1:]
            given = list(inspect.signature(found).parameters)
            if wanted != given:
                missing.append(f"{name}({', '.join(given)})")
    return missing + [n for n in get_type_hints(protocol) if not hasattr(entry, n)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.write(json.dumps(TEMPLATE), "template.json")
    (made.folder / "infra").mkdir()
    made.write('resource "terraform_data" "a" {}', "infra/main.tf")
    (made.folder / "chart").mkdir()
    made.write("{apiVersion: v2, name: web, version: 1.0.0}", "chart/Chart.yaml")
    made.write(SECRET_OBJECT, "secret.yaml")
    for name in ("terraform", "kubectl", "helm"):
        (made.folder / "bin" / name).write_text("never run\n")
        (made.folder / "bin" / name).chmod(0o755)
    acts_as_terraform(made.child)
    acts_as_kubernetes(made.child)
    made.aws.answers["eks:DescribeCluster"] = {"cluster": cluster_body()}
    return made


def prepared(name: str, world: World, wishes: Wishes | None = None) -> PreparedStep:
    """The sample of a kind, as far as no call is needed."""
    world.write(HEAD + SECRETS + SAMPLES[name])
    return prepare_step(
        manifest.read_source("step.yaml", stdin=io.BytesIO(), cwd=world.folder),
        environ=world.environ,
        cwd=world.folder,
        overrides=Overrides(),
        registry=SecretRegistry(),
        wishes=wishes,
    )


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_a_kind(name: str) -> None:
    """Its name is its key; it has every member of the protocol; what it promises is written."""
    kind = STEP_KINDS[name]
    assert kind.name == name
    assert has_protocol(kind, StepKind) == []
    assert kind.default_grace >= 0
    assert len({*kind.actions}) == len(kind.actions)
    for documented in (type(kind), kind.parse, kind.environment, kind.preview, kind.execute):
        assert inspect.getdoc(documented)
    assert inspect.getdoc(inspect.getmodule(type(kind)))


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_a_sample(name: str) -> None:
    """A new kind brings its sample: the tests below are about it, too."""
    assert name in SAMPLES


def structs_of(type_: Any) -> Iterator[type[msgspec.Struct]]:
    """The structures among the forms of a section."""
    for form in get_args(type_) or (type_,):
        if isinstance(form, type) and issubclass(form, msgspec.Struct):
            yield form


@pytest.mark.parametrize("name", KINDS)
def test_a_sections_unknown_keys_are_refused_with_their_place(name: str, world: World) -> None:
    """A typing mistake in a section is found, with its line, and not passed over."""
    assert world.run(f"{HEAD}{name}:\n  nonsense_key: 1\n").exit_code == 65
    (problem,) = (p for p in world.reporter.failure.problems if "nonsense" in p.path)
    assert problem.path == f"{name}.nonsense_key"
    assert problem.place == "step.yaml:5:3"
    assert world.aws.calls == []


@pytest.mark.parametrize("name", STARTING)
def test_no_secret_in_any_argument(name: str, world: World) -> None:
    """Whatever a kind runs: no sensitive variable and no credential is among its arguments."""
    result = world.run(HEAD + SECRETS + SAMPLES[name])
    assert result.exit_code == 0, world.reporter.text
    arguments = "\0".join(part for command in world.child.commands for part in command.argv)
    assert arguments
    environment = world.child.environments[0]
    for secret in (
        "s3cr3t-token-value",
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_SESSION_TOKEN"],
    ):
        assert secret not in arguments
    assert "s3cr3t-token-value" not in world.reporter.text


ARGUMENTS = [
    pytest.param(name, field, id=f"{name}.{field}")
    for name, kind in STEP_KINDS.items()
    for field in kind.argument_fields
]


NEEDED = {
    "kubectl": {"cluster": "{eks: blue}"},
    "helm": {"cluster": "{eks: blue}", "release": "web"},
}
"""Fields without which a section is none."""


def types_of(section: Any, field: str) -> list[Any]:
    """The types that a section's field may have; ``script.args`` is one of a part of it."""
    head, _, inner = field.partition(".")
    found = [get_type_hints(struct)[head] for struct in structs_of(section)
             if head in struct.__struct_fields__]  # fmt: skip
    return [one for type_ in found for one in types_of(type_, inner)] if inner else found


def is_list(section: Any, field: str) -> bool:
    """Whether a section's field takes a list."""
    return any(
        tuple in {get_origin(form) for form in (type_, *get_args(type_))}
        for type_ in types_of(section, field)
    )


@pytest.mark.parametrize(("name", "field"), ARGUMENTS)
def test_argument_fields_exist(name: str, field: str) -> None:
    """A field that becomes an argument is a field of the section."""
    assert types_of(STEP_KINDS[name].section, field)


@pytest.mark.parametrize(("name", "field"), ARGUMENTS)
def test_a_secret_in_an_argument_is_refused(name: str, field: str, world: World) -> None:
    """Everybody on the machine could read it: nothing is started, and the place is named."""
    written, place = "'{{ Token }}'", f"{name}.{field}"
    if is_list(STEP_KINDS[name].section, field):
        written, place = f"[plain, {written}]", f"{place}[1]"
    token = "variables: {Token: {value: s3cr3t, sensitive: true}}\n"
    head, _, inner = field.partition(".")
    said = f"{token}{name}:\n  {head}: {f'{{{inner}: {written}}}' if inner else written}\n"
    said += "".join(f"  {key}: {value}\n" for key, value in NEEDED.get(name, {}).items()
                    if key != head)  # fmt: skip
    assert world.run(HEAD + said).exit_code == 65
    (problem,) = (p for p in world.reporter.failure.problems if "command line" in p.message)
    assert (problem.path, problem.place.rpartition(":")[0]) == (place, "step.yaml:6")
    assert world.child.started == []
    assert "s3cr3t" not in world.reporter.text


@pytest.mark.parametrize("name", STARTING)
def test_commands_are_absolute_and_complete(name: str, world: World) -> None:
    """A program is named by its absolute path, and its environment has the step's credentials."""
    world.run(HEAD + SECRETS + SAMPLES[name])
    assert world.child.commands
    for command in world.child.commands:
        assert Path(command.argv[0]).is_absolute()
        assert command.directory.is_absolute()
        assert command.environment["AWS_SESSION_TOKEN"]
        assert command.environment["PATH"]


@pytest.mark.parametrize("name", STARTING)
def test_a_preview_is_what_runs(name: str, world: World) -> None:
    """The commands that a kind foresees are the ones that it runs, in order."""
    world.run(HEAD + SECRETS + SAMPLES[name])
    step = prepared(name, world)
    foreseen = step.kind.preview(step.spec)
    assert len(foreseen) == len(world.child.commands)
    for planned, command in zip(foreseen, world.child.commands, strict=True):
        assert planned.directory == command.directory
        for word, ran in zip(planned.argv, command.argv, strict=True):
            shape = re.escape(word).replace(re.escape("{private}"), "/.+")
            assert re.fullmatch(shape, ran), (word, ran)


@pytest.mark.parametrize("name", STARTING)
def test_a_kind_owns_no_name_of_the_identity(name: str, world: World) -> None:
    """A kind's own names never replace credentials, account or region."""
    world.run(HEAD + SECRETS + SAMPLES[name])
    assert world.child.commands
    environment = world.child.environments[0]
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIASTEP")


@pytest.mark.parametrize("name", KINDS)
def test_a_section_has_a_schema(name: str) -> None:
    """Editors know the section: its schema is closed and says what it is."""
    sections = {key: kind.section for key, kind in STEP_KINDS.items()}
    schema = manifest.schema(sections, FINALLY_SECTION)
    assert name in schema["properties"]
    for struct in structs_of(STEP_KINDS[name].section):
        definition = schema["$defs"][struct.__name__]
        assert definition["additionalProperties"] is False
        assert definition["description"]
        assert struct.__struct_config__.forbid_unknown_fields
        assert struct.__struct_config__.frozen


@pytest.mark.parametrize("name", OWN_WORK)
def test_what_starts_nothing_says_what_it_does(name: str, world: World) -> None:
    """In the place of commands it has sentences, no argument of any process, and an end."""
    step = prepared(name, world)
    assert step.kind.preview(step.spec) == ()
    assert step.kind.argument_fields == ()
    assert step.kind.intentions(step.spec)
    assert step.timeout is not None
    assert step.timeout > 0


@pytest.mark.process
def test_what_no_script_needs_is_not_loaded() -> None:
    """A run of a script pays for the sections of the other kinds and for nothing they do."""
    program = (
        "import sys, calamari_py.runner\n"
        "print(*(m for m in sys.modules if m.startswith('calamari_py.steps.')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    last_names = {module.rpartition(".")[2] for module in ended.stdout.split()}
    assert last_names <= {"base", "script", "kind", "sections", "cloudformation", "sets",
                          "terraform", "kubernetes", "cluster_kind", "kubectl", "helm",
                          "_script"}  # fmt: skip


@pytest.mark.parametrize("name", READING)
def test_what_is_read_is_shown_by_nobody_else(name: str, world: World) -> None:
    """Whatever the caller's terminal is: no command has one, none reads our input, each is watched
    with all that it starts, and what would show their output as it comes is refused."""
    kind = STEP_KINDS[name]
    assert kind.starts_processes
    assert world.run(HEAD + SECRETS + SAMPLES[name], terminal=True).exit_code == 0
    for command in world.child.commands:
        assert (command.stdin, command.terminal) == ("null", False)
        assert command.marker in command.environment
    said = SECRETS + SAMPLES[name]
    for asked in ("interactive", "terminal_asked", "no_mask"):
        options = cast("dict[str, Any]", {asked: True})
        assert world.run(f"{HEAD}allow_no_mask: true\n{said}", **options).exit_code == 2
    for key in ("output_limit: 1MB", "service_messages: true"):
        assert world.run(f"{HEAD}{key}\n{said}").exit_code == 65


@pytest.mark.parametrize("name", KINDS)
def test_names_that_a_kind_keeps_to_itself(name: str, world: World) -> None:
    """What it scrubs reaches no child; what it owns is refused under `env`, with advice."""
    step = prepared(name, world)
    asked = step.kind.environment(step.spec)
    owned = [pattern.replace("*", "X") for pattern in asked.owned]
    assert all(asked.owned.values())
    said = SECRETS + SAMPLES[name]
    for own in owned:
        world.reporter.events.clear()
        theirs = said.replace("env: {", f"env: {{{own}: x, ")
        assert world.run(HEAD + theirs).exit_code == 65
        assert [problem.path for problem in world.reporter.failure.problems] == [f"env.{own}"]
    world.environ |= {
        pattern.replace("*", "X"): "evil" for pattern in asked.scrub if "!" not in pattern
    }
    world.run(HEAD + SECRETS + SAMPLES[name])
    assert all("evil" not in environment.values() for environment in world.child.environments)


@pytest.mark.parametrize("name", OWN_WORK)
def test_what_starts_nothing_is_told_of_no_process(name: str, world: World) -> None:
    """What a manifest says of a process is refused with its place, and nothing is called."""
    result = world.run(f"{HEAD}idle_timeout: 5m\n{SECRETS}{SAMPLES[name]}")
    assert result.exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert (problem.path, problem.place) == ("idle_timeout", "step.yaml:4:15")
    assert world.aws.calls == []


@pytest.mark.parametrize(
    ("name", "action"),
    [
        pytest.param(name, action, id=f"{name} {action}")
        for name, kind in STEP_KINDS.items()
        for action in kind.actions
    ],
)
def test_an_action_replaces_the_sections(name: str, action: str, world: World) -> None:
    """Every action can be asked for, and is what the step would do; one that needs more than the
    sample says so as a problem of the manifest."""
    found = Findings()
    with found:
        assert prepared(name, world, Wishes(action=action)).spec.action == action
    assert all(problem.path.startswith(name) for problem in found.problems)


@pytest.mark.parametrize("name", KINDS)
def test_wishes_of_other_kinds_are_usage_errors(name: str, world: World) -> None:
    """An unknown action, and what the kind cannot do, are mistakes on the command line."""
    kind = STEP_KINDS[name]
    refused = [Wishes(action="no-such-action")]
    refused += [] if kind.rehearses else [Wishes(dry_run=True)]
    refused += [] if kind.resumes else [Wishes(resume="x")]
    for wishes in refused:
        with pytest.raises(UsageError) as raised:
            prepared(name, world, wishes)
        assert raised.value.hint
        if wishes.action is not None:
            assert all(action in raised.value.hint for action in kind.actions)


@pytest.mark.parametrize("name", [name for name, kind in STEP_KINDS.items() if kind.rehearses])
def test_a_rehearsal_is_another_step(name: str, world: World) -> None:
    """Who rehearses is told so in its spec."""
    assert prepared(name, world, Wishes(dry_run=True)).spec != prepared(name, world).spec


# --- formats ------------------------------------------------------------------------------------

HOSTILE = [
    pytest.param("[bold red]x[/] [/] [link=file:///etc]", id="markup"),
    pytest.param("\x1b[2J\x1b]0;title\x07\x9b31m", id="terminal control"),
    pytest.param("a\r\nb\n::error::x\n##octopus[x]", id="lines and commands"),
    pytest.param("\x00\x01\x7f\u2028\u202e", id="control characters"),
    pytest.param("bytes \udcff\udc80", id="bytes that are no UTF-8"),
    pytest.param("half \ud800", id="half a character"),
    pytest.param("", id="empty"),
    pytest.param("x" * 20_000, id="long"),
    pytest.param("{x} %s %(y)s \\ \" '", id="format characters"),
]


def options(**changes: Any) -> ReporterOptions:
    plain = ReporterOptions(
        stdout=io.BytesIO(),
        stderr=io.BytesIO(),
        terminal=False,
        width=80,
        environ={"TERM": "xterm-256color"},
        verbose=True,
    )
    return replace(plain, **changes)


def tell_everything(reporter: Reporter, text: str) -> None:
    """Every method, with `text` wherever a text can stand."""
    masked = Masked(text)
    rows = (
        TraceRow(
            source="container", present=True, tried=True, result="broken", why=text, milliseconds=1
        ),
    )
    reporter.started(
        StepHeader(
            step=masked, kind="script", version="0.1.0", project=masked, environment=masked,
            deployment_id=masked,
        )
    )  # fmt: skip
    reporter.identity(
        IdentityReport(
            launcher=masked, launcher_arn=masked, launcher_source=masked, hops=(masked, masked),
            role=masked, account=masked, expected=True, region=masked, region_source=text,
            expires_at=START, seconds_left=-1.0, secrets=0,
        )
    )  # fmt: skip
    reporter.trace(rows)
    for stream in ("stdout", "stderr"):
        data = text.encode("utf-8", "surrogatepass") + b"\xff\xfe"
        reporter.output(cast("Any", stream), MaskedBytes(data))
    reporter.progress(None, masked)
    reporter.progress(1e9, masked)
    for percent in (None, 1e9, -1.0):
        reporter.progress(percent, masked, passing=True)
        reporter.detail(masked, "stack_event", {"text": text, text: [text]})
        reporter.detail(masked, "", {})
    for say in (reporter.note, reporter.highlight, reporter.warning):
        say(masked)
    problem = MaskedProblem(message=masked, path=masked, place=masked, hint=masked)
    reporter.failed(
        Failure(message=masked, hint=masked, problems=(problem,), trace=rows, evidence=(masked,))
    )
    reporter.finished(
        StepResult(
            step=masked,
            outcome=Outcome.FAILED,
            exit_code=255,
            exit_origin="child",
            started_at=START,
            ended_at=START - timedelta(seconds=1),
            identity=StepIdentity(launcher_arn=text, hops=(text,), arn=text, account=text),
            outputs={text: OutputVariable(value=text, sensitive=False)},
            artifacts=(text,),
            ending=masked,
            details={text: [text]},
        )
    )


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_format_is_a_reporter(name: str) -> None:
    """It has every method of the protocol, with the same parameters, each documented."""
    reporter = FORMATS[name](options())
    assert has_protocol(reporter, Reporter) == []
    for method, member in vars(Reporter).items():
        if inspect.isfunction(member) and not method.startswith("_"):
            assert inspect.getdoc(getattr(type(reporter), method)), method


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="piped"),
        pytest.param({"terminal": True}, id="terminal"),
        pytest.param({"terminal": True, "width": 1}, id="narrow"),
        pytest.param({"terminal": True, "width": 0, "environ": {}}, id="no width"),
        pytest.param({"encoding": "ascii"}, id="ascii"),
        pytest.param({"quiet": True}, id="quiet"),
    ],
)
def test_a_format_survives_every_text(name: str, text: str, how: Mapping[str, Any]) -> None:
    """Whatever it is told, a reporter neither raises nor sends a terminal our own controls."""
    told = options(**how)
    tell_everything(FORMATS[name](told), text)
    own = cast("io.BytesIO", told.stderr).getvalue()
    child = text.encode("utf-8", "surrogatepass") + b"\xff\xfe"
    assert b"\x1b[2J" not in own.replace(child, b"")


# --- credential sources -------------------------------------------------------------------------


def context(environ: Mapping[str, str] | None = None, **account: Any) -> SourceContext:
    return SourceContext(
        environ=environ or {},
        aws=FakeAws(),
        registry=SecretRegistry(),
        session_name="contract",
        account=Account(**account),
    )


def all_sources() -> dict[str, CredentialSource]:
    """Every source that any account type looks at."""
    return {source.name: source for type_ in ACCOUNT_TYPES.values() for source in type_.sources}


@pytest.mark.parametrize("name", list(all_sources()))
def test_a_source_is_a_source(name: str) -> None:
    """Its name is what the trace and `account.source` call it."""
    source = all_sources()[name]
    assert source.name == name
    assert has_protocol(source, CredentialSource) == []
    assert name not in SOURCES or SOURCES[name] is source


# Account type oidc always names its token: the manifest refuses it without.
SEARCHED = [name for name in all_sources() if name != "oidc"]

# Whether IMDS is there only a question can tell; the setting that forbids it must be enough.
_SILENT = {"imds": {"AWS_EC2_METADATA_DISABLED": "true"}}


@pytest.mark.parametrize("name", SEARCHED)
def test_a_source_is_absent_from_an_empty_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing names it a source is absent: no connection, no secret, and a reason."""

    def no_network(*arguments: Any, **more: Any) -> None:
        raise AssertionError("a source asked the network")

    monkeypatch.setattr("socket.socket.connect", no_network)
    asked = context(_SILENT.get(name))
    outcome = all_sources()[name].resolve(asked)
    assert isinstance(outcome, Absent)
    assert outcome.why
    assert not outcome.asked
    assert len(asked.registry) == 0


@pytest.mark.parametrize("name", [name for name in SEARCHED if name != "imds"])
def test_blank_counts_as_absent(name: str) -> None:
    """A variable that is there and blank names nothing."""
    blank = dict.fromkeys(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
         "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        "  ",
    )  # fmt: skip
    assert isinstance(all_sources()[name].resolve(context(blank)), Absent)


def test_account_types_are_those_of_the_format() -> None:
    """The registry and the manifest's type know the same account types."""
    assert set(ACCOUNT_TYPES) == set(get_args(AccountType))


def test_pinned_sources_are_those_of_the_format() -> None:
    """Every source that `account.source` can name is one that `ambient` looks at."""
    pins = set(get_args(get_type_hints(Account)["source"])) - {"auto"}
    assert pins <= {source.name for source in ACCOUNT_TYPES["ambient"].sources}
    assert ACCOUNT_TYPES["none"].sources == ()


# --- deliveries ---------------------------------------------------------------------------------


def test_deliveries_are_those_of_the_format() -> None:
    """No delivery that the manifest could not name."""
    words = next(
        set(get_args(form))
        for form in get_args(get_type_hints(CredentialSettings)["delivery"])
        if get_args(form)
    )
    assert set(DELIVERIES) <= words


SESSION_TOKEN = "AWS_SESSION_TOKEN"


@pytest.mark.parametrize("name", list(DELIVERIES))
@pytest.mark.parametrize("token", [None, Secret("session-token")], ids=["key", "session"])
def test_a_delivery_sets_owned_names_only(name: str, token: Secret | None, tmp_path: Path) -> None:
    """What delivers credentials sets names that no manifest and no caller can set, and writes no
    key to a file."""
    context = DeliveryContext(
        current=lambda: AwsCredentials(
            access_key_id="ASIAX", secret_access_key=Secret("secret-key"), session_token=token
        ),
        private=tmp_path,
        register=lambda value, of: None,
        tell=lambda text: None,
    )
    with DELIVERIES[name].open(context) as names:
        assert names
        assert owned_names(names) == list(names)
        assert set(names) == set(DELIVERIES[name].names) - (set() if token else {SESSION_TOKEN})
        assert all(values and set(name) <= set(string.ascii_uppercase + "_") for name, values in
                   names.items())  # fmt: skip
        written = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
        assert "secret-key" not in written
        assert "session-token" not in written
