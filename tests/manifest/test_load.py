"""Valid manifests: what they become, who gets which variable, and what is secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from calamari_py.errors import ManifestError, Problem
from calamari_py.manifest import LateValue, Overrides
from calamari_py.masking.secret import Secret
from tests.manifest.support import (
    MINIMAL,
    OTHER_ROLE,
    ROLE,
    Finally,
    Script,
    Stack,
    brief,
    load_text,
    secrets_of,
)

FULL = """\
version: 1
name: deploy-network
project: payments
environment: dev
deployment_id: deployments-4711
region: eu-west-1

account:
  type: ambient
  source: auto
  fallback: false
  name: AWS Account
  expose_to_step: false

assume_role:
  - role_arn: arn:aws:iam::111111111111:role/DevDeployRole
    session_name: "octopus-deploy-{{ deployment_id }}"
    duration: 1h
    external_id: ext-1
    policy: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
    policy_arns: []
    tags: {Project: "{{ project }}"}
    transitive_tags: [Project]
    source_identity: release-4711

expect:
  account: "111111111111"
  role: DevDeployRole
  region: eu-west-1
  partition: aws

credentials:
  delivery: env
  min_validity: 10m

variables:
  StackName: my-app
  DbPassword: {value: "hunter2", sensitive: true}
  ApiToken: {from_env: API_TOKEN, sensitive: true}
  Certificate: {from_file: cert.pem, sensitive: true}
  License: {from_ssm: "/app/{{ environment }}/license"}
  Db: {from_secretsmanager: app/db}
  Braces: {value: "{{ not a template }}", literal: true}
  Known: {value: "pk_test", sensitive: true, mask: false, reason: "public test key"}
variable_files: [common.yaml, "{{ environment }}.yaml"]

env:
  STAGE: "{{ environment }}"
  DB_PASSWORD: "{{ DbPassword }}"
  PORT: 8080
inherit_env: true

timeout: 30m
idle_timeout: 10m
grace: 30s
retry: {attempts: 1, delay: 10s, on_exit_codes: []}
output_limit: none
service_messages: false
allow_no_mask: false

script:
  run: |
    echo {{ not rendered }}
  shell: bash
  args: ["{{ StackName }}"]
  render: false

finally:
  run: ./collect-logs.sh
  timeout: 5m
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest's folder with the files that FULL names."""
    (tmp_path / "cert.pem").write_bytes(b"--cert--\r\n")
    (tmp_path / "common.yaml").write_text("Shared: common\nLayer: common\nStackName: file\n")
    (tmp_path / "dev.yaml").write_text("Layer: dev\nRaw: '{{ StackName }}'\n")
    return tmp_path


def test_the_short_form_is_a_complete_manifest() -> None:
    """Three lines are enough; everything else has its default."""
    loaded = load_text(
        f"name: who-am-i\nassume_role: {ROLE}\nscript: aws sts get-caller-identity\n"
    )
    step = loaded.manifest
    assert (step.name, step.kind, step.section) == (
        "who-am-i", "script", "aws sts get-caller-identity",
    )  # fmt: skip
    assert [hop.role_arn for hop in step.assume_role] == [ROLE]
    assert step.account.type == "ambient"
    assert step.inherit_env is True
    assert step.retry.attempts == 1
    assert step.expect is None
    assert step.finally_ is None
    assert dict(step.env) == {}
    assert list(loaded.secrets()) == []


