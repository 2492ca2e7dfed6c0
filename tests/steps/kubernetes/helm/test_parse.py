"""A ``helm`` section becomes a spec, or every problem with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import FileMissing, ManifestError, ToolMissing
from calamari_py.steps.kubernetes.spec import ChartRepository, WaitSpec
from tests.steps.kubernetes.helm.room import SECTION, HelmWorld

PLACE = "helm"
REPOSITORY = {"url": "https://charts.example.com", "username": "me", "password": "s3cret-s3cret"}


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """See `HelmWorld`."""
    return HelmWorld(tmp_path)


def said(world: HelmWorld, section: Mapping[str, Any], **more: Any) -> dict[str, str]:
    """What is wrong, by its place."""
    with pytest.raises(ManifestError) as caught:
        world.parse("helm", {**SECTION, **section}, **more)
    return {problem.path or problem.place: problem.message for problem in caught.value.problems}


def test_the_defaults(world: HelmWorld) -> None:
    """An upgrade that is waited for and goes back where it fails."""
    section = {name: value for name, value in SECTION.items() if name != "wait"}
    spec = world.parse("helm", section)
    assert (spec.action, spec.on_failure, spec.wait) == (
        "upgrade", "rollback-to-deployed", WaitSpec(),
    )  # fmt: skip
    assert (spec.chart, spec.chart_is_path) == (str(world.folder / "web"), True)
    assert spec.binary == world.bin / "helm"
    assert spec.warnings == ()


@pytest.mark.parametrize(
    ("section", "place", "words"),
    [
        pytest.param({"release": "We_b"}, "release", "no name of a release", id="release"),
        pytest.param({"release": "a" * 54}, "release", "54 characters", id="long release"),
        pytest.param({"namespace": "App"}, "namespace", "no name of a namespace", id="namespace"),
        pytest.param(
            {"namespace": None, "create_namespace": True}, "create_namespace", "says nothing",
            id="no namespace to make",
        ),
        pytest.param({"chart": None}, "chart", "is missing", id="no chart"),
        pytest.param({"chart": " "}, "chart", "is blank", id="blank chart"),
        pytest.param({"chart": "bitnami/web"}, "chart", "is no path", id="no repository"),
        pytest.param({"chart": "https://x.org/web.zip"}, "chart", "an address", id="address"),
        pytest.param({"chart": "oci://x"}, "chart", "no address of a chart", id="bad oci"),
        pytest.param({"version": "1.0.0"}, "version", "the chart is a path", id="a path's"),
        pytest.param(
            {"chart": "oci://r.example.com/web:1.0.0", "version": "1.0.0"}, "version", "said twice",
            id="two versions",
        ),
        pytest.param(
            {"chart": "r/web", "repository": "ftp://x"}, "repository", "no address", id="repository"
        ),
        pytest.param(
            {"chart": "r/web", "repository": "https://me:pw@x.org"}, "repository",
            "holds a name or a password", id="login in the address",
        ),
        pytest.param(
            {"chart": "r/web", "repository": REPOSITORY}, "repository.password",
            "is written in clear", id="password in clear",
        ),
        pytest.param(
            {"chart": "r/web", "repository": {"url": "https://x.org", "username": "me"}},
            "repository.username", "no use without a password", id="half a login",
        ),
        pytest.param(
            {"chart": "r/web", "repository": {**REPOSITORY, "url": "HTTP://x.org"}},
            "repository.url", "would be given the password unencrypted", id="password over http",
        ),
        pytest.param({"values": ("",)}, "values[0]", "is blank", id="blank values"),
        pytest.param({"values": ("list.yaml",)}, "values[0]", "a list and no mapping", id="a list"),
        pytest.param({"set": {"a..b": 1}}, "set.a..b", "empty part", id="empty part"),
        pytest.param({"set": {"a[0]": 1}}, "set.a[0]", "element of a list", id="element"),
        pytest.param({"set": {"a": 1, "a.b": 2}}, "set.a.b", "says the same", id="clash"),
        pytest.param({"revision": 0}, "revision", "no revision", id="revision"),
        pytest.param({"history_max": 1}, "history_max", "keeps too little", id="history"),
        pytest.param({"wait": {"timeout": 0}}, "wait.timeout", "more than nothing", id="timeout"),
        pytest.param(
            {"chart": "oci://r.example.com/web", "dependency_update": True}, "dependency_update",
            "only a chart that is a path", id="dependencies",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(world: HelmWorld, section: dict[str, Any], place: str, words: str) -> None:
    """Each with its place."""
    world.writes("list.yaml", "- a\n")
    problems = said(world, section)
    assert words in problems[f"{PLACE}.{place}"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        pytest.param("values.yaml", "a: [\n", "no valid YAML", id="values"),
        pytest.param("values.yaml", "a: 1\na: 2\n", "is there twice", id="key twice"),
        pytest.param("web/Chart.yaml", "name: [", "no valid YAML", id="chart"),
    ],
)
def test_a_defect_of_a_file_has_its_line(
    world: HelmWorld, name: str, text: str, words: str
) -> None:
    """It is the file that is named, not the manifest."""
    world.writes(name, text)
    with pytest.raises(ManifestError) as caught:
        world.parse("helm", {**SECTION, "values": ("values.yaml",) if "values" in name else ()})
    (problem, *_) = caught.value.problems
    assert words in problem.message
    assert problem.file.endswith(name)
    assert problem.line


@pytest.mark.parametrize(
    "section",
    [
        pytest.param({"values": ("gone.yaml",)}, id="values"),
        pytest.param({"chart": "./gone"}, id="chart"),
        pytest.param({"chart": "./bin"}, id="a folder without Chart.yaml"),
    ],
)
def test_only_missing_files_are_another_exit_code(
    world: HelmWorld, section: dict[str, Any]
) -> None:
    """66 where nothing else is wrong."""
    with pytest.raises(FileMissing):
        world.parse("helm", {**SECTION, **section})


@pytest.mark.parametrize(
    ("given", "document"),
    [
        pytest.param({"image.tag": "v1", "image.name": "web"},
                     b'{"image": {"tag": "v1", "name": "web"}}', id="nested"),
        pytest.param({"labels.app\\.kubernetes\\.io/name": "x"},
                     b'{"labels": {"app.kubernetes.io/name": "x"}}', id="dots in a name"),
        pytest.param({"a": None, "b": [1, {"c": True}]},
                     b'{"a": null, "b": [1, {"c": true}]}', id="any value"),
        pytest.param({"commas": "a,b=c"}, b'{"commas": "a,b=c"}', id="no syntax in texts"),
    ],
)  # fmt: skip
def test_single_values(world: HelmWorld, given: dict[str, Any], document: bytes) -> None:
    """They are one last document."""
    spec = world.parse("helm", {**SECTION, "values": ({"a": 1},), "set": given})
    assert spec.values == (b'{"a": 1}', document)


def test_a_values_file_is_handed_on_as_it_is(world: HelmWorld) -> None:
    """Only Helm's own reader knows what its texts mean to it."""
    text = "mode: 0755\non: yes\nversion: 1.10\n"
    world.writes("values.yaml", text)
    assert world.parse("helm", {**SECTION, "values": ("values.yaml",)}).values == (text.encode(),)


