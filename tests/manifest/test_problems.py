"""Everything that can be wrong with a manifest, with its exact place and words."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import FileMissing
from calamari_py.manifest import Overrides
from tests.manifest.support import (
    MINIMAL,
    OTHER_ROLE,
    ROLE,
    brief,
    error_of,
    load_text,
    problems_of,
)

HEAD = "name: step\nscript: echo\n"
NO_KIND = "is not a step kind of this version; kinds: script, cloudformation"
NO_TYPE = "is not one of ambient, access-key, oidc, profile, auto, none"


def test_all_problems_are_told_at_once_in_order() -> None:
    """The page's own example: three problems, sorted by line, none hides another."""
    text = "asume_role: x\nname: x\nscript: y\nexpect:\n  account: 012345678901\ntimeout: soon\n"
    error = error_of(text)
    assert str(error) == "3 problems in deploy.yaml"
    assert [(p.place, p.path, p.message) for p in error.problems] == [
        ("deploy.yaml:1:1", "asume_role", "unknown key; did you mean 'assume_role'?"),
        (
            "deploy.yaml:5:12",
            "expect.account",
            '012345678901 is not quoted; write "012345678901"',
        ),
        ("deploy.yaml:6:10", "timeout", "'soon' is not a duration; write 90s, 15m or 1h30m"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ["None:None  the manifest is empty"], id="empty"),
        pytest.param("# x\n", ["None:None  the manifest is empty"], id="comment"),
        pytest.param("- a\n", ["1:1  must be a mapping of keys"], id="list"),
        pytest.param("text\n", ["1:1  must be a mapping of keys"], id="text"),
        pytest.param("script: x\n", ["1:1 name is missing"], id="no-name"),
        pytest.param("name:\nscript: x\n", ["1:6 name has no value"], id="null-name"),
        pytest.param("name: ''\nscript: x\n", ["1:7 name is empty"], id="empty-name"),
        pytest.param('name: "a\\nb"\nscript: x\n',
                     ["1:7 name holds a line break or control character"], id="name-lines"),
        pytest.param("name: [x]\nscript: x\n", ["1:7 name must be a text, is a list"],
                     id="name-list"),
        pytest.param("name: x\n", ["1:1  has no step kind"], id="no-kind"),
        pytest.param(
            "name: x\nscirpt: y\n",
            ["2:1 scirpt unknown key; did you mean 'script'?"],
            id="typo-kind",
        ),
        pytest.param(
            "name: x\ncloudformation: {stack_name: s}\nscript: y\n",
            ["3:1 script is a second step kind beside 'cloudformation'"],
            id="two-kinds",
        ),
        pytest.param("name: x\nnam: y\nscript: z\n",
                     ["2:1 nam unknown key; did you mean 'name'?"], id="typo"),
        pytest.param("name: x\nzzzzzz: y\nscript: z\n", ["2:1 zzzzzz unknown key"], id="unknown"),
        pytest.param("asume: y\nname: x\nscript: z\n",
                     ["1:1 asume unknown key; did you mean 'assume_role'?"], id="first-letter"),
        pytest.param("cscript: z\nname: x\n",
                     ["1:1 cscript unknown key; did you mean 'script'?"], id="letter-too-many"),
        pytest.param("terraform: {dir: .}\nname: x\n",
                     [f"1:1 terraform 'terraform' {NO_KIND}"], id="kind-not-there"),
        pytest.param("name: x\nscript: z\nhelm:\n",
                     [f"3:1 helm 'helm' {NO_KIND}"], id="kind-not-there-beside-another"),
        pytest.param("name: x\nname: y\nscript: z\n",
                     ["2:1 name is there twice, first on line 1"], id="twice"),
        pytest.param(HEAD + "version: 2\n", ["3:10 version must be 1, is '2'"], id="version"),
        pytest.param("name: x\nscript: {runn: y}\n",
                     ["2:10 script.runn unknown key; did you mean 'run'?"], id="section-key"),
        pytest.param("name: x\nscript: [y]\n",
                     ["2:9 script must be a text or a mapping, is a list"],
                     id="section-list"),
        pytest.param("name: x\nscript:\n", ["2:8 script has no value"], id="section-null"),
        pytest.param("name: x\ncloudformation: {wait: false}\n",
                     ["2:17 cloudformation.stack_name is missing"], id="section-required"),
        pytest.param(
            "name: x\ncloudformation: {stack_name: s, wait: yes, capacity: many}\n",
            ["2:39 cloudformation.wait must be true or false, is 'yes'",
             "2:54 cloudformation.capacity must be a whole number, is 'many'"],
            id="section-types",
        ),
        pytest.param("name: x\ncloudformation: {stack_name: s, capacity: '5'}\n",
                     ["2:43 cloudformation.capacity must be a whole number, is '5'"],
                     id="quoted-number"),
        pytest.param(HEAD + "finally: {run: x, timeout: never}\n",
                     ["3:28 finally.timeout 'never' is not a duration; write 90s, 15m or 1h30m"],
                     id="finally"),
        pytest.param(HEAD + "finally: text\n", ["3:10 finally must be a mapping, is a text"],
                     id="finally-text"),
    ],
)  # fmt: skip
def test_the_shape_of_a_manifest(text: str, expected: list[str]) -> None:
    """Missing, unknown, doubled and misshapen keys are named with their place."""
    assert [brief(problem) for problem in problems_of(text)] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("account: ambiant",
                     [f"3:10 account 'ambiant' {NO_TYPE}; did you mean 'ambient'?"], id="type"),
        pytest.param("account: {type: acces-key}",
                     [f"3:17 account.type 'acces-key' {NO_TYPE}; did you mean 'access-key'?"],
                     id="long-type"),
        pytest.param("account: [x]", ["3:10 account must be a text or a mapping, is a list"],
                     id="account-list"),
        pytest.param("account:", ["3:9 account has no value"], id="account-null"),
        pytest.param("account: access-key", [
            "3:10 account.access_key_id is needed by account type 'access-key'",
            "3:10 account.secret_access_key is needed by account type 'access-key'"], id="keys"),
        pytest.param("account: {access_key_id: AKIA, secret_access_key: s}", [
            "3:26 account.access_key_id belongs to account type 'access-key', not 'ambient'",
            "3:51 account.secret_access_key belongs to account type 'access-key', not 'ambient'"],
            id="keys-without-type"),
        pytest.param("account: {type: access-key, access_key_id: A, secret_access_key: ''}",
                     ["3:66 account.secret_access_key is needed by account type 'access-key'"],
                     id="blank-key"),
        pytest.param("account: {type: auto, access_key_id: A}",
                     ["3:10 account.secret_access_key is needed by account type 'auto'"],
                     id="auto-half"),
        pytest.param("account: {type: profile, source: imds}",
                     ["3:34 account.source belongs to account type 'ambient', not 'profile'"],
                     id="source"),
        pytest.param("account: {type: oidc, token: t}",
                     ["3:10 account.role_arn is needed by account type 'oidc'"], id="oidc-role"),
        pytest.param(f"account: {{type: oidc, role_arn: '{ROLE}'}}",
                     ["3:10 account has no token"], id="oidc-token"),
        pytest.param(f"account: {{type: oidc, role_arn: '{ROLE}', token: t, token_file: f}}",
                     ["3:103 account.token_file has 'token' and 'token_file'"], id="oidc-two"),
        pytest.param(f"account: {{type: oidc, role_arn: '{ROLE}', token: ''}}",
                     ["3:88 account.token is empty"], id="oidc-blank"),
        pytest.param(f"account: {{type: oidc, role_arn: '{ROLE}', token_from: {{env: X}}}}",
                     ["3:94 account.token_from.env unknown key"], id="oidc-from"),
        pytest.param(
            f"account: {{type: oidc, role_arn: '{ROLE}', token: t, session_duration: 5m}}",
            ["3:109 account.session_duration must be between 15m and 12h"], id="oidc-duration"),
        pytest.param(f"account: none\nassume_role: {ROLE}",
                     ["4:14 assume_role needs a launcher, and account is 'none'"], id="none-role"),
        pytest.param("account: none\nexpect: {role: x}\ncredentials: {delivery: env}", [
            "4:9 expect needs a launcher, and account is 'none'",
            "5:14 credentials needs a launcher, and account is 'none'"], id="none-expect"),
        pytest.param("account: none\nvariables: {A: {from_ssm: /a}}",
                     ["3:10 account is 'none', and a variable is fetched from AWS"],
                     id="none-late"),
    ],
)  # fmt: skip
def test_account(line: str, expected: list[str]) -> None:
    """Each account type has its own fields; the others are refused."""
    found = [brief(problem) for problem in problems_of(f"{HEAD}{line}\n")]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("assume_role: role/X", "3:14 assume_role 'role/X' is not a role ARN; "
                     "write arn:aws:iam::ACCOUNT:role/NAME", id="arn"),
        pytest.param("assume_role:", "3:13 assume_role has no value", id="null"),
        pytest.param("assume_role: {session_name: x}", "3:14 assume_role.role_arn is missing",
                     id="no-arn"),
        pytest.param(f"assume_role: [{ROLE}, {OTHER_ROLE}, {ROLE}]",
                     "3:99 assume_role[2] is the same role as assume_role[0]", id="twice"),
        pytest.param(f"assume_role: {{role_arn: '{ROLE}', duration: 13h}}",
                     "3:83 assume_role.duration must be between 15m and 12h", id="duration"),
        pytest.param(f"assume_role: {{role_arn: '{ROLE}', session_name: 'a b'}}",
                     "3:87 assume_role.session_name must be 2 to 64 of letters, digits and "
                     "_+=,.@-", id="session-name"),
        pytest.param(f"assume_role: [{{role_arn: '{ROLE}', transitive_tags: [A]}}]",
                     "3:91 assume_role[0].transitive_tags 'A' is not among the tags", id="tags"),
        pytest.param(f"assume_role: [{{role_arn: '{ROLE}', external_id: x}}, {OTHER_ROLE}x y]",
                     None, id="bad-item-hides-nothing"),
        pytest.param(f"assume_role: {{role_arn: '{ROLE}', policy: {{Account: 012345678901}}}}",
                     "3:91 assume_role.policy.Account 012345678901 is not quoted; "
                     'write "012345678901"', id="policy-number"),
        pytest.param(f"assume_role: {ROLE}\ncredentials: {{min_validity: 1h}}",
                     "4:29 credentials.min_validity is not shorter than the credentials live (60m)",
                     id="min-validity"),
        pytest.param(
            f"assume_role: [{ROLE}, {{role_arn: '{OTHER_ROLE}', duration: 2h}}]\n"
            "credentials: {min_validity: 61m}",
            "4:29 credentials.min_validity is not shorter than the credentials live (60m)",
            id="min-validity-chained"),
        pytest.param("expect: {}", "3:9 expect checks nothing", id="empty-guard"),
        pytest.param("expect:", "3:8 expect has no value", id="null-guard"),
        pytest.param("expect: ~", "3:9 expect checks nothing", id="explicit-null-guard"),
        pytest.param("expect: {account: null}", "3:19 expect.account has no value",
                     id="null-account"),
        pytest.param("expect: {role: ~}", "3:16 expect.role has no value", id="null-role"),
        pytest.param('expect: {"account": "111111111111", "region": null}',
                     "3:47 expect.region has no value", id="null-beside-another"),
        pytest.param("expect:\n  partition:", "4:13 expect.partition has no value",
                     id="null-partition"),
        pytest.param("assume_role: []", "3:14 assume_role is an empty list", id="empty-chain"),
        pytest.param("expect: {account: 111111111111}",
                     '3:19 expect.account 111111111111 is not quoted; write "111111111111"',
                     id="account-number"),
        pytest.param("expect: {account: 1.2e11}",
                     '3:19 expect.account 1.2e11 is not quoted; write "1.2e11"',
                     id="account-float"),
        pytest.param("expect: {account: 0o17}",
                     '3:19 expect.account 0o17 is not quoted; write "0o17"', id="account-octal"),
        pytest.param("expect: {account: '1234'}", "3:19 expect.account '1234' is not an account "
                     "id; write its 12 digits in quotes", id="account-short"),
        pytest.param("expect: {region: europe}", "3:18 expect.region 'europe' is not a region; "
                     "write one like eu-west-1", id="expect-region"),
        pytest.param(f"expect: {{role: '{ROLE}'}}",
                     f"3:16 expect.role '{ROLE}' is no role name", id="expect-arn"),
        pytest.param("expect: {partition: amazon}", "3:21 expect.partition 'amazon' is not one of "
                     "aws, aws-cn, aws-us-gov, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f, aws-eusc",
                     id="partition"),
    ],
)  # fmt: skip
def test_roles_and_guards(line: str, expected: str | None) -> None:
    """STS's limits and the guard's words are checked before anything is asked."""
    found = [brief(problem) for problem in problems_of(f"{HEAD}{line}\n")]
    if expected is None:
        assert len(found) == 2
    else:
        assert found == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("region: europe", "3:9 region 'europe' is not a region; write one like "
                     "eu-west-1", id="region"),
        pytest.param("timeout: 0", "3:10 timeout must be longer than 0", id="zero"),
        pytest.param("grace: -5s", "3:8 grace '-5s' is not a duration; write 90s, 15m or 1h30m",
                     id="negative"),
        pytest.param("retry: {attempts: 3}",
                     "3:19 retry.attempts needs 'on_exit_codes': which codes mean that the step "
                     "may run again", id="attempts without codes"),
        pytest.param("retry: {attempts: 0}",
                     "3:19 retry.attempts must be between 1 and 100, is 0", id="attempts"),
        pytest.param("retry: {on_exit_codes: [1, 256]}",
                     "3:28 retry.on_exit_codes[1] must be between 1 and 255, is 256", id="codes"),
        pytest.param("retry: {on_exit_codes: 1}",
                     "3:24 retry.on_exit_codes must be a list, is a number", id="not-a-list"),
        pytest.param("output_limit: lots",
                     "3:15 output_limit 'lots' is not a size; write none, 500KB or 10MB",
                     id="size"),
        pytest.param("service_messages: 'true'",
                     "3:19 service_messages must be true or false, is 'true'", id="quoted-bool"),
        pytest.param("inherit_env: [PATH, A*B]",
                     "3:21 inherit_env[1] 'A*B' is no name and no prefix", id="pattern"),
        pytest.param("inherit_env: ['*']", "3:15 inherit_env[0] '*' is no name and no prefix",
                     id="star"),
        pytest.param("inherit_env: some", "3:14 inherit_env must be true or false or a list, is "
                     "'some'", id="inherit"),
        pytest.param("env: {A-B: x}", "3:7 env.A-B is no name of an environment variable",
                     id="env-name"),
        pytest.param("env: {'A=B': x}", "3:7 env.A=B is no name of an environment variable",
                     id="env-equals"),
        pytest.param("env: {'': x}", "3:7 env. is no name of an environment variable",
                     id="env-empty-name"),
        pytest.param('env: {A: "x\\0y"}', "3:10 env.A holds a NUL character", id="env-nul"),
        pytest.param("env: {A: }", "3:10 env.A has no value", id="env-null"),
        pytest.param("env: {A: [x]}", "3:10 env.A must be a text, is a list", id="env-list"),
        pytest.param("env: x", "3:6 env must be a mapping, is a text", id="env-text"),
        pytest.param("credentials: {delivery: file}", "3:25 credentials.delivery 'file' is not one "
                     "of env, endpoint, profile; did you mean 'profile'?", id="delivery"),
        pytest.param("variable_files: common.yaml",
                     "3:17 variable_files must be a list, is a text", id="files-text"),
    ],
)  # fmt: skip
def test_settings(line: str, expected: str) -> None:
    """Settings outside their range are refused with the value they had."""
    text = f"{HEAD}{line}\n"
    found = problems_of(text)
    assert [brief(problem) for problem in found] == [expected]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("A:", "4:5 variables.A has no value", id="null"),
        pytest.param("A: [x]", "4:6 variables.A must be a text or a mapping, is a list", id="list"),
        pytest.param("A: {}", "4:6 variables.A has no source", id="no-source"),
        pytest.param("A: {value: x, from_env: Y}", "4:6 variables.A has value and from_env",
                     id="two-sources"),
        pytest.param("A: {from_env: ''}", "4:6 variables.A.from_env is empty", id="blank-source"),
        pytest.param("A: {valeu: x}", "4:7 variables.A.valeu unknown key; did you mean 'value'?",
                     id="typo"),
        pytest.param("A: {value: x, sensitive: true, mask: false}",
                     "4:6 variables.A 'mask: false' needs a reason", id="no-reason"),
        pytest.param("A: {value: x, mask: false, reason: r}",
                     "4:6 variables.A 'mask: false' is only for sensitive variables", id="mask"),
        pytest.param("A: {value: x, sensitive: 1}",
                     "4:28 variables.A.sensitive must be true or false, is '1'", id="sensitive"),
        pytest.param("A: {from_env: MISSING}",
                     "4:17 variables.A the environment variable 'MISSING' is not set", id="unset"),
        pytest.param("A: {from_env: BLANK, sensitive: true}", "4:17 variables.A the environment "
                     "variable 'BLANK' is empty, and a secret is expected", id="blank"),
        pytest.param("A: {from_env: BYTES}",
                     "4:17 variables.A the environment variable 'BYTES' is not valid UTF-8",
                     id="bytes"),
        pytest.param('"A\\nB": x', "4:3 variables.A\nB 'A\\nB' is no variable name", id="name"),
        pytest.param("' ': x", "4:3 variables.  ' ' is no variable name", id="blank-name"),
        pytest.param('A: "x\\0"', "4:6 variables.A holds a NUL character", id="nul"),
        pytest.param("A: '{{ B }}'", "4:6 variables.A 'B' is not defined", id="undefined"),
        pytest.param("A: '{{ A }}'", "4:6 variables.A 'A' is made of itself: A → A", id="itself"),
        pytest.param("A: '{{ B '", "4:6 variables.A is no valid template: unexpected end of "
                     "template, expected 'end of print statement'", id="syntax"),
    ],
)  # fmt: skip
def test_variables(entry: str, expected: str) -> None:
    """A variable has one source that can be read."""
    environ = {"BLANK": " ", "BYTES": "\udcff"}
    found = problems_of(f"{HEAD}variables:\n  {entry}\n", environ=environ)
    assert [brief(problem) for problem in found] == [expected]
    assert all("hunter2" not in problem.message for problem in found)