def test_the_full_form_is_read_whole(folder: Path) -> None:
    """Every key of the format page arrives as a typed value, texts rendered."""
    loaded = load_text(FULL, environ={"API_TOKEN": "tok"}, folder=folder)
    step = loaded.manifest
    hop = step.assume_role[0]
    assert (hop.session_name, hop.duration, hop.tags) == (
        "octopus-deploy-deployments-4711", 3600.0, {"Project": "payments"},
    )  # fmt: skip
    assert hop.policy == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    assert step.expect is not None
    assert step.expect.account == "111111111111"
    assert step.credentials.min_validity == 600.0
    assert (step.timeout, step.idle_timeout, step.grace) == (1800.0, 600.0, 30.0)
    assert step.retry.delay == 10.0
    assert step.output_limit is None
    assert dict(step.env) == {"STAGE": "dev", "DB_PASSWORD": "hunter2", "PORT": "8080"}
    assert step.section == Script(
        run="echo {{ not rendered }}\n", shell="bash", args=("my-app",), render=False
    )
    assert step.finally_ == Finally(run="./collect-logs.sh", timeout=300.0)
    assert (step.folder, step.source) == (folder, "deploy.yaml")
    assert {name: v.text for name, v in loaded.variables.items()} == {
        "Shared": "common",
        "Layer": "dev",
        "StackName": "my-app",
        "Raw": "{{ StackName }}",
        "DbPassword": "hunter2",
        "ApiToken": "tok",
        "Certificate": "--cert--\r\n",
        "Braces": "{{ not a template }}",
        "Known": "pk_test",
    }
    assert [(late.name, late.source, late.key, late.sensitive) for late in loaded.late] == [
        ("License", "from_ssm", "/app/dev/license", False),
        ("Db", "from_secretsmanager", "app/db", True),
    ]
    assert (loaded.late[0].file, loaded.late[0].line) == ("deploy.yaml", 41)
    assert loaded.scrub_names == {"API_TOKEN"}
    assert loaded.warnings == ()
    assert secrets_of(loaded) == {
        "DbPassword": "hunter2",
        "ApiToken": "tok",
        "Certificate": "--cert--\r\n",
        "env.DB_PASSWORD": "hunter2",
    }


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        pytest.param("account: none", "account.type", "none", id="account-word"),
        pytest.param("account: {type: none}", "account.type", "none", id="account-mapping"),
        pytest.param("project: 1.10", "project", "1.10", id="text-of-a-number"),
        pytest.param("deployment_id: 0042", "deployment_id", "0042", id="leading-zero"),
        pytest.param("environment: no", "environment", "no", id="norway"),
        pytest.param("timeout: 90", "timeout", 90.0, id="plain-seconds"),
        pytest.param("timeout: 1h30m", "timeout", 5400.0, id="compound"),
        pytest.param("timeout: '{{ T }}'\nvariables: {T: 15m}", "timeout", 900.0, id="rendered"),
        pytest.param("output_limit: 10MB", "output_limit", 10_000_000, id="size"),
        pytest.param("inherit_env: false", "inherit_env", False, id="nothing"),
        pytest.param(
            "inherit_env: [A, B_*]", "inherit_env", ("A", "B_*"), id="inherit-patterns"
        ),
        pytest.param("inherit_env: '{{ F }}'\nvariables: {F: 'false'}", "inherit_env", False,
                     id="rendered-bool"),
        pytest.param("retry: {attempts: '{{ N }}', on_exit_codes: [7]}\nvariables: {N: '3'}",
                     "retry.attempts", 3, id="rendered-number"),
        pytest.param("env:", "env", {}, id="empty-env"),
        pytest.param("project: ~", "project", None, id="null"),
        pytest.param("variables:", "name", "step", id="empty-variables"),
    ],
)  # fmt: skip
def test_short_forms_and_scalars(line: str, key: str, expected: object) -> None:
    """Short forms, numbers as texts and rendered typed fields become their values."""
    value: Any = load_text(f"{MINIMAL}{line}\n").manifest
    for part in key.split("."):
        value = getattr(value, part)
    assert value == expected


def test_a_chain_of_hops_may_mix_forms() -> None:
    """A list of hops takes ARNs and mappings, in their order."""
    loaded = load_text(
        f"{MINIMAL}assume_role: [{ROLE}, {{role_arn: '{OTHER_ROLE}', duration: 15m}}]\n"
    )
    assert [(hop.role_arn, hop.duration) for hop in loaded.manifest.assume_role] == [
        (ROLE, None),
        (OTHER_ROLE, 900.0),
    ]


def test_another_kind_is_parsed_by_its_own_type() -> None:
    """A section becomes the type that the registry names for it."""
    loaded = load_text(
        "name: x\ncloudformation: {stack_name: '{{ name }}', wait: false, capacity: 2, "
        "parameters: {Port: 8080, On: yes}}\n"
    )
    assert loaded.manifest.section == Stack(
        stack_name="x", wait=False, capacity=2, parameters={"Port": "8080", "On": "yes"}
    )


