"""The files of a section become objects, or problems with a place and a cure."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import ManifestError, Problem, ToolFailed
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.objects.load import load_objects, objects_of
from calamari_py.steps.kubernetes.values import KubeObject


def kube(kind: str = "ConfigMap", name: str = "a", more: str = "") -> str:
    """An object of the core group."""
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}{more}}}\n"


def load(
    folder: Path,
    files: dict[str, str | bytes],
    *names: str,
    render: Callable[[str, str], str] | None = None,
    **changes: Any,
) -> tuple[tuple[KubeObject, ...], Checks]:
    """What `names` give where there are `files`: all of them, unless it is said which."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    context = ParseContext(
        folder=folder,
        search_path="",
        path="kubectl",
        render=render or (lambda text, _: text),
        **{key: value for key, value in changes.items() if key == "launchers"},
    )
    checks = Checks(context)
    found = load_objects(
        names or tuple(files),
        folder=folder,
        render=render is not None,
        checks=checks,
        context=context,
        namespace=changes.get("namespace", ""),
    )
    return found, checks


def told(checks: Checks) -> list[str]:
    """All problems, each with its place."""
    return [_told(problem) for problem in checks.found.problems]


def _told(problem: Problem) -> str:
    return f"{problem.place or problem.path} {problem.message}"


def names(found: tuple[KubeObject, ...]) -> list[str]:
    """The names of objects."""
    return [each.ref.name for each in found]


FILES: dict[str, str | bytes] = {
    "k8s/b.yaml": kube(name="b"),
    "k8s/a.yml": kube(name="a"),
    "k8s/deep/er/c.json": '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}}',
    "k8s/README.md": "# no: [manifest",
    "k8s/.hidden.yaml": "no: [manifest",
    "k8s/..data/a.yml": kube(name="a"),
    "other/d.tpl": kube(name="d"),
    "odd/[e].yaml": kube(name="e"),
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(["k8s/b.yaml"], ["b"], id="file"),
        pytest.param(["k8s"], ["a", "b", "c"], id="folder-with-all-below"),
        pytest.param(["k8s/"], ["a", "b", "c"], id="folder-with-a-slash"),
        pytest.param(["./k8s/../k8s/b.yaml"], ["b"], id="detour"),
        pytest.param(["k8s/*.yaml"], ["b"], id="pattern"),
        pytest.param(["k8s/*"], ["a", "b", "c"], id="pattern-that-fits-folders"),
        pytest.param(["k8s/*/er"], ["c"], id="pattern-of-folders"),
        pytest.param(["**/*.json"], ["c"], id="pattern-of-all-levels"),
        pytest.param(["other/*.tpl"], ["d"], id="another-ending"),
        pytest.param(["odd/[e].yaml"], ["e"], id="name-like-a-pattern"),
        pytest.param(["k8s/[ab].y*ml"], ["a", "b"], id="pattern-with-a-choice"),
        pytest.param(["k8s/b.yaml", "k8s", "k8s/*.yml"], ["b", "a", "c"], id="each-file-once"),
    ],
)
def test_files_are_found(tmp_path: Path, written: list[str], expected: list[str]) -> None:
    """In the order in which they are named, those of a folder by name, hidden ones never."""
    found, checks = load(tmp_path, FILES, *written)
    assert (names(found), told(checks)) == (expected, [])


def test_an_absolute_path(tmp_path: Path) -> None:
    """It may lead out of the manifest's folder: then it is told whole."""
    outside = tmp_path / "outside.yaml"
    outside.write_text(kube(name="x"))
    (tmp_path / "in").mkdir()
    found, checks = load(tmp_path / "in", {}, str(outside), "../*.yaml")
    assert (names(found), told(checks)) == (["x"], [])
    assert found[0].place == f"{outside}:1"


