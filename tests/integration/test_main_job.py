"""The main job as a user runs it: manifest in, masked output and an honest code out."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
HEAD = f"name: t\nassume_role: {DEV}\nregion: eu-west-1\n"


def test_three_lines_with_the_real_cli(calamari: Calamari) -> None:
    """The shortest manifest runs in the sandbox as the role, asked by the real AWS CLI."""
    require_tool("aws")
    calamari.write(f"name: who-am-i\nassume_role: {DEV}\nscript: aws sts get-caller-identity\n")
    ran = calamari("run", "step.yaml", "--sandbox")
    assert ran.code == 0, ran.err
    answer = json.loads(ran.out)
    assert answer["Account"] == "111111111111"
    assert answer["Arn"] == "arn:aws:sts::111111111111:assumed-role/DevDeployRole/who-am-i"
    assert "sandbox" in ran.err


def test_header_and_footer(launched: Calamari) -> None:
    """Our own text says who, where, how long and how it ended; stdout is the child's alone."""
    launched.write(
        HEAD + "project: payments\nexpect: {account: '111111111111'}\n"
        "script: |\n  echo hello\n  set_output Url https://example.test/x\n"
    )
    ran = launched("run", "step.yaml")
    assert ran.code == 0, ran.err
    assert ran.out == "hello\n"
    for part in (
        "arn:aws:sts::111111111111:assumed-role/DevDeployRole/payments-t",
        "111111111111 (as expected)",
        "eu-west-1 (manifest)",
        "succeeded in",
        "outputs: Url",
    ):
        assert part in ran.err


def test_the_child_is_not_the_launcher(launched: Calamari) -> None:
    """No variable of the launcher reaches the child, and without its own it is nobody."""
    require_tool("aws")
    launched.write(
        HEAD + "script: |\n"
        "  env | sort\n"
        "  unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n"
        "  if aws sts get-caller-identity 2>&1; then echo BECAME SOMEBODY; fi\n"
    )
    home = Path(launched.environment["HOME"])
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIALAUNCHERPROFILE\naws_secret_access_key = s\n"
    )
    launcher = {
        "AWS_PROFILE": "default",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/OctoLauncherRole",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/launcher-canary",
        "AWS_SECURITY_TOKEN": "launcher-canary",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "launcher-canary",
    }
    ran = launched("run", "step.yaml", env=launcher)
    assert ran.code == 0, ran.err
    assert "BECAME SOMEBODY" not in ran.out
    assert "launcher-canary" not in ran.out
    assert launched.environment["AWS_ACCESS_KEY_ID"] not in ran.out
    names = {line.partition("=")[0] for line in ran.out.splitlines() if line.startswith("AWS_")}
    assert names == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID", "AWS_REGION", "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
    }  # fmt: skip
    assert "Unable to locate credentials" in ran.out


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("true", 0, id="success"),
        pytest.param("exit 7", 7, id="own code"),
        pytest.param("kill -KILL $$", 137, id="killed"),
        pytest.param("fail_step 'no good'", 1, id="fail_step"),
        pytest.param("no-such-command", 127, id="not found inside"),
    ],
)
def test_exit_codes(script: str, code: int, calamari: Calamari) -> None:
    """The step's own code is calamari's code, and the result says whose it is."""
    calamari.write(f"name: t\naccount: none\nscript: {script}\n")
    ran = calamari("run", "step.yaml", "--result", "r.json")
    result = json.loads((calamari.folder / "r.json").read_text())
    assert (ran.code, result["exit_code"], result["exit_origin"]) == (code, code, "child")


def test_timeout(launched: Calamari) -> None:
    """A step over its time is ended with 124 and the outcome timed_out."""
    launched.write(HEAD + "timeout: 1s\ngrace: 1s\nscript: sleep 600\n")
    ran = launched("run", "step.yaml", "--result", "r.json")
    result = json.loads((launched.folder / "r.json").read_text())
    assert (ran.code, result["outcome"], result["exit_origin"]) == (124, "timed_out", "calamari")