def test_json_is_a_manifest_too() -> None:
    """A manifest in JSON, indented with tabs, is the same step."""
    loaded = load_text('{\n\t"name": "x",\n\t"script": {"run": "a\\/b \\ud83d\\ude00"}\n}\n')
    assert loaded.manifest.section == Script(run="a/b 😀")


def test_precedence_of_variables(tmp_path: Path) -> None:
    """variable_files in order < manifest < --var-file < --var and --sensitive-var."""
    for name in ("a", "b", "c"):
        lines = [f"V{i}: {name}" for i in range(5)][: {"a": 5, "b": 4, "c": 2}[name]]
        (tmp_path / f"{name}.yaml").write_text("\n".join(lines))
    loaded = load_text(
        f"{MINIMAL}variable_files: [a.yaml, b.yaml]\n"
        "variables: {V0: manifest, V1: manifest, V2: manifest}\n",
        folder=tmp_path,
        cwd=tmp_path,
        overrides=Overrides(
            variables={"V0": "option", "New": "{{ V1 }}"},
            sensitive={"S": "s3cret"},
            variable_files=("c.yaml",),
        ),
    )
    assert {name: v.text for name, v in loaded.variables.items()} == {
        "V0": "option", "V1": "c", "V2": "manifest", "V3": "b", "V4": "a",
        "New": "{{ V1 }}", "S": "s3cret",
    }  # fmt: skip
    assert [name for name, v in loaded.variables.items() if v.sensitive] == ["S"]


def test_relative_paths_have_their_own_start(tmp_path: Path) -> None:
    """The manifest's files are relative to its folder, --var-file to the working directory."""
    (tmp_path / "m").mkdir()
    (tmp_path / "w").mkdir()
    (tmp_path / "m" / "v.yaml").write_text("A: manifest\nF: {from_file: data}\n")
    (tmp_path / "m" / "data").write_text("text")
    (tmp_path / "w" / "v.yaml").write_text("A: cwd\n")
    text = f"{MINIMAL}variable_files: [v.yaml]\n"
    plain = load_text(text, folder=tmp_path / "m", cwd=tmp_path / "w")
    assert {n: v.text for n, v in plain.variables.items()} == {"A": "manifest", "F": "text"}
    more = Overrides(variable_files=("v.yaml",))
    given = load_text(text, folder=tmp_path / "m", cwd=tmp_path / "w", overrides=more)
    assert given.variables["A"].text == "cwd"


def test_sensitive_stays_sensitive_when_overridden() -> None:
    """What the manifest calls sensitive is masked and scrubbed whoever gives the value."""
    loaded = load_text(
        f"{MINIMAL}variables: {{T: {{from_env: TOKEN, sensitive: true}}, "
        "K: {value: k, sensitive: true, mask: false, reason: public}}\n",
        overrides=Overrides(variables={"T": "given", "K": "other"}),
    )
    assert secrets_of(loaded) == {"T": "given", "K": "other"}
    assert loaded.scrub_names == {"TOKEN"}


def test_octopus_variable_lists_are_read(tmp_path: Path) -> None:
    """Octopus's own list of k, v and s is a variable file; what is null is not there."""
    (tmp_path / "o.json").write_text(
        '[{"k": "A.B[0]", "v": "x", "s": false}, {"k": "P", "v": "s3cret", "s": true}, '
        '{"k": "N", "v": null}]'
    )
    loaded = load_text(f"{MINIMAL}variable_files: [o.json]\n", folder=tmp_path)
    assert {n: v.text for n, v in loaded.variables.items()} == {"A.B[0]": "x", "P": "s3cret"}
    assert secrets_of(loaded) == {"P": "s3cret"}


ACCOUNT = (
    "account: {type: access-key, access_key_id: '{{ variables[\"AWS Account.AccessKey\"] }}', "
    "secret_access_key: '{{ Key }}'}\n"
    f"assume_role: {{role_arn: '{ROLE}', external_id: '{{{{ External }}}}'}}\n"
    "variables:\n"
    "  AWS Account.AccessKey: AKIAEXAMPLE\n"
    "  Base: {from_env: BASE_KEY, sensitive: true}\n"
    "  Key: 'x{{ Base }}'\n"
    "  External: ext-1\n"
    "  MadeOfBase: '{{ Key }}!'\n"
    "  MadeOfId: '{{ variables[\"AWS Account.AccessKey\"] }}!'\n"
    "  Mine: '1'\n"
)


