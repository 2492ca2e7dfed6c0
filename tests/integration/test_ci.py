"""The jobs of docs/ci.md: calamari's part of each runs under the variables that its system sets."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fake_metadata import FakeServer, Heard, Reply, credential_document
from tests.fake_sts import FakeSts
from tests.fake_sts_tables import Keys
from tests.fake_sts_tokens import make_token
from tests.integration.conftest import Calamari, Ran
from tests.output.github_runner import FakeRunner, read_outputs
from tests.output.octopus_server import FakeOctopus
from tests.preloaded import calamari_command
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.preloaded]

DOCS = (Path(__file__).parents[2] / "docs" / "ci.md").read_text("utf-8")
LAUNCHER = "arn:aws:iam::123456789012:role/LauncherRole"
DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
SESSION = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy-network"
TOKEN = make_token(
    iss="https://issuer.test", aud="sts.amazonaws.com", sub="the job", exp=4_000_000_000
)
BEARER = "bearer-of-the-job-0123456789"


def section(title: str) -> str:
    """The text of one chapter."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCS, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def block(title: str, language: str) -> str:
    """The one block of a language in a chapter."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)
    return str(found)


def documents(title: str) -> list[Any]:
    """The chapter's job, as YAML."""
    return list(yaml.safe_load_all(block(title, "yml")))


@dataclass(frozen=True)
class Machine:
    """Where jobs run: the STS of the documented roles, and a folder with the step."""

    calamari: Calamari
    sts: FakeSts
    launcher: Keys

    def script(self, text: str, env: Mapping[str, str]) -> Ran:
        """Run `text` as these systems do: by bash, which ends at what fails."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", text],
            cwd=self.calamari.folder, env=self.env(env), stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", timeout=60, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def env(self, extra: Mapping[str, str]) -> dict[str, str]:
        tools = self.calamari.folder / ".venv" / "bin"
        base = self.calamari.env({"AWS_ENDPOINT_URL": self.sts.url, **extra})
        return {
            **base,
            "PATH": f"{tools}:{base['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def tool(self, name: str, text: str) -> None:
        """A program on the PATH."""
        path = self.calamari.folder / ".venv" / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def result(self) -> Any:
        return json.loads((self.calamari.folder / "result.json").read_text())


@pytest.fixture
def machine(calamari: Calamari) -> Iterator[Machine]:
    require_tool("bash")
    folder = calamari.folder / ".venv" / "bin"
    folder.mkdir(parents=True)
    (calamari.folder / "deploy").mkdir()
    with FakeSts() as sts:
        allow = ["sts:TagSession"]
        sts.add_role(LAUNCHER)
        sts.add_role(DEV, trust=[LAUNCHER], allow=allow)
        sts.add_token(TOKEN, roles=[LAUNCHER])
        found = Machine(calamari, sts, sts.add_session(LAUNCHER, "agent"))
        program = shlex.join(calamari_command(calamari.environment))
        found.tool("calamari", f'#!/bin/sh\nexec {program} "$@"\n')
        found.tool("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        yield found


def prepared(machine: Machine, title: str) -> None:
    """The chapter's manifest where its job expects it."""
    machine.calamari.write(block(title, "yaml"), "deploy/step.yaml")


def assert_deployed(machine: Machine) -> None:
    """The result is the documented step's, run as the documented role."""
    result = machine.result()
    assert result["outcome"] == "succeeded", result
    assert result["identity"]["arn"] == SESSION
    assert result["outputs"]["Url"]["value"] == "https://dev.example.com"


# --- GitHub Actions -----------------------------------------------------------------------------


class GithubTokens(FakeServer):
    """The token service of a GitHub runner."""

    def tell(self, heard: Heard) -> Reply:
        wanted = heard.headers.get("authorization") == f"Bearer {BEARER}"
        wanted = wanted and "audience=sts.amazonaws.com" in heard.path
        return Reply(200, json.dumps({"value": TOKEN})) if wanted else Reply(401)


