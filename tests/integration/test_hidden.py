"""With `--isolate` a step that tries does not get at the launcher's files either."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from calamari_py.process.isolate import isolation_problem
from tests.integration.conftest import Calamari, Ran
from tests.integration.promises import DEV
from tests.process.support import comes_true

pytestmark = [pytest.mark.process, pytest.mark.preloaded]

CANARY = "canary-of-the-launcher"
HEAD = f"name: deploy\nregion: eu-west-1\nassume_role: {DEV}\n"


class Home:
    """The launcher's files in the home of `calamari`, which runs steps there, isolated."""

    def __init__(self, calamari: Calamari) -> None:
        self.calamari = calamari
        self.folder = Path(calamari.environment["HOME"])
        self.environ: dict[str, str] = {}

    def put(self, name: str, text: str = CANARY) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Make it the user's who runs the steps, with the folders up to the home."""
        if os.getuid() == 0 and "setpriv" in self.calamari.interpreter:
            while path != self.folder:
                os.chown(path, 65534, 65534, follow_symlinks=False)
                path = path.parent

    def __call__(self, script: str, more: str = "", *options: str) -> Ran:
        self.calamari.write(f"{HEAD}{more}script: {json.dumps(script)}\n")
        return self.calamari("run", "--isolate", *options, "step.yaml", env=self.environ)


@pytest.fixture(params=["us", "another"])
def home(request: pytest.FixtureRequest) -> Home:
    """As the user we are, root for the most part, and as one without rights."""
    if problem := isolation_problem():
        pytest.skip(problem)
    name = "trusted" if request.param == "us" else "as_another"
    found = Home(request.getfixturevalue(name))
    token = found.put("tok/token")
    found.environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(token)
    return found


as_we_are = pytest.mark.parametrize("home", ["us"], indirect=True)
"""For what calamari finds out before there is a step: whose it is makes no difference."""


def leaked(ran: Ran) -> bool:
    """Whether the step got at it; its scripts print it reversed, which is not masked."""
    return any(text in ran.out + ran.err for text in (CANARY, CANARY[::-1]))


@as_we_are
def test_calamari_reads_no_token_for_it(home: Home) -> None:
    """A variable that is read from the token is not the step's."""
    ran = home("get_variable T | rev; echo done", "variables: {T: {from_file: ~}}\n".replace(
        "~", home.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]))  # fmt: skip
    assert (ran.code, ran.out, leaked(ran)) == (0, "done\n", False)


@as_we_are
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("script: {file: TOKEN, render: true, shell: [/usr/bin/rev, '{file}']}\n",
                     id="script"),
        pytest.param("script: ':'\nfinally: {file: TOKEN, render: true, "
                     "shell: [/usr/bin/rev, '{file}']}\n", id="finally"),
        pytest.param("script: ':'\nvariable_files: [TOKEN]\n", id="variables"),
    ],
)  # fmt: skip
def test_no_token_is_made_a_script(text: str, home: Home) -> None:
    """It is refused with its place, and nothing runs."""
    token = home.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]
    home.calamari.write(HEAD + text.replace("TOKEN", token))
    ran = home.calamari("run", "--isolate", "step.yaml", env=home.environ)
    assert (ran.code, leaked(ran)) == (65, False)
    assert f"'{token}' belongs to the launcher" in ran.err
    assert "hint: name a file" in ran.err


MOVE = "[ -d ~/tok ] && mv ~/tok ~/moved; rev ~/moved/token; echo code $?"


def test_a_renamed_folder_and_finally(home: Home) -> None:
    """Where the step has moved it, it is hidden from what runs next."""
    ran = home(MOVE, "finally: 'rev ~/moved/token; echo last'\n")
    assert (ran.code, ran.out, leaked(ran)) == (0, "code 0\nlast\n", False)
    assert (home.folder / "moved" / "token").read_text() == CANARY