def test_the_step_does_not_get_what_only_the_launcher_is_for() -> None:
    """Variables of account and assume_role stay out, and what is made from their secrets."""
    loaded = load_text(MINIMAL + ACCOUNT, environ={"BASE_KEY": "s3cret"})
    assert dict(loaded.variables).keys() - loaded.child_variables().keys() == {
        "AWS Account.AccessKey", "Base", "Key", "External", "MadeOfBase",
    }  # fmt: skip
    assert {n: v.text for n, v in loaded.child_variables().items()} == {
        "MadeOfId": "AKIAEXAMPLE!",
        "Mine": "1",
    }
    assert loaded.scrub_names == {"BASE_KEY"}
    secrets = secrets_of(loaded)
    assert secrets["Base"] == "s3cret"
    assert secrets["Key"] == secrets["account.secret_access_key"] == "xs3cret"


def test_expose_to_step_hands_them_over_and_says_so() -> None:
    """account.expose_to_step gives the step all variables, with a warning."""
    text = (MINIMAL + ACCOUNT).replace(
        "{type: access-key", "{expose_to_step: true, type: access-key"
    )
    loaded = load_text(text, environ={"BASE_KEY": "s3cret"})
    assert dict(loaded.child_variables()) == dict(loaded.variables)
    assert "the step gets the launcher's own" in loaded.warnings[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("variables: {A: {from_env: X, sensitive: true}}", {"X"}, id="sensitive"),
        pytest.param("variables: {A: {from_env: X}}", set(), id="harmless"),
        pytest.param(
            "variables: {A: {from_env: X}}\naccount: {type: profile, profile: '{{ A }}'}",
            {"X"}, id="account-reads-it",
        ),
        pytest.param(
            f"account: {{type: oidc, role_arn: '{ROLE}', token_from: {{from_env: JWT}}}}",
            {"JWT"}, id="token-from",
        ),
        pytest.param(
            "environment: X\nvariables: {A: {from_env: '{{ environment }}', sensitive: true}}",
            {"X"}, id="rendered-name",
        ),
    ],
)  # fmt: skip
def test_environment_names_to_scrub(text: str, expected: set[str]) -> None:
    """The child loses the names that secrets and the account came from."""
    assert load_text(f"{MINIMAL}{text}\n", environ={"X": "x"}).scrub_names == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("env: {X: 'a{{ S }}b'}", {"S": "hunter2", "env.X": "ahunter2b"}, id="part"),
        pytest.param("env: {X: '{{ S | upper }}'}", {"S": "hunter2", "env.X": "HUNTER2"},
                     id="filter"),
        pytest.param("env: {X: \"{% if S == 'hunter2' %}yes{% endif %}\"}",
                     {"S": "hunter2", "env.X": "yes"}, id="condition"),
        pytest.param("env: {X: '{{ P }}'}", {"S": "hunter2"}, id="harmless"),
        pytest.param("env: {X: '{% for v in variables.values() %}{{ v }}{% endfor %}'}",
                     {"S": "hunter2", "env.X": "hunter2p"}, id="loop"),
        pytest.param("env: {X: '{{ project }}'}\nproject: '{{ P }}'", {"S": "hunter2"},
                     id="harmless-metadata"),
        pytest.param(f"assume_role: {{role_arn: '{ROLE}', policy: {{a: ['{{{{ S }}}}']}}}}",
                     {"S": "hunter2", "assume_role.policy.a[0]": "hunter2"}, id="policy"),
        pytest.param("account: {type: access-key, access_key_id: A, secret_access_key: inline}",
                     {"S": "hunter2", "account.secret_access_key": "inline"}, id="inline-key"),
    ],
)  # fmt: skip
def test_what_a_secret_touches_is_secret(text: str, expected: dict[str, str]) -> None:
    """A text made from a sensitive variable is registered as a secret itself."""
    variables = "variables: {S: {value: hunter2, sensitive: true}, P: p}\n"
    assert secrets_of(load_text(f"{MINIMAL}{variables}{text}\n")) == expected