def test_a_values_file_is_rendered(world: HelmWorld) -> None:
    """Where the manifest says so, before it is parsed."""
    world.writes("values.yaml", "{{ Image }}")
    spec = world.parse(
        "helm",
        {**SECTION, "values": ("values.yaml",), "render": True},
        render=lambda text, _place: text.replace("{{ Image }}", "image: nginx"),
    )
    assert spec.values == (b"image: nginx",)


def test_a_launchers_file_is_nobodys_values(world: HelmWorld) -> None:
    """It is refused before it is read."""
    world.writes("values.yaml", "a: 1\n")
    problems = said(
        world, {"values": ("values.yaml",)}, launchers=lambda path: "values" in str(path)
    )
    assert "belongs to the launcher" in problems["helm.values[0]"]


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        pytest.param(None, "is missing", id="none"),
        pytest.param("^1.2", "is a range", id="a range"),
        pytest.param("1.2.3", "", id="one"),
    ],
)
def test_a_floating_version_is_warned_of(
    world: HelmWorld, version: str | None, warned: str
) -> None:
    """What is installed should not depend on the day."""
    given = {"chart": "web", "repository": "https://charts.example.com", "version": version}
    spec = world.parse("helm", {**SECTION, **given})
    assert spec.chart == "repository/web"
    assert warned in " ".join(spec.warnings)
    assert bool(spec.warnings) == bool(warned)


def test_a_repositorys_password_is_a_secret(world: HelmWorld) -> None:
    """From a sensitive variable it is taken, and it is in no repr."""
    spec = world.parse(
        "helm",
        {**SECTION, "chart": "r/web", "version": "1.0.0", "repository": REPOSITORY},
        sensitive=lambda place: place == "helm.repository.password",
    )
    assert spec.repository == ChartRepository(**REPOSITORY)
    assert "s3cret" not in repr(spec)
    assert ("repository.password", "s3cret-s3cret") in spec.secrets


@pytest.mark.parametrize("action", ["rollback", "uninstall", "test"])
def test_one_manifest_serves_all_actions(world: HelmWorld, action: str) -> None:
    """What an action does not need is not looked for."""
    spec = world.parse("helm", {**SECTION, "chart": "./gone"}, action=action)
    assert (spec.action, spec.chart) == (action, "")


def test_a_missing_program(world: HelmWorld) -> None:
    """It is like a service that is not there (69)."""
    with pytest.raises(ToolMissing, match="'helm9' was not found"):
        world.parse("helm", {**SECTION, "binary": "helm9"})


def test_a_time_in_which_nothing_is_ready(world: HelmWorld) -> None:
    """Helm's objects have to stay ready, like all others."""
    found = said(world, {"wait": {"timeout": 3, "stable_for": 5}})
    assert "shorter than stable_for" in found["helm.wait.timeout"]