def test_variables_outputs_and_artifacts(launched: Calamari) -> None:
    """Variables arrive exactly, outputs and artifacts leave as they were meant."""
    launched.write(
        HEAD + "variables:\n"
        "  'Odd name[1].x': \"tab\\there\"\n"
        "  Secret: {value: s3cr3t-value-1, sensitive: true}\n"
        "  Derived: 'url-{{ Secret }}'\n"
        "env: {FROM_TEMPLATE: 'region {{ region }}'}\n"
        "script: |\n"
        "  get_variable 'Odd name[1].x'; echo\n"
        "  echo $FROM_TEMPLATE\n"
        "  get_variable Derived; echo\n"
        "  echo hello > file.txt; create_artifact file.txt ../../escape.txt\n"
        "  set_output Plain visible\n"
        "  set_output Hidden declared-secret --sensitive\n"
        '  set_output Leaky "$(get_variable Secret)"\n'
        "  echo 'again: declared-secret'\n"
    )
    ran = launched(
        "run", "step.yaml", "--artifacts", "out", "--result", "r.json", "--outputs", "o.json"
    )
    assert ran.code == 0, ran.err
    assert ran.out == "tab\there\nregion eu-west-1\n***\nagain: ***\n"
    result = json.loads((launched.folder / "r.json").read_text())
    assert result["outputs"] == {
        "Plain": {"value": "visible", "sensitive": False},
        "Hidden": {"value": None, "sensitive": True},
        "Leaky": {"value": None, "sensitive": True},
    }
    outputs = json.loads((launched.folder / "o.json").read_text())
    assert "s3cr3t-value-1" in json.dumps(outputs)
    assert result["artifacts"] == ["escape.txt"]
    assert (launched.folder / "out" / "escape.txt").read_text() == "hello\n"
    assert not (launched.folder.parent / "escape.txt").exists()
    for name in ("r.json", "o.json"):
        assert (launched.folder / name).stat().st_mode & 0o777 == 0o600


def test_launcher_variables_do_not_reach_the_child(launched: Calamari) -> None:
    """What only `account` and `assume_role` use is not among the step's variables."""
    keys = launched.environment
    launched.write(
        HEAD + "account:\n  type: access-key\n"
        "  access_key_id: '{{ LauncherKey }}'\n"
        "  secret_access_key: '{{ LauncherSecret }}'\n"
        "  session_token: '{{ LauncherToken }}'\n"
        "variables:\n"
        "  LauncherKey: {from_env: LK}\n"
        "  LauncherSecret: {from_env: LS, sensitive: true}\n"
        "  LauncherToken: {from_env: LT, sensitive: true}\n"
        "  Mine: yes-mine\n"
        "script: |\n"
        "  cat $CALAMARI_VARIABLES_JSON; ls $CALAMARI_VARIABLES; env | grep -E '^L[KST]=' || true\n"
    )
    env = {
        "LK": keys["AWS_ACCESS_KEY_ID"],
        "LS": keys["AWS_SECRET_ACCESS_KEY"],
        "LT": keys["AWS_SESSION_TOKEN"],
    }
    bare = replace(
        launched,
        environment={
            k: v
            for k, v in launched.environment.items()
            if k == "AWS_ENDPOINT_URL" or not k.startswith("AWS_")
        },
    )
    ran = bare("run", "step.yaml", env=env)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert json.loads(lines[0].removesuffix("Mine")) == {"Mine": "yes-mine"}
    assert "LS=" not in ran.out
    assert "LT=" not in ran.out


def test_late_variables(launched: Calamari) -> None:
    """SSM and Secrets Manager are read as the step's role, and every JSON leaf is masked."""
    launched.write(
        HEAD.replace("eu-west-1", "us-east-1") + "variables:\n"
        "  License: {from_ssm: /app/license}\n"
        "  Db: {from_secretsmanager: app/db}\n"
        "env: {LICENSE: '{{ License }}'}\n"
        "script: |\n"
        '  echo "license=$LICENSE"\n'
        "  get_variable Db | tr ',' '\\n'\n"
    )
    ran = launched("run", "step.yaml")
    assert ran.code == 0, ran.err
    assert "license=***" in ran.out
    assert "***" in ran.out.split("license=***", 1)[1]