def test_a_rendered_script_registers_only_what_it_filled_in() -> None:
    """Of a script body the secret parts are secrets; its own words are not."""
    loaded = load_text(
        "name: x\nvariables: {S: {value: hunter2, sensitive: true}, P: done}\n"
        "script:\n  render: true\n  run: |\n    login {{ S | upper }}\n    {{ P }}\n"
    )
    assert loaded.manifest.section.run == "login HUNTER2\ndone\n"
    assert secrets_of(loaded) == {"S": "hunter2", "script.run": "HUNTER2"}


LATE = (
    "name: x\nscript: {run: x, args: ['{{ Db | upper }}', '{{ Plain }}']}\n"
    "env: {URL: 'db://{{ Db }}', FIRST: \"{{ Pair.split('=')[1] }}\"}\n"
    "variables:\n  Db: {from_secretsmanager: app/db}\n  Plain: {from_ssm: /plain}\n"
    "  Pair: {from_ssm: /pair}\n  Made: '{{ Db }}!'\n  Other: o\n"
)


def test_late_variables_wait_and_are_filled_in() -> None:
    """Until they are fetched late values are nowhere; afterwards everything is rendered anew."""
    first = load_text(LATE)
    assert dict(first.variables).keys() == {"Other"}
    assert list(first.secrets()) == []
    assert [late.name for late in first.late] == ["Db", "Plain", "Pair"]
    whole = first.with_late(
        {
            "Db": LateValue(value=Secret("{{ s3cret }}"), sensitive=True),
            "Plain": LateValue(value=Secret("p"), sensitive=False),
            "Pair": LateValue(value=Secret("k=v"), sensitive=True),
        }
    )
    assert whole.late == ()
    assert dict(whole.manifest.env) == {"URL": "db://{{ s3cret }}", "FIRST": "v"}
    assert whole.manifest.section.args == ("{{ S3CRET }}", "p")
    assert {n: v.text for n, v in whole.variables.items()} == {
        "Db": "{{ s3cret }}", "Plain": "p", "Pair": "k=v", "Made": "{{ s3cret }}!", "Other": "o",
    }  # fmt: skip
    assert secrets_of(whole) == {
        "Db": "{{ s3cret }}",
        "Pair": "k=v",
        "Made": "{{ s3cret }}!",
        "script.args[0]": "{{ S3CRET }}",
        "env.URL": "db://{{ s3cret }}",
        "env.FIRST": "v",
    }


def test_a_template_that_fails_on_the_late_value_is_a_problem_with_its_place() -> None:
    """What cannot be rendered with the fetched value is reported as any other problem."""
    first = load_text(LATE)
    values = {
        name: LateValue(value=Secret("x"), sensitive=True) for name in ("Db", "Plain", "Pair")
    }
    with pytest.raises(ManifestError) as caught:
        first.with_late(values)
    assert [brief(p) for p in caught.value.problems] == [
        "3:36 env.FIRST reads what does not exist: an attribute"
    ]


def test_files_are_read_once(tmp_path: Path) -> None:
    """The second rendering uses the bytes that the first one read."""
    (tmp_path / "f").write_text("one")
    first = load_text(
        f"{MINIMAL}variables: {{F: {{from_file: f}}, L: {{from_ssm: /l}}}}\n", folder=tmp_path
    )
    (tmp_path / "f").write_text("two")
    whole = first.with_late({"L": LateValue(value=Secret("l"), sensitive=False)})
    assert whole.variables["F"].text == "one"


def test_render_text_renders_a_file_like_the_manifest() -> None:
    """A script file's content can be rendered, and says which parts are secret."""
    loaded = load_text(f"{MINIMAL}variables: {{S: {{value: hunter2, sensitive: true}}, P: p}}\n")
    rendered = loaded.render_text("a {{ P }} {{ S }}\r\n", "script.file")
    assert rendered.text == "a p hunter2\r\n"
    assert [(name, secret.reveal()) for name, secret in rendered.secrets] == [
        ("script.file", "hunter2")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\n{{ nope }}", "'nope' is not defined (line 2 of the file)", id="undefined"),
        pytest.param("{{ K }}", "would hand the launcher's secret 'K' to the step", id="launcher"),
        pytest.param("a\0{{ P }}", "the file holds a NUL character", id="nul"),
    ],
)
def test_render_text_reports_problems_at_the_key_that_names_the_file(
    text: str, expected: str
) -> None:
    """What is wrong in a rendered file is a problem of the key that names it."""
    loaded = load_text(
        "name: x\nscript:\n  file: a.sh\nvariables: {P: p, K: {value: k3y, sensitive: true}}\n"
        "account: {type: access-key, access_key_id: A, secret_access_key: '{{ K }}'}\n"
    )
    with pytest.raises(ManifestError) as caught:
        loaded.render_text(text, "script.file")
    assert [brief(p) for p in caught.value.problems] == [f"3:9 script.file {expected}"]