def test_a_cycle_is_told_once_with_its_way() -> None:
    """Variables that need each other are one problem that shows the cycle."""
    found = problems_of(
        f"{HEAD}env: {{X: '{{{{ A }}}}'}}\nvariables:\n"
        "  A: '{{ B }}'\n  B: '{{ C }}'\n  C: '{{ A }}'\n"
    )
    assert [brief(p) for p in found] == ["7:6 variables.C 'A' is made of itself: A → B → C → A"]


def test_metadata_in_a_cycle_is_a_problem_too() -> None:
    """Metadata keys can need each other as variables can."""
    text = "name: '{{ project }}'\nproject: '{{ environment }}'\nenvironment: '{{ name }}'\n"
    found = problems_of(f"{text}script: x\n")
    assert [p.message for p in found] == [
        "'name' is made of itself: name → project → environment → name"
    ]


def test_an_undefined_name_suggests_the_nearest_variable() -> None:
    """A typo in a template is answered with the name that was meant."""
    (found,) = problems_of(
        f"{HEAD}env: {{X: '{{{{ DbPasword }}}}'}}\nvariables: {{DbPassword: x}}\n"
    )
    assert found.hint == "did you mean 'DbPassword'?"


def test_a_fault_in_a_block_names_its_line() -> None:
    """A template problem in a literal block is placed on the line where it stands."""
    text = "name: x\nscript:\n  render: true\n  run: |\n    echo\n    echo {{ nope }}\n"
    (found,) = problems_of(text)
    assert brief(found) == "6:1 script.run 'nope' is not defined"