@dataclass(frozen=True)
class GithubJob:
    """One job on a runner: what it sets, and what it reads afterwards."""

    machine: Machine
    variables: dict[str, str]
    temp: Path

    def runs(self, command: str, **env: str) -> Ran:
        prepared(self.machine, "GitHub Actions")
        return self.machine.script(command, {**self.variables, **env})

    @property
    def outputs(self) -> dict[str, str]:
        return read_outputs(Path(self.variables["GITHUB_OUTPUT"]).read_text())

    @property
    def summary(self) -> str:
        return Path(self.variables["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.fixture
def github(machine: Machine, tmp_path: Path) -> Iterator[GithubJob]:
    temp = tmp_path / "_temp"
    files = temp / "_runner_file_commands"
    files.mkdir(parents=True)
    names = {
        "GITHUB_OUTPUT": "set_output_1", "GITHUB_STEP_SUMMARY": "step_summary_1",
        "GITHUB_ENV": "set_env_1", "GITHUB_PATH": "add_path_1", "GITHUB_STATE": "save_state_1",
    }  # fmt: skip
    for name in names.values():
        (files / name).write_text("")
    with GithubTokens() as tokens:
        variables = {
            "CI": "true", "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(machine.calamari.folder),
            "GITHUB_REPOSITORY": "acme/network", "GITHUB_RUN_ID": "1", "GITHUB_JOB": "deploy",
            "RUNNER_TEMP": str(temp), "RUNNER_OS": "Linux",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{tokens.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
            **{variable: str(files / name) for variable, name in names.items()},
        }  # fmt: skip
        yield GithubJob(machine, variables, temp)


def github_steps() -> list[dict[str, Any]]:
    (workflow,) = documents("GitHub Actions")
    # YAML reads the key `on` as true.
    assert workflow[True]
    assert workflow["permissions"] == {"id-token": "write", "contents": "read"}
    return list(workflow["jobs"]["deploy"]["steps"])


def github_command() -> str:
    (step,) = [step for step in github_steps() if step.get("id") == "deploy"]
    return str(step["run"])


def test_github(github: GithubJob) -> None:
    """The documented job: open output, outputs for later steps masked first, a summary."""
    ran = github.runs(github_command())
    assert (ran.code, ran.err) == (0, "")
    read = FakeRunner.reads(ran.out.encode())
    assert [command.name for command in read.commands] == ["group", "endgroup", "add-mask"]
    assert read.commands[0].data.startswith(f"as {SESSION} · account 111111111111")
    assert "deploying to 111111111111" in read.log
    assert read.stopped is None
    password = github.outputs["adminpassword"]
    assert github.outputs["url"] == "https://dev.example.com"
    assert read.masks == [password]
    assert password not in "\n".join(read.log)
    assert "| Url | https://dev.example.com |" in github.summary
    assert f"| role | {SESSION} |" in github.summary
    assert password not in github.summary
    result = json.loads((github.temp / "result.json").read_text())
    assert result["outputs"]["AdminPassword"] == {"value": None, "sensitive": True}


def test_github_later_steps_use_what_is_there(github: GithubJob) -> None:
    """The documented outputs are those of the documented manifest."""
    github.runs(github_command())
    used = set(re.findall(r"steps\.deploy\.outputs\.(\w+)", block("GitHub Actions", "yml")))
    assert {name.lower() for name in used} == set(github.outputs)


def test_github_without_a_runner(github: GithubJob) -> None:
    """Into a file: no command with a value, no sensitive output, a warning; the rest as ever."""
    ran = github.runs(f"{github_command()} > log")
    log = (github.machine.calamari.folder / "log").read_text()
    assert (ran.code, ran.out) == (0, "")
    assert "add-mask" not in log
    assert set(github.outputs) == {"url"}
    assert "'AdminPassword'" in FakeRunner.reads(log.encode()).named("warning")[0].data


def test_github_manifest_problems(github: GithubJob) -> None:
    """A typing mistake is an annotation on its line, and the code is 65."""
    text = block("GitHub Actions", "yaml").replace("timeout: 30m", "timeout: soon")
    github.machine.calamari.write(text, "deploy/step.yaml")
    ran = github.machine.script(github_command(), github.variables)
    assert ran.code == 65
    (error,) = FakeRunner.reads(ran.out.encode()).named("error")
    line = text.splitlines().index("timeout: soon") + 1
    assert error.properties["file"] == "deploy/step.yaml"
    assert error.properties["line"] == str(line)
    assert "not started" in github.summary


def test_github_child_cannot_command(github: GithubJob) -> None:
    """A hostile step: its commands do nothing, ours do, its code is the job's."""
    hostile = (
        "script: |\n"
        "  echo '::add-mask::deploying'; echo '##[error]x'; echo '::stop-commands::mine'\n"
        "  printf 'unfinished'; write_warning 'a, b: 100%'\n"
        "  echo '::mine::'; echo '::set-output name=Url::evil'; exit 7\n"
    )
    text = block("GitHub Actions", "yaml").partition("script: |")[0] + hostile
    github.machine.calamari.write(text, "deploy/step.yaml")
    ran = github.machine.script(github_command(), github.variables)
    assert ran.code == 7
    read = FakeRunner.reads(ran.out.encode())
    assert [command.name for command in read.commands] == ["group", "endgroup", "warning", "error"]
    assert read.named("warning")[0].data == "a, b: 100%"
    assert "exit code 7" in read.named("error")[0].data
    assert (read.masks, github.outputs) == ([], {})
    assert "failed" in github.summary


def test_github_lost_outputs(github: GithubJob) -> None:
    """A step whose outputs cannot be handed on has not succeeded, and the result says why."""
    Path(github.variables["GITHUB_OUTPUT"]).unlink()
    ran = github.runs(github_command())
    assert ran.code == 1
    result = json.loads((github.temp / "result.json").read_text())
    assert (result["outcome"], result["exit_origin"]) == ("failed", "calamari")
    assert "$GITHUB_OUTPUT" in result["problems"][0]["message"]


def test_format_wins(github: GithubJob) -> None:
    """Who asks for another format gets it, and the files of the job stay empty."""
    ran = github.runs(f"{github_command()} --format text")
    assert (ran.code, ran.out) == (0, "deploying to 111111111111\n")
    assert "::" not in re.sub(r"arn:aws:(iam|sts)::", "", ran.err)
    assert (github.outputs, github.summary) == ({}, "")


# --- the others ---------------------------------------------------------------------------------


def test_gitlab(machine: Machine) -> None:
    """The documented job: a section, closed before the step's output, and the report."""
    prepared(machine, "GitLab")
    (pipeline,) = documents("GitLab")
    job = pipeline["deploy"]
    assert set(job["id_tokens"]) == {"GITLAB_OIDC_TOKEN"}
    ran = machine.script(
        "\n".join(["exec 2>&1", *job["script"]]),
        {
            "CI": "true", "GITLAB_CI": "true", "CI_JOB_ID": "1", "CI_PIPELINE_ID": "1",
            "CI_PROJECT_DIR": str(machine.calamari.folder), "GITLAB_OIDC_TOKEN": TOKEN,
        },
    )  # fmt: skip
    assert ran.code == 0, ran.out
    assert_deployed(machine)
    names = re.findall(r"section_(start|end):\d+:(calamari_\w+)", ran.out)
    assert [kind for kind, _ in names] == ["start", "end"]
    assert len({name for _, name in names}) == 1
    assert ran.out.index("section_end") < ran.out.index("deploying to")
    assert (machine.calamari.folder / "outputs.env").read_text() == "Url=https://dev.example.com\n"
    assert job["artifacts"]["reports"]["dotenv"] == "outputs.env"


def test_buildkite(machine: Machine) -> None:
    """The documented job: groups, the agent's token, and meta-data for the next step."""
    prepared(machine, "Buildkite")
    (pipeline,) = documents("Buildkite")
    lines = pipeline["steps"][0]["command"].splitlines()
    command = "\n".join(
        line for line in lines if "venv .venv" not in line and "pip install" not in line
    )
    machine.tool(
        "buildkite-agent",
        '#!/bin/sh\ncase "$1" in\n'
        f"oidc) echo '{TOKEN}';;\n"
        f"meta-data) shift; echo \"$* $(cat)\" >> '{machine.calamari.folder}/meta-data';;\nesac\n",
    )
    ran = machine.script(
        f"exec 2>&1\n{command}",
        {
            "CI": "true", "BUILDKITE": "true", "BUILDKITE_JOB_ID": "job-1",
            "BUILDKITE_AGENT_ACCESS_TOKEN": BEARER, "BUILDKITE_BUILD_NUMBER": "1",
        },
    )  # fmt: skip
    assert ran.code == 0, ran.out
    assert_deployed(machine)
    log = ran.out.splitlines()
    heading = next(line for line in log if line.startswith("--- "))
    assert heading.startswith(f"--- as {SESSION}")
    assert log[log.index("+++ output") + 1] == "deploying to 111111111111"
    assert (
        machine.calamari.folder / "meta-data"
    ).read_text() == "set url https://dev.example.com\n"


def test_jenkins(machine: Machine) -> None:
    """The documented job: the credentials that it binds, and plain lines."""
    prepared(machine, "Jenkins")
    pipeline = block("Jenkins", "groovy")
    (command,) = re.findall(r"sh '(.*calamari run.*)'", pipeline)
    bound = re.findall(r"(username|password)Variable: '(\w+)'", pipeline)
    user = machine.sts.add_user("arn:aws:iam::123456789012:user/jenkins")
    machine.sts.add_role(DEV, trust=[user.arn], allow=["sts:TagSession"])
    values = {"username": user.access_key_id, "password": user.secret_access_key}
    ran = machine.script(
        f"exec 2>&1\n{command}",
        {
            "JENKINS_URL": "https://jenkins.test/", "BUILD_ID": "1", "JOB_NAME": "deploy",
            "WORKSPACE": str(machine.calamari.folder),
            **{variable: values[kind] for kind, variable in bound},
        },
    )  # fmt: skip
    assert ran.code == 0, ran.out
    assert_deployed(machine)
    assert "\x1b" not in ran.out
    assert "section_" not in ran.out
    assert not re.search(r"^(---|\+\+\+) ", ran.out, re.MULTILINE)
    assert user.secret_access_key not in ran.out


def octopus(machine: Machine, end: str = "") -> Ran:
    """The documented step on a worker."""
    prepared(machine, "Octopus")
    (command,) = re.findall(r".*calamari run.*", block("Octopus", "sh"))
    keys = machine.launcher
    return machine.script(
        f"{command}{end}",
        {
            "TentacleHome": str(machine.calamari.folder),
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token or "",
        },
    )


def test_octopus(machine: Machine) -> None:
    """The documented step: variables and the artifact arrive, and nobody reads the password."""
    ran = octopus(machine)
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert_deployed(machine)
    read = FakeOctopus.reads(ran.out.encode())
    assert read.variables["Url"] == "https://dev.example.com"
    password = read.variables["AdminPassword"]
    assert len(password) == 32
    assert password not in ran.out
    (artifact,) = read.named("createArtifact")
    assert Path(artifact["path"]).read_text() == "what was done\n"
    assert ("default", "deploying to 111111111111") in read.log


def test_octopus_into_a_file(machine: Machine) -> None:
    """A redirection is not Octopus: what is sensitive stays out of it."""
    octopus(machine, " > log")
    read = FakeOctopus.reads((machine.calamari.folder / "log").read_bytes())
    assert set(read.variables) == {"Url"}
    assert any("'AdminPassword'" in line for line in read.at("warning"))


class PodIdentity(FakeServer):
    """The agent of EKS: credentials for who brings the pod's token."""

    def __init__(self, keys: Keys, token: str) -> None:
        super().__init__()
        self.keys, self.token = keys, token

    def tell(self, heard: Heard) -> Reply:
        if heard.headers.get("authorization") != self.token or heard.path != "/v1/credentials":
            return Reply(401)
        return Reply(
            200,
            credential_document(
                AccessKeyId=self.keys.access_key_id,
                SecretAccessKey=self.keys.secret_access_key,
                Token=self.keys.session_token,
            ),
        )


def kubernetes_job() -> dict[str, Any]:
    account, job = documents("Kubernetes")
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    mounted = {
        m["name"] for c in [*pod["initContainers"], *pod["containers"]] for m in c["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    return dict(pod)


def test_kubernetes(machine: Machine, tmp_path: Path) -> None:
    """The documented pod: the agent's credentials, the result, and outputs for the container that
    comes after."""
    prepared(machine, "Kubernetes")
    pod = kubernetes_job()
    folder = machine.calamari.folder
    places = {"/step/": folder / "deploy", "/results/": folder, "/tmp/": tmp_path}

    def here(word: str) -> str:
        return re.sub(r"/(?:step|results|tmp)/", lambda found: f"{places[found[0]]}/", word)

    token = tmp_path / "eks-pod-identity-token"
    token.write_text("pod-token-0123456789")
    with PodIdentity(machine.launcher, "pod-token-0123456789") as agent:
        env = machine.env({
            "KUBERNETES_SERVICE_HOST": "10.0.0.1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        })  # fmt: skip
        shown = []
        for container in (*pod["initContainers"], *pod["containers"]):
            done = subprocess.run(
                [here(word) for word in container["command"]],
                cwd="/", env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            shown.append(done.stdout)
        assert agent.heard
    assert_deployed(machine)
    assert shown == ["deploying to 111111111111\n", "https://dev.example.com\n"]
    assert os.stat(tmp_path / "outputs.json").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "title", ["GitHub Actions", "GitLab", "Buildkite", "Jenkins", "Octopus", "Kubernetes"]
)
def test_every_job_is_complete(title: str) -> None:
    """It installs, keeps the result, and hands outputs on."""
    text = section(title)
    assert "requirements.txt" in text
    assert "result.json" in text
    assert "Url" in text