@pytest.mark.parametrize(
    ("written", "expected", "is_missing"),
    [
        pytest.param(
            "k8s/*.yaml.j2", "'k8s/*.yaml.j2' fits no file in '{}/k8s'", True, id="pattern"
        ),
        pytest.param("none/*.yaml", "fits nothing: there is no folder '{}/none'", True, id="base"),
        pytest.param("none.yaml", "'none.yaml' does not exist", True, id="file"),
        pytest.param("empty", "'empty' holds no kube manifest", True, id="folder"),
        pytest.param("other", "'other' holds no kube manifest", True, id="folder-of-others"),
        pytest.param("dangling.yaml", "is a link that leads nowhere", True, id="dangling-link"),
        pytest.param("loop", "is a link to a folder that it lies in", False, id="loop-of-links"),
        pytest.param("fifo.yaml", "'fifo.yaml' is no regular file", True, id="pipe"),
        pytest.param("x" * 300, "does not exist", True, id="too-long-a-name"),
        pytest.param(" ", "is no path", False, id="blank"),
        pytest.param("a\0b", "is no path", False, id="nul"),
        pytest.param("-", "is '-'", False, id="standard-input"),
        pytest.param("https://x.org/a.yaml", "is an address", False, id="address"),
        pytest.param("k8s/**b/*.yaml", "is no pattern", False, id="no-pattern"),
    ],
)
def test_what_names_no_file(tmp_path: Path, written: str, expected: str, is_missing: bool) -> None:
    """Is a problem of the section, at the name that is wrong."""
    for folder in ("empty", "loop/in"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop/in/again").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "fifo.yaml")
    found, checks = load(tmp_path, FILES, "k8s/b.yaml", written)
    [problem] = checks.found.problems
    assert (names(found), problem.path) == (["b"], "kubectl.files[1]")
    assert expected.format(tmp_path) in problem.message
    assert problem.hint
    with pytest.raises(ManifestError) as caught:
        checks.found.raise_if_any()
    assert (caught.value.exit_code == 66) is is_missing


def test_a_file_is_read_once_by_whatever_links(tmp_path: Path) -> None:
    """Or its objects would be there twice."""
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/a-link.yaml").symlink_to("b.yaml")
    (tmp_path / "linked").symlink_to("k8s")
    found, checks = load(tmp_path, FILES, "k8s/*.yaml", "linked/b.yaml")
    assert (names(found), told(checks)) == (["b"], [])


def test_a_launchers_file_is_refused(tmp_path: Path) -> None:
    """Also where a folder or a link leads to it."""
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/link.yaml").symlink_to(tmp_path / "token.yaml")
    found, checks = load(
        tmp_path,
        {"token.yaml": kube()},
        "k8s",
        launchers=lambda path: os.path.realpath(path) == str(tmp_path / "token.yaml"),
    )
    assert (found, told(checks)) == (
        (),
        ["kubectl.files[0] 'k8s/link.yaml' belongs to the launcher"],
    )


def test_objects_keep_their_text_and_place(tmp_path: Path) -> None:
    """A comment may be worth something to who reads it; a JSON text is one line."""
    text = f"# why\n{kube()}---\n---\n{kube('Pod', 'p', ', namespace: app')}"
    found, checks = load(tmp_path, {"a.yaml": text, "b.json": '{\n"apiVersion":\t"v1",'
                         '"kind": "Pod", "metadata": {"generateName": "x-"}}'})  # fmt: skip
    assert told(checks) == []
    assert [each.text for each in found] == [
        f"# why\n{kube()}".encode(),
        kube("Pod", "p", ", namespace: app").encode(),
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"x-"}}',
    ]
    assert [each.place for each in found] == ["a.yaml:2", "a.yaml:7", "b.json:1"]
    assert [str(each.ref) for each in found] == [
        "ConfigMap a",
        "Pod app/p",
        "Pod (named by the server)",
    ]
    assert [each.generate_name for each in found] == ["", "", "x-"]


def test_lists_are_taken_apart(tmp_path: Path) -> None:
    """A list in a list, too; an item of a list of one kind need not name it."""
    text = """apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
- apiVersion: v1
  kind: ConfigMapList
  items:
  - metadata: {name: a}
    data: {k: "\\u2028"}
"""
    found, checks = load(tmp_path, {"a.yaml": text})
    assert told(checks) == []
    assert [(str(each.ref), each.place) for each in found] == [
        ("Deployment web", "a.yaml:4"),
        ("ConfigMap a", "a.yaml:10"),
    ]
    assert found[1].text == (
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"\\u2028"}}'
    )