def test_finally_runs_and_never_hides_the_step(launched: Calamari) -> None:
    """`finally` sees how the step ended; its own failure does not replace it."""
    launched.write(
        HEAD + "script: exit 5\nfinally:\n"
        '  run: |\n    echo "after $CALAMARI_OUTCOME $CALAMARI_EXIT_CODE"\n    exit 9\n'
    )
    ran = launched("run", "step.yaml")
    assert ran.code == 5
    assert ran.out == "after failed 5\n"
    launched.write(HEAD + "script: 'true'\nfinally: {run: exit 9}\n")
    ran = launched("run", "step.yaml", "--result", "r.json")
    result = json.loads((launched.folder / "r.json").read_text())
    assert (ran.code, result["outcome"], result["exit_origin"]) == (1, "failed", "calamari")


def test_retry(launched: Calamari) -> None:
    """A step that says it is safe to repeat is repeated, and only for the codes it names."""
    launched.write(
        HEAD + "retry: {attempts: 3, delay: 0s, on_exit_codes: [4]}\n"
        'script: |\n  echo "attempt $CALAMARI_ATTEMPT"; test $CALAMARI_ATTEMPT = 2 || exit 4\n'
    )
    ran = launched("run", "step.yaml", "--result", "r.json")
    assert (ran.code, ran.out) == (0, "attempt 1\nattempt 2\n")
    result = json.loads((launched.folder / "r.json").read_text())
    assert [attempt["exit_code"] for attempt in result["attempts"]] == [4, 0]


def test_no_role_is_said_aloud(launched: Calamari) -> None:
    """Without assume_role the launcher runs the step, and everybody can read that."""
    launched.write("name: t\nregion: eu-west-1\nscript: 'true'\n")
    ran = launched("run", "step.yaml")
    assert ran.code == 0
    assert "no assume_role: the step runs as the launcher" in ran.err


def test_account_none(calamari: Calamari) -> None:
    """A step that needs no AWS gets none."""
    calamari.write("name: t\naccount: none\nscript: env | grep -c AWS_ACCESS || true\n")
    ran = calamari("run", "step.yaml")
    assert (ran.code, ran.out) == (0, "0\n")


def test_a_chain_of_roles(launched: Calamari) -> None:
    """Hops run in order; a role that does not trust the previous one is refused by name."""
    launched.write(
        "name: t\nregion: eu-west-1\nassume_role:\n"
        f"  - {DEV}\n  - arn:aws:iam::333333333333:role/ProdDeployRole\nscript: 'true'\n"
    )
    ran = launched("run", "step.yaml")
    assert ran.code == 77
    assert "cannot assume role 'arn:aws:iam::333333333333:role/ProdDeployRole'" in ran.err
    assert "DevDeployRole/t-'" in ran.err
    assert "hint:" in ran.err


def test_json_events(launched: Calamari) -> None:
    """`--format json` keeps stdout to events, the last of which is `finished` with the result."""
    launched.write(HEAD + "script: |\n  echo out\n  echo err >&2\n")
    ran = launched("run", "step.yaml", "--format", "json")
    events = ran.events()
    assert [e["type"] for e in events][:2] == ["started", "identity"]
    assert {(e["stream"], e["text"]) for e in events if e["type"] == "output"} == {
        ("stdout", "out\n"), ("stderr", "err\n"),
    }  # fmt: skip
    assert events[-1]["type"] == "finished"
    assert events[-1]["result"]["outcome"] == "succeeded"
    assert ran.err == ""


def test_standard_input(launched: Calamari) -> None:
    """`-` reads the manifest from standard input."""
    ran = launched("run", "-", input=HEAD + "script: echo from stdin\n")
    assert (ran.code, ran.out) == (0, "from stdin\n")


def test_interactive_passes_standard_input_on(launched: Calamari) -> None:
    """`--interactive` gives the child our standard input; without it there is nothing to read."""
    launched.write(HEAD + "script: cat\n")
    assert launched("run", "step.yaml", "--interactive", input="typed\n").out == "typed\n"
    assert launched("run", "step.yaml", input="typed\n").out == ""


def test_nothing_is_left_behind(launched: Calamari) -> None:
    """Private folders are gone after the run."""
    launched.write(HEAD + "script: echo $CALAMARI_VARIABLES; echo $CALAMARI_TEMP\n")
    ran = launched("run", "step.yaml")
    paths = re.findall(r"^/\S+$", ran.out, re.MULTILINE)
    assert len(paths) == 2
    assert not any(os.path.exists(path) for path in paths)
    assert list(Path(launched.environment["TMPDIR"]).iterdir()) == []
