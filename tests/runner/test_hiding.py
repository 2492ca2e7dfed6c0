"""What is hidden from an isolated step: the launcher's files, wherever they are by now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calamari_py.aws import Parameter
from calamari_py.errors import ToolMissing
from calamari_py.manifest import LoadedManifest
from calamari_py.masking import Secret
from calamari_py.process.isolate import isolation_problem
from calamari_py.runner.hiding import Hiding, hidden_paths, hidden_problems
from tests.manifest.support import MINIMAL, ROLE, load_text
from tests.runner.world import HEAD, World

OIDC = f"account: {{type: oidc, role_arn: '{ROLE}', token_file: ../own/token}}\n"
KEYS = (
    "account: {type: access-key, access_key_id: A, secret_access_key: '{{ K }}'}\n"
    "variables: {K: {from_file: ../own/token}}\n"
)
Hide = Callable[..., list[str]]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A machine's files: a home, a folder ``work`` for manifests, and ``own`` with a token."""
    for name in ("home/own/token", "home/.aws/config", "work/step.yaml", "own/token", "own/other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def kubelet(folder: Path, version: str = "..1") -> Path:
    """A token in `folder` as the kubelet mounts it; what was there is replaced."""
    (folder / version).mkdir(parents=True)
    (folder / version / "token").write_text(version)
    (folder / "..tmp").symlink_to(version)
    (folder / "..tmp").rename(folder / "..data")
    if not (folder / "token").is_symlink():
        (folder / "token").symlink_to("..data/token")
    return folder / "token"


def loaded(base: Path, text: str = "", folder: str = "work", **environ: str) -> LoadedManifest:
    """The step of `text` in `folder`."""
    return load_text(MINIMAL + text, environ=environ, folder=base / folder)


@pytest.fixture
def hide(base: Path) -> Hide:
    """What is hidden below `base`, relative to it."""

    def call(text: str = "", folder: str = "work", **environ: str) -> list[str]:
        environ = {"HOME": str(base / "home"), **environ}
        found = hidden_paths(loaded(base, text, folder), environ)
        return [str(path.relative_to(base)) for path in found if path.is_relative_to(base)]

    return call


@pytest.mark.parametrize(
    ("text", "name", "value", "expected"),
    [
        pytest.param("", "X", "", [], id="nothing-else"),
        pytest.param("", "AWS_WEB_IDENTITY_TOKEN_FILE", "{base}/own/token", ["own/token"],
                     id="absolute"),
        pytest.param("", "AWS_SHARED_CREDENTIALS_FILE", "~/own/token", ["home/own/token"],
                     id="home-sign"),
        pytest.param("", "AWS_CONFIG_FILE", " $OWN_FOLDER/token ", ["own/token"], id="variable"),
        pytest.param("", "AWS_WEB_IDENTITY_TOKEN_FILE", "../own/token", ["own/token"],
                     id="relative-to-where-we-are"),
        pytest.param("", "AWS_CONFIG_FILE", "{base}/profiles", ["own/token", "profiles"],
                     id="token-of-a-profile"),
        pytest.param("", "AWS_CONFIG_FILE", "{base}/nowhere", [], id="not-there"),
        pytest.param(OIDC, "X", "", ["own/token"], id="token-file-of-the-account"),
        pytest.param(KEYS, "X", "", ["own/token"], id="key-file-of-the-account"),
    ],
)  # fmt: skip
def test_what_is_hidden(
    text: str,
    name: str,
    value: str,
    expected: list[str],
    base: Path,
    hide: Hide,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that leads to the launcher and is there, each path as its credential source reads it."""
    monkeypatch.chdir(base / "work")
    monkeypatch.setenv("OWN_FOLDER", str(base / "own"))
    (base / "profiles").write_text(f"[p]\nweb_identity_token_file={base}/own/token\n")
    assert hide(text, **{name: value.format(base=base)}) == sorted(["home/.aws", *expected])


def test_a_device_stays(base: Path) -> None:
    """Who has no config file may say ``/dev/null``, which steps write to."""
    found = hidden_paths(loaded(base), {"HOME": str(base), "AWS_CONFIG_FILE": os.devnull})
    assert Path(os.devnull) not in found


def test_the_folder_of_a_token_that_is_a_link(base: Path, hide: Hide) -> None:
    """Whatever the kubelet puts there later is hidden as well, also for a path inside."""
    token = kubelet(base / "pod")
    for path in (token, base / "pod" / "..data" / "token"):
        found = hide(AWS_WEB_IDENTITY_TOKEN_FILE=str(path))
        assert found == ["home/.aws", "pod"], path


@pytest.mark.parametrize(
    ("link", "environ"),
    [
        pytest.param("home/token", {}, id="home"),
        pytest.param("bin/token", {"PATH": "{base}/bin"}, id="programs"),
        pytest.param("temp/token", {"TMPDIR": "{base}/temp/below"}, id="above-temporary-files"),
        pytest.param("work/token", {}, id="the-manifests"),
    ],
)
def test_a_folder_that_steps_need_stays(
    link: str, environ: dict[str, str], base: Path, hide: Hide
) -> None:
    """A link there hides what it leads to, and not its folder."""
    (base / link).parent.mkdir(exist_ok=True)
    (base / link).symlink_to(base / "own" / "token")
    values = {name: value.format(base=base) for name, value in environ.items()}
    found = hide(AWS_WEB_IDENTITY_TOKEN_FILE=str(base / link), **values)
    assert found == ["home/.aws", "own/token"]


def test_a_link_on_the_way_that_leads_elsewhere(base: Path, hide: Hide) -> None:
    """Only the token's own link has its folder hidden: ``/var/run`` is one, too."""
    (base / "there").symlink_to(base / "own")
    found = hide(AWS_WEB_IDENTITY_TOKEN_FILE=str(base / "there" / "token"))
    assert found == ["home/.aws", "own/token"]


def test_the_manifests_own_folder_stays(hide: Hide) -> None:
    """A step can be kept in ``~/.aws``: then the files that lead to the launcher are hidden."""
    assert hide(folder="home/.aws") == ["home/.aws/config"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("script: {file: ../own/token}\n", ["script.file"], id="script"),
        pytest.param("script: {file: link}\n", ["script.file"], id="through-a-link"),
        pytest.param("script: {file: ../home/.aws/config}\n", ["script.file"], id="below"),
        pytest.param("script: x\nfinally: {file: ../own/token}\n", ["finally.file"], id="finally"),
        pytest.param(
            f"script: x\nassume_role: {{role_arn: '{ROLE}', policy: ../own/token}}\n",
            ["assume_role[0].policy"],
            id="policy",
        ),
        pytest.param("script: {file: ../own/other}\n", [], id="beside-it"),
        pytest.param("script: x\n", [], id="no-file"),
    ],
)
def test_no_hidden_file_is_read_for_the_step(text: str, expected: list[str], base: Path) -> None:
    """A script or policy that is the launcher's file, by any path, is a problem of its key."""
    (base / "work" / "link").symlink_to(base / "own" / "token")
    environ = {"HOME": str(base / "home"), "AWS_WEB_IDENTITY_TOKEN_FILE": f"{base}/own/token"}
    step = load_text(f"name: x\n{text}", folder=base / "work")
    found = hidden_problems(step, environ)
    assert [problem.path for problem in found] == expected
    assert all("belongs to the launcher" in p.message and p.hint for p in found)


class Run:
    """One run on a machine: `paths` says what is hidden now, relative to its `base`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.hiding = Hiding()
        self.environ = {
            "HOME": str(base / "home"),
            "AWS_WEB_IDENTITY_TOKEN_FILE": f"{base}/own/token",
        }

    def paths(self) -> list[str]:
        found = self.hiding.paths(loaded(self.base), self.environ)
        return [str(path.relative_to(self.base)) for path in found]


@pytest.fixture
def run(base: Path) -> Iterator[Run]:
    """One that has begun: its files are hidden where they are."""
    started = Run(base)
    assert started.paths() == ["home/.aws", "own/token"]
    yield started
    started.hiding.close()


def test_what_a_step_moved_is_hidden_where_it_is_now(base: Path, run: Run) -> None:
    """A folder above it was renamed; something else that stands there now is hidden, too."""
    (base / "own").rename(base / "moved")
    assert run.paths() == ["home/.aws", "moved/token"]
    (base / "own").mkdir()
    (base / "own" / "token").write_text("made up")
    assert run.paths() == ["home/.aws", "moved/token", "own/token"]
    (base / "moved").rename(base / "again")
    assert run.paths() == ["again/token", "home/.aws", "own/token"]


def test_a_token_that_was_replaced(base: Path, run: Run) -> None:
    """What a run hid first and is gone for good is no reason to stop; its successor is hidden."""
    (base / "new").write_text("new")
    (base / "new").rename(base / "own" / "token")
    (base / "home" / ".aws" / "config").unlink()
    (base / "home" / ".aws").rmdir()
    assert run.paths() == ["own/token"]


def test_what_cannot_be_found_any_more_stops_the_run(base: Path, run: Run) -> None:
    """A file that has lost its name and kept another could be read: nothing runs."""
    os.link(base / "own" / "token", base / "elsewhere")
    (base / "own" / "token").unlink()
    with pytest.raises(ToolMissing) as caught:
        run.paths()
    assert str(caught.value) == (
        f"the step cannot be isolated: '{base}/own/token' cannot be hidden "
        "(it was moved to where it cannot be found)"
    )
    assert caught.value.hint


def test_what_a_step_declares_is_known_wherever_it_is(base: Path, run: Run) -> None:
    """Artifacts are read by calamari itself: by any path it knows what was hidden."""
    (base / "own").rename(base / "moved")
    (base / "link").symlink_to("home/.aws")
    for name, hidden in (("moved/token", True), ("link/config", True), ("moved/other", False)):
        assert run.hiding.holds(base / name) is hidden, name


def test_nothing_stays_open(base: Path) -> None:
    """However often a run asks, it lets go of everything at its end."""
    before = len(os.listdir("/proc/self/fd"))
    run = Run(base)
    for _ in range(3):
        run.paths()
    assert len(os.listdir("/proc/self/fd")) == before + 2
    run.hiding.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_whose_name_was_fetched(world: World, base: Path) -> None:
    """What only SSM knew is looked at before the child, too."""
    if problem := isolation_problem():
        pytest.skip(problem)
    token = base / "own" / "token"
    world.environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(token)
    world.aws.parameters["/app/file"] = Parameter(value=Secret(str(token)), sensitive=False)
    result = world.run(
        f"{HEAD}variables: {{F: {{from_ssm: /app/file}}}}\nscript: {{file: '{{{{ F }}}}'}}\n",
        isolate=True,
    )
    assert result.exit_code == 65
    assert [problem.path for problem in result.problems] == ["script.file"]
    assert world.aws.operations() == ["AssumeRole", "GetParameter"]
    assert world.child.environments == []