HEAD = "apiVersion: v1\nkind: Pod\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("kind: Pod\nmetadata: {name: a}", "1:1 apiVersion is missing", id="version"),
        pytest.param("apiVersion: v1\nmetadata: {name: a}", "1:1 kind is missing", id="kind"),
        pytest.param("apiVersion: 1\nkind: Pod\nmetadata: {name: a}", "1:1 apiVersion is no text",
                     id="version-number"),
        pytest.param("apiVersion: a/b/c\nkind: Pod\nmetadata: {name: a}", "1:1 'a/b/c' is no API",
                     id="version-form"),
        pytest.param("# c\n" + HEAD, "2:1 metadata is missing", id="metadata"),
        pytest.param(HEAD + "metadata: a", "3:1 metadata is no mapping", id="metadata-text"),
        pytest.param(HEAD + "metadata: {labels: {a: b}}", "3:1 metadata.name is missing",
                     id="name"),
        pytest.param(HEAD + "metadata:\n  name: 12", "4:3 metadata.name is no text", id="name-12"),
        pytest.param(HEAD + "metadata: {name: a, namespace: 1}", "3:21 metadata.namespace is no",
                     id="namespace"),
        pytest.param(HEAD + "metadata: {name: a, generateName: b}", "3:21 has both a name and",
                     id="both-names"),
        pytest.param(HEAD + "metadata:\n  name: a\n  annotations:\n    x: true\n",
                     "6:5 'x' of metadata.annotations is no text", id="annotation"),
        pytest.param(HEAD + "metadata: {name: a, labels: x}", "3:21 metadata.labels is no mapping",
                     id="labels"),
        pytest.param("- a\n", "1:1 is a list, and a kube manifest is", id="list"),
        pytest.param("text\n", "1:1 is no mapping, and a kube manifest is", id="text"),
        pytest.param("apiVersion: v1\nkind: List\nitems:\n- \n- kind: Pod\n",
                     "4:2 is no mapping", id="empty-item"),
        pytest.param("apiVersion: v1\nkind: List\n", "2:1 is a List without items",
                     id="empty-list"),
        pytest.param(kube() + "items: [{apiVersion: v1, kind: Pod, metadata: {name: x}}]\n",
                     "4:1 has 'items', which kubectl takes", id="items"),
        pytest.param("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
                     "metadata: {name: x}\n", "2:1 is a Kustomization for kustomize",
                     id="kustomize"),
        pytest.param(HEAD + "metadata:\n  name: {{ .Values.name }}\n",
                     "4:9 holds a placeholder", id="helm"),
        pytest.param("{{- if .Values.on }}\n" + kube() + "{{- end }}\n",
                     "1:1 holds a placeholder", id="helm-condition"),
        pytest.param(HEAD + "metadata:\n  name: {{ name }}-web\n", "4:9 holds a placeholder",
                     id="jinja"),
        pytest.param(HEAD + 'metadata: {name: "{{ name }}"}\n',
                     "3:12 metadata.name holds a placeholder", id="placeholder-in-quotes"),
        pytest.param(HEAD + 'metadata: {name: "a\\nweb created"}\n',
                     "3:12 metadata.name holds a character that cannot", id="line-in-a-name"),
        pytest.param(HEAD + 'metadata: {name: a, namespace: "a\\e[2J"}\n',
                     "3:21 metadata.namespace holds a character", id="escape-in-a-namespace"),
        pytest.param('apiVersion: v1\nkind: "Pod\\n"\nmetadata: {name: a}\n',
                     "2:1 kind holds a character that cannot", id="line-in-a-kind"),
        pytest.param(HEAD + "metadata:\n  name: a\n  name: b\n",
                     "5:3 is there twice, first on line 4", id="equal-keys"),
        pytest.param(HEAD + "metadata:\n\tname: a\n", "4:1 is indented with a tab", id="tab"),
        pytest.param("# nothing\n", "kubectl.files hold no object", id="nothing"),
        pytest.param(b"a: \0", "1:4 holds a NUL character", id="nul"),
        pytest.param(b"a: \xff", "1:4 is not valid UTF-8", id="no-utf-8"),
    ],
)  # fmt: skip
def test_defects(tmp_path: Path, text: str | bytes, expected: str) -> None:
    """Each is told with its place in the file, and with a cure."""
    _, checks = load(tmp_path, {"a.yaml": text})
    expected = expected if expected.startswith("kubectl") else f"a.yaml:{expected}"
    assert told(checks)[0].startswith(expected)
    assert all(problem.hint for problem in checks.found.problems)