def test_one_bad_variable_is_reported_where_it_is_and_not_where_it_is_used() -> None:
    """A variable that cannot be rendered is one problem, however often it is used."""
    text = (
        f"{HEAD}env: {{X: '{{{{ A }}}}', Y: '{{{{ A }}}}'}}\nvariables: {{A: '{{{{ nope }}}}'}}\n"
    )
    assert [p.path for p in problems_of(text)] == ["variables.A"]


def test_files_that_are_missing_are_66_when_nothing_else_is_wrong(tmp_path: Path) -> None:
    """Missing files alone are FileMissing; together with other problems the manifest is wrong."""
    (tmp_path / "folder").mkdir()
    text = (
        f"{HEAD}variables:\n  A: {{from_file: nope.txt}}\n  B: {{from_file: folder}}\n"
        "variable_files: [gone.yaml]\n"
    )
    error = error_of(text, folder=tmp_path)
    assert isinstance(error, FileMissing)
    assert [brief(p) for p in error.problems] == [
        "4:18 variables.A the file 'nope.txt' does not exist",
        "5:18 variables.B 'folder' is a folder",
        "6:18 variable_files[0] the file 'gone.yaml' does not exist",
    ]
    both = error_of(text + "timeout: soon\n", folder=tmp_path)
    assert both.exit_code == 65