def test_problems_found_later_get_their_place() -> None:
    """Problems of other rooms are placed by their path, as near as the file allows."""
    loaded = load_text(f"{MINIMAL}env:\n  A: x\nassume_role:\n  role_arn: {ROLE}\n")
    paths = (
        "env.A",
        "assume_role[0].role_arn",
        "assume_role[0].policy",
        "script.run",
        "variables.Z",
    )
    error = loaded.error([Problem(path=path, message="m") for path in paths])
    assert [brief(p) for p in error.problems] == [
        "None:None variables.Z m",
        "2:9 script.run m",
        "4:6 env.A m",
        "6:3 assume_role[0].policy m",
        "6:13 assume_role[0].role_arn m",
    ]
    assert str(error) == "5 problems in deploy.yaml"


@pytest.mark.parametrize(
    ("text", "environ", "default", "expected"),
    [
        pytest.param("region: eu-west-1", {"AWS_REGION": "us-east-1"}, None,
                     ("eu-west-1", "eu-west-1"), id="manifest"),
        pytest.param("", {"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "x"}, "us-east-1",
                     (None, "us-east-2"), id="environment"),
        pytest.param("", {"AWS_REGION": " ", "AWS_DEFAULT_REGION": "us-east-2"}, None,
                     (None, "us-east-2"), id="second-name"),
        pytest.param("", {}, "us-east-1", ("us-east-1", "us-east-1"), id="default"),
    ],
)  # fmt: skip
def test_the_region_that_templates_see(
    text: str, environ: dict[str, str], default: str | None, expected: tuple[str | None, str]
) -> None:
    """``{{ region }}`` is the manifest's, else the environment's, else the given default."""
    loaded = load_text(
        f"{MINIMAL}env: {{R: '{{{{ region }}}}'}}\n{text}\n",
        environ=environ,
        overrides=Overrides(region=default),
    )
    assert (loaded.manifest.region, loaded.manifest.env["R"]) == expected


def test_ten_thousand_variables_are_rendered_once_and_only_if_templates() -> None:
    """The cost of a step is its texts, not its texts times its variables."""
    lines = "".join(f"  V{i}: value {i}\n" for i in range(10_000))
    env = "".join(f"  E{i}: '{{{{ V{i} }}}}'\n" for i in range(200))
    loaded = load_text(f"{MINIMAL}variables:\n{lines}env:\n{env}")
    assert len(loaded.variables) == 10_000
    assert loaded.manifest.env["E199"] == "value 199"


def test_nothing_shows_a_value_in_its_repr() -> None:
    """The repr of what was loaded, down to its variables, shows no value of a variable."""
    loaded = load_text(
        f"{MINIMAL}variables: {{S: {{value: hunter2, sensitive: true}}}}\n"
        "env: {X: '{{ S }}'}\n"
        "account: {type: access-key, access_key_id: A, secret_access_key: hunter2}\n"
    )
    assert "hunter2" not in repr(loaded)
    assert "hunter2" not in repr(loaded.manifest.account)
    assert "hunter2" not in repr(dict(loaded.variables))


def test_a_section_type_may_refuse_values_itself() -> None:
    """A ValueError of a section's own check is a problem at the section."""

    class Picky(msgspec.Struct, frozen=True, kw_only=True):
        run: str

        def __post_init__(self) -> None:
            if self.run == "bad":
                raise ValueError("does not run bad things")

    from calamari_py.manifest import Source, load

    source = Source(name="f", text="name: x\npicky: {run: bad}\n", folder=Path())
    with pytest.raises(ManifestError) as caught:
        load(source, sections={"picky": Picky}, finally_section=Finally, environ={}, cwd=Path())
    assert [brief(p) for p in caught.value.problems] == ["2:8 picky does not run bad things"]