def test_placeholders_elsewhere_are_texts(tmp_path: Path) -> None:
    """Workflows and alerts have them, for others to fill in."""
    text = kube() + 'data: {a: "{{ $labels.pod }}"}\n'
    found, checks = load(tmp_path, {"a.yaml": text})
    assert (names(found), told(checks)) == (["a"], [])


@pytest.mark.parametrize(
    ("first", "second", "namespace", "expected"),
    [
        pytest.param(kube(), kube(), "",
                     ["b.yaml:1:1 'ConfigMap a' is there twice, first at a.yaml:1"],
                     id="twice"),
        pytest.param(kube(), kube("Pod"), "", [], id="other-kind"),
        pytest.param(kube(), kube(more=", namespace: x"), "", [], id="other-namespace"),
        pytest.param(kube(), kube(more=", namespace: x"), "x",
                     ["b.yaml:1:1 'ConfigMap x/a' is there twice, first at a.yaml:1"],
                     id="the-steps-namespace"),
        pytest.param("apiVersion: apps/v1\nkind: D\nmetadata: {name: a}\n",
                     "apiVersion: apps/v1beta1\nkind: D\nmetadata: {name: a}\n", "",
                     ["b.yaml:1:1 'D a' is there twice, first at a.yaml:1"], id="two-versions"),
        pytest.param(HEAD + "metadata: {generateName: a}", HEAD + "metadata: {generateName: a}", "",
                     [], id="named-by-the-server"),
    ],
)  # fmt: skip
def test_an_object_that_is_there_twice(
    tmp_path: Path, first: str, second: str, namespace: str, expected: list[str]
) -> None:
    """Is refused, with both places."""
    _, checks = load(tmp_path, {"a.yaml": first, "b.yaml": second}, namespace=namespace)
    assert told(checks) == expected


def test_files_are_rendered(tmp_path: Path) -> None:
    """Each by itself, before anything is read."""
    seen: list[str] = []

    def render(text: str, place: str) -> str:
        seen.append(place)
        return text.replace("{{ x }}", "one\n# more\nkind: [")

    found, checks = load(tmp_path, {"a.yaml": kube(), "b.yaml": "a: {{ x }}"}, render=render)
    assert (names(found), seen) == (["a"], ["kubectl.files[0]", "kubectl.files[1]"])
    assert told(checks)[0].startswith("b.yaml (rendered):4:1 is no valid YAML")


def test_what_cannot_be_rendered_yet_is_not_judged(tmp_path: Path) -> None:
    """Other problems of the manifest are looked for while its values are not known."""
    found, checks = load(
        tmp_path, {"a.yaml": "a: {{ x }}\nb: [{% if %}"}, render=lambda text, _: text
    )
    assert (found, told(checks)) == ((), [])


def test_what_cannot_be_rendered_is_told(tmp_path: Path) -> None:
    """The problem is the template's own."""

    def render(text: str, place: str) -> str:
        raise ManifestError([Problem(path=place, message="no such variable")])

    _, checks = load(tmp_path, {"a.yaml": "a: {{ x }}"}, render=render)
    assert told(checks) == ["kubectl.files[0] no such variable"]


def test_what_a_tool_has_built() -> None:
    """It is taken as kubectl takes it: keys that are there twice are the chart's affair."""
    text = kube(name="x") + "data: {a: b, a: c}\n---\n# Source: x\n" + kube(name="x")
    first, second = objects_of(text.encode(), origin="the chart")
    assert (first.body["data"], second.place) == ({"a": "c"}, "the chart:7")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"a: [", "the chart is no kube manifest: is no valid YAML: ", id="yaml"),
        pytest.param(b"\n\xff", "the chart is no kube manifest: is not valid UTF-8 (line 2)",
                     id="utf"),
        pytest.param(b"a: 1\n---\nb: 1\n",
                     "the chart is no kube manifest: apiVersion is missing (line 1, and 5 more)",
                     id="objects"),
    ],
)  # fmt: skip
def test_what_a_tool_has_built_and_is_no_manifest(data: bytes, expected: str) -> None:
    """The tool has failed."""
    with pytest.raises(ToolFailed) as caught:
        objects_of(data, origin="the chart")
    assert str(caught.value).startswith(expected)
    assert caught.value.hint