def test_problems_in_variable_files_come_after_the_manifests(tmp_path: Path) -> None:
    """Every file's problems carry the file's name, the manifest's own come first."""
    (tmp_path / "a.yaml").write_text("A: [x]\nB: {valu: y}\n")
    (tmp_path / "b.json").write_text('{"C": ')
    text = f"{HEAD}timeout: soon\nvariable_files: [a.yaml, b.json]\n"
    assert [p.place for p in problems_of(text, folder=tmp_path)] == [
        "deploy.yaml:3:10",
        "a.yaml:1:4",
        "a.yaml:2:5",
        "b.json:1:7",
    ]


def test_a_bad_override_names_its_option() -> None:
    """What the command line gets wrong is named by its option, never by its value."""
    found = problems_of(
        MINIMAL, overrides=Overrides(variables={"A": "\udcff"}, sensitive={" ": "s"})
    )
    assert [(p.place, p.path, p.message) for p in found] == [
        ("--var", "A", "is not valid UTF-8 text"),
        ("--sensitive-var", " ", "' ' is no variable name"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("timeout: '{{ S }}'", id="typed"),
        pytest.param("credentials: {delivery: '{{ S }}'}", id="enum"),
        pytest.param("assume_role: '{{ S }}'", id="arn"),
        pytest.param("env: {X: '{{ {}[S] }}'}", id="runtime"),
        pytest.param("env: {X: '{{ S + 1 }}'}", id="type-error"),
        pytest.param("expect: {role: '{{ S }} x'}", id="guard"),
        pytest.param("region: '{{ T }}'", id="through-another"),
    ],
)
def test_no_problem_shows_a_secret(text: str) -> None:
    """A message about a text that came from a sensitive variable does not show it."""
    variables = "variables:\n  S: {value: hunter2, sensitive: true}\n  T: 'x {{ S }}'\n"
    found = problems_of(f"{HEAD}{variables}{text}\n")
    assert found
    assert all("hunter2" not in f"{p.message} {p.hint} {p.path}" for p in found)


