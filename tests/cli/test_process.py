"""The command line as a process: what it imports, and what reaches the child."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import calamari_py
from tests.cli.conftest import calamari, start

pytestmark = pytest.mark.process

LOCAL = "name: local\naccount: none\nscript: |\n"
MODULES = (
    "import json, sys\n"
    "from calamari_py.cli import main\n"
    "try:\n    main(sys.argv[1:])\n"
    "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
)
NEVER = ("botocore", "boto3", "rich", "moto", "werkzeug", "urllib.request", "http.client", "ssl")


def imported(arguments: list[str], folder: Path) -> set[str]:
    """The modules that a command has loaded when it ends."""
    ended = start([sys.executable, "-c", MODULES, *arguments], folder)
    return set(json.loads(ended.err.splitlines()[-1]))


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        pytest.param(["--help"], (*NEVER, "jinja2", "msgspec", "yaml"), id="help"),
        pytest.param(["--version"], (*NEVER, "jinja2", "msgspec", "yaml"), id="version"),
        pytest.param(["run", "--help"], (*NEVER, "jinja2"), id="help of run"),
        pytest.param(["schema"], (*NEVER, "jinja2"), id="schema"),
        pytest.param(["validate", "plain.yaml"], (*NEVER, "jinja2"), id="validate"),
        pytest.param(["validate", "template.yaml"], NEVER, id="validate with templates"),
        pytest.param(["run", "plain.yaml"], (*NEVER, "jinja2"), id="run without AWS"),
    ],
)
def test_what_is_not_needed_is_not_imported(
    arguments: list[str], never: tuple[str, ...], tmp_path: Path
) -> None:
    """Start-up pays for what it uses: no AWS library, no colour, no templates unless needed."""
    (tmp_path / "plain.yaml").write_text(LOCAL + "  true\n")
    (tmp_path / "template.yaml").write_text(LOCAL + "  true\nenv: {A: '{{ name | upper }}'}\n")
    loaded = imported(arguments, tmp_path)
    assert "calamari_py.cli" in loaded
    assert [name for name in never if name in loaded] == []


def test_templates_load_the_engine(tmp_path: Path) -> None:
    """The measurement above can see what it looks for."""
    (tmp_path / "t.yaml").write_text(LOCAL + "  true\nenv: {A: '{{ name | upper }}'}\n")
    assert "jinja2" in imported(["validate", "t.yaml"], tmp_path)


def test_the_script_and_the_module_are_one(tmp_path: Path) -> None:
    """`calamari` and `python -m calamari_py` are the same program, and so is what other tests run
    in their place."""
    script = Path(sys.executable).parent / "calamari"
    if not script.exists():
        pytest.skip("calamari is not installed as a script")
    module = [sys.executable, "-m", "calamari_py"]
    for arguments in (["run", "--help"], ["validate", "none.yaml"]):
        ended = start([str(script), *arguments], tmp_path)
        assert ended == start([*module, *arguments], tmp_path)
        assert ended == calamari(*arguments, folder=tmp_path)


def test_version_of_a_process(tmp_path: Path) -> None:
    """The one version reaches the command line."""
    ended = calamari("--version", folder=tmp_path)
    assert ended.out.strip().endswith(calamari_py.__version__)


def test_a_sensitive_variable_from_the_environment(tmp_path: Path) -> None:
    """`--sensitive-var` reads it, hides it, and takes its name out of the child's environment."""
    (tmp_path / "step.yaml").write_text(
        LOCAL + '  echo "env:${API_TOKEN-none}"\n  echo "var:$(get_variable API_TOKEN)"\n'
        '  [ "$(get_variable API_TOKEN)" = s3cr3t-from-outside ] && echo same\n'
    )
    ended = calamari(
        "run", "step.yaml", "--sensitive-var", "API_TOKEN",
        folder=tmp_path, environ={"API_TOKEN": "s3cr3t-from-outside"},
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.out == "env:none\nvar:***\nsame\n"
    assert "s3cr3t" not in ended.err


def test_variables_win_in_order(tmp_path: Path) -> None:
    """`--var` wins over `--var-file`, which wins over the manifest."""
    (tmp_path / "vars.yaml").write_text("A: file\nB: file\n")
    (tmp_path / "step.yaml").write_text(
        LOCAL + "  for n in A B C; do get_variable $n; echo; done\n"
        "variables: {A: manifest, B: manifest, C: manifest}\n"
    )
    ended = calamari(
        "run", "step.yaml", "--var-file", "vars.yaml", "--var", "A=command=line", folder=tmp_path
    )
    assert ended.out == "command=line\nfile\nmanifest\n"


@pytest.mark.parametrize(
    ("option", "shown", "hidden"),
    [
        pytest.param("--quiet", (), ("succeeded", "not passed on"), id="quiet"),
        pytest.param("--verbose", ("succeeded", "not passed on"), (), id="verbose"),
    ],
)
def test_how_much_is_said(
    option: str, shown: tuple[str, ...], hidden: tuple[str, ...], tmp_path: Path
) -> None:
    """The child's output is the same; of ours there is more or less."""
    (tmp_path / "step.yaml").write_text(LOCAL + "  echo hi\n")
    ended = calamari("run", "step.yaml", option, folder=tmp_path, environ={"AWS_PROFILE": "canary"})
    assert (ended.code, ended.out) == (0, "hi\n")
    assert all(text in ended.err for text in shown)
    assert not any(text in ended.err for text in hidden)
    assert "canary" not in ended.err


def test_paths_are_those_of_the_caller(tmp_path: Path) -> None:
    """Result, outputs and artifacts are relative to where calamari was called."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "step.yaml").write_text(
        LOCAL + "  set_output A 1\n  echo x > log.txt; create_artifact log.txt\n"
    )
    ended = calamari(
        "run", "below/step.yaml", "--result", "r.json", "--outputs", "o.json",
        "--artifacts", "art", folder=tmp_path,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "r.json").read_text())["artifacts"] == ["log.txt"]
    assert json.loads((tmp_path / "o.json").read_text())["A"]["value"] == "1"
    assert (tmp_path / "art" / "log.txt").read_text() == "x\n"


def test_a_closed_standard_output_is_no_traceback(tmp_path: Path) -> None:
    """When the reader of `schema` goes away nothing is complained about."""
    line = f"'{sys.executable}' -m calamari_py schema | head -c 1; echo \" ${{PIPESTATUS[0]}}\""
    ended = start(["bash", "-c", line], tmp_path)
    assert ended.out.split()[0] == "{"
    assert "Traceback" not in ended.err
    assert ended.err == ""