def test_a_renamed_folder_and_another_attempt(home: Home) -> None:
    """The same for each attempt."""
    ran = home(MOVE + "; exit 3", "retry: {attempts: 3, delay: 0s, on_exit_codes: [3]}\n")
    assert (ran.code, ran.out, leaked(ran)) == (3, "code 0\n" * 3, False)


def test_a_renamed_folder_and_an_artifact(home: Home) -> None:
    """calamari does not fetch it for the step either; who declares it has failed."""
    artifacts = home.calamari.folder / "artifacts"
    code = (
        "mv ~/tok ~/moved; ln -s ~/moved ~/link; echo mine > ~/mine; "
        "for f in moved/token link/token mine; do create_artifact ~/$f; done"
    )
    ran = home(code, "", "--artifacts", str(artifacts))
    assert ran.code == 1
    assert [path.name for path in artifacts.iterdir()] == ["mine"]
    assert "'token' is not collected: it belongs to the launcher and is hidden" in ran.err


def test_a_token_that_is_rotated(home: Home) -> None:
    """What the kubelet puts in the old one's place while the step runs is hidden."""
    pod = home.folder / "pod"
    home.put("pod/..1/token")
    for name, target in (("..data", "..1"), ("token", "..data/token")):
        (pod / name).symlink_to(target)
        home.give(pod / name)
    code = (
        "rev ~/pod/token; touch ~/ready; until [ -e ~/rotated ]; do sleep 0.05; done; "
        "rev ~/pod/token ~/pod/..2/token; ls -A ~/pod; echo done"
    )
    home.environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(pod / "token")
    home.calamari.write(f"{HEAD}timeout: 30s\nscript: {json.dumps(code)}\n")
    process = home.calamari.start(["run", "--isolate", "step.yaml"], home.environ)
    with process:
        assert comes_true((home.folder / "ready").exists)
        home.put("pod/..2/token")
        (pod / "..tmp").symlink_to("..2")
        (pod / "..tmp").rename(pod / "..data")
        shutil.rmtree(pod / "..1")
        assert (pod / "token").read_text() == CANARY
        home.put("rotated")
        out, err = (stream.decode() for stream in process.communicate(timeout=60))
    assert (process.returncode, out) == (0, "done\n"), err
    assert CANARY[::-1] not in out


@as_we_are
@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(lambda home: ("AWS_SHARED_CREDENTIALS_FILE", "~/own"), id="home-sign"),
        pytest.param(lambda home: ("AWS_CONFIG_FILE", os.path.relpath(
            home.folder / "own", home.calamari.folder)), id="relative"),
        pytest.param(lambda home: ("AWS_CONFIG_FILE", str(home.put(
            "config", f"[profile p]\nrole_arn=x\nweb_identity_token_file={home.folder}/own\n"))),
            id="token-of-a-profile"),
    ],
)  # fmt: skip
def test_files_that_a_source_reads(setting: Callable[[Home], tuple[str, str]], home: Home) -> None:
    """However the environment names the launcher's file, it is hidden; control: a file is not."""
    home.put("own")
    home.put("mine", "mine")
    name, value = setting(home)
    home.environ[name] = value
    ran = home("cat ~/own | rev; cat ~/mine")
    assert (ran.code, ran.out, leaked(ran)) == (0, "mine", False)


@as_we_are
def test_files_that_the_account_is_read_from(home: Home) -> None:
    """A key that the manifest itself takes from a file is the launcher's, as a file too."""
    environ = home.calamari.environment
    home.put("key", environ["AWS_SECRET_ACCESS_KEY"])
    home.put("session", environ["AWS_SESSION_TOKEN"])
    folder = home.folder
    more = (
        f"account: {{type: access-key, access_key_id: {environ['AWS_ACCESS_KEY_ID']}, "
        "secret_access_key: '{{ K }}', session_token: '{{ S }}'}\n"
        f"variables: {{K: {{from_file: {folder}/key}}, S: {{from_file: {folder}/session}}}}\n"
    )
    ran = home("cat ~/key ~/session | rev; echo done", more)
    assert (ran.code, ran.out) == (0, "done\n"), ran.err