def test_a_syntax_error_in_a_secret_does_not_quote_it() -> None:
    """A sensitive value that is no valid template is not quoted in the problem."""
    (found,) = problems_of(
        f"{HEAD}variables: {{S: {{value: '{{{{ hunter2 oops }}}}', sensitive: true}}}}\n"
    )
    assert found.message == "is no valid template"


def test_the_launchers_secret_does_not_reach_the_step() -> None:
    """A text for the child that uses a secret of ``account`` is refused, also through another."""
    text = (
        f"{HEAD}account: {{type: access-key, access_key_id: A, secret_access_key: '{{{{ K }}}}'}}\n"
        "variables:\n  K: {value: s3cret, sensitive: true}\n  L: 'x{{ K }}'\n"
        "env: {X: '{{ L }}', Y: '{{ environment | default(K) }}'}\n"
    )
    assert [brief(p) for p in problems_of(text)] == [
        "7:10 env.X would hand the launcher's secret 'K' to the step",
        "7:24 env.Y would hand the launcher's secret 'K' to the step",
    ]
    exposed = text.replace("{type", "{expose_to_step: true, type")
    assert load_text(exposed).warnings == (
        "account.expose_to_step: the step gets the launcher's own 'K'",
    )


@pytest.mark.parametrize("key", ["name", "project", "environment", "deployment_id"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("{{ S }}", id="itself"),
        pytest.param("x{{ Made | upper }}", id="made-of-it"),
        pytest.param("{{ K }}", id="launchers"),
    ],
)
def test_metadata_are_not_made_from_secrets(key: str, value: str) -> None:
    """What names the step at AWS is seen there by everybody who may read CloudTrail."""
    head = "script: x\n" if key == "name" else HEAD
    text = (
        f'{head}{key}: "{value}"\nvariables:\n  S: {{value: hunter2, sensitive: true}}\n'
        "  Made: 'x{{ S }}'\n  K: launcher\n"
        "account: {type: access-key, access_key_id: A, secret_access_key: '{{ K }}'}\n"
    )
    (found,) = problems_of(text)
    line = head.count("\n") + 1
    assert (found.place, found.path) == (f"deploy.yaml:{line}:{len(key) + 3}", key)
    assert found.message == (
        "is made from a sensitive variable; it stands in the role's session name and in CloudTrail"
    )
    assert found.hint == "use a value that may be seen"


def test_metadata_may_use_a_variable_that_is_declared_not_to_be_masked() -> None:
    """``mask: false`` says that the value may be seen, so it may be seen at AWS as well."""
    variable = "{value: pk_test, sensitive: true, mask: false, reason: public}"
    loaded = load_text(f"{HEAD}project: '{{{{ P }}}}'\nvariables: {{P: {variable}}}\n")
    assert loaded.manifest.project == "pk_test"


def test_every_null_of_a_guard_is_told() -> None:
    """Each member without a value is a problem with a hint, in JSON as in YAML."""
    found = problems_of(
        '{"name": "x", "script": "y",\n"expect": {"account": null, "role": null,\n'
        ' "region": null, "partition": null}}\n'
    )
    assert [(p.path, p.message) for p in found] == [
        (f"expect.{name}", "has no value") for name in ("account", "role", "region", "partition")
    ]
    assert {p.hint for p in found} == {"write one, or remove the key"}


def test_late_variables_are_refused_where_they_come_too_late() -> None:
    """What is needed before there are credentials may not come from SSM or Secrets Manager."""
    text = (
        "name: '{{ L }}'\nscript: {run: x, args: ['{{ L }}']}\nvariables: {L: {from_ssm: /l}}\n"
        "timeout: '{{ L }}'\nassume_role: '{{ L }}'\nexpect: {role: '{{ L }}'}\n"
        "env: {X: '{{ L }}'}\ncredentials: {delivery: '{{ L }}'}\nregion: '{{ L }}'\n"
    )
    found = problems_of(text)
    assert [p.path for p in found] == [
        "name", "timeout", "assume_role", "expect.role", "credentials.delivery", "region",
    ]  # fmt: skip
    assert {p.message for p in found} == {
        "may not use 'L', which is fetched with the step's own credentials"
    }
