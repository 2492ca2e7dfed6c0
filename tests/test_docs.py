"""Documentation that can rot is tested: every command of the README is run, every link is there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from calamari_py import errors, manifest
from calamari_py.cli import COMMANDS
from calamari_py.manifest import Overrides
from calamari_py.masking import SecretRegistry
from calamari_py.runner.prepare import prepare_step
from tests.integration.conftest import Calamari, calamari
from tests.preloaded import calamari_command
from tests.tools import FETCHED, require_tool

__all__ = ["calamari"]

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMAND_LINES = [line[2:] for block in CONSOLE for line in block.splitlines() if line[:2] == "$ "]
FILES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", README, re.DOTALL))


def test_the_readme_has_commands() -> None:
    """The patterns that find commands and files find them."""
    assert len(COMMAND_LINES) >= 7
    assert set(FILES) == {"who-am-i.yaml", "deploy.yaml"}


@pytest.mark.process
@pytest.mark.sandbox
@pytest.mark.parametrize(
    "line", [line for line in COMMAND_LINES if line not in {"make demo", "calamari sandbox"}]
)
def test_readme_commands(line: str, calamari: Calamari) -> None:
    """Each command of the README works on the files of the README."""
    require_tool("bash")
    if "who-am-i.yaml" in line and re.search(" (run|exec) ", line):
        require_tool("aws")
    for name, text in FILES.items():
        calamari.write(text, name)
    command = line.replace("calamari ", f"{' '.join(calamari_command(calamari.env()))} ", 1)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=calamari.folder, env=calamari.env(), capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "t0ken-4f9c2a7be1" not in done.stdout + done.stderr
    if line.startswith("calamari validate"):
        assert done.stdout == "who-am-i.yaml: ok\n"
    shown = next(block for block in CONSOLE if f"$ {line}\n" in block).partition(f"$ {line}\n")[2]
    if shown and not shown.startswith("$ "):
        _assert_shows(done.stdout, shown)


def _assert_shows(real: str, shown: str) -> None:
    """Every line of `shown` is in `real`, in order; a line of … stands for any others."""
    left = _timeless(real).splitlines()
    skip = False
    for line in _timeless(shown).splitlines():
        if line.strip() == "…":
            skip = True
            continue
        place = left.index(line) if skip and line in left else 0
        assert left, f"nothing is left for {line!r}"
        assert left[place] == line
        left, skip = left[place + 1 :], False
    assert skip or not left


@pytest.mark.process
@pytest.mark.sandbox
def test_the_demo_looks_as_the_readme_says(calamari: Calamari) -> None:
    """What `make demo` runs prints what the README shows, times apart."""
    require_tool("bash")
    recipe = re.search(r"^demo:.*\n\t@\$\(BIN\)/calamari (.*)$", _makefile(), re.MULTILINE)
    assert recipe
    arguments = [str(ROOT / part) if "/" in part else part for part in recipe[1].split()]
    log = calamari.folder / "log"
    program = calamari_command(calamari.env())
    with log.open("wb") as file:
        code = subprocess.run(
            [*program, *arguments], cwd=calamari.folder, env=calamari.env(),
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=120, check=False,
        ).returncode  # fmt: skip
    shown = log.read_text("utf-8")
    assert code == 0, shown
    expected = next(block for block in CONSOLE if block.startswith("$ make demo\n"))
    assert _timeless(shown) == _timeless(expected.removeprefix("$ make demo\n"))


def _timeless(text: str) -> str:
    text = re.sub(r"STS request \S+", "STS request 6f1c…", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-03-01 10:30 UTC", text)
    text = re.sub(r"valid for \d+m", "valid for 59m", text)
    return re.sub(r"succeeded in [\d.]+s (.*?)─+$", r"succeeded in 1s \1", text, flags=re.MULTILINE)


@pytest.mark.process
@pytest.mark.sandbox
def test_the_sandbox_command(calamari: Calamari) -> None:
    """`calamari sandbox` prints an environment that runs the README's first step, until Ctrl-C."""
    require_tool("aws")
    calamari.write(FILES["who-am-i.yaml"], "who-am-i.yaml")
    process = calamari.start(["sandbox"])
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        assert b"listens on http://127.0.0.1:" in process.stderr.readline()
        exported = {}
        while "AWS_DEFAULT_REGION" not in exported:
            line = process.stdout.readline().decode()
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exported[name] = value.strip("'")
        ran = calamari("run", "who-am-i.yaml", env=exported)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["Account"] == "111111111111"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("target", ["demo", "test", "lint", "format", "bench", "help"])
def test_make_targets(target: str) -> None:
    """The targets that the README names are there and listed by `make help`."""
    require_tool("make")
    assert re.search(rf"^{target}:.*## \S", _makefile(), re.MULTILINE)


def _makefile() -> str:
    return (ROOT / "Makefile").read_text("utf-8")


def test_the_exit_code_table_is_complete() -> None:
    """Every exit code that the code knows is in the README's table."""
    table = README[README.index("## Exit codes") : README.index("## For orchestrators")]
    documented = {int(code) for code in re.findall(r"\b\d{1,3}\b", table)}
    known = {value for name, value in vars(errors).items() if name.startswith("EX_")}
    assert known <= documented


def test_every_command_is_named() -> None:
    """The README mentions every command."""
    assert all(f"calamari {name}" in README for name in COMMANDS)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links(path: Path) -> None:
    """Relative links lead somewhere."""
    for target in re.findall(r"\]\(([^)#]+?)\)", path.read_text("utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


_KUBE = ["kubectl", "helm"]


def _manifests() -> list[tuple[str, str]]:
    shipped = (ROOT / "step-templates").glob("*.yaml")
    found = [(path.name, path.read_text("utf-8")) for path in shipped]
    found += FILES.items()
    for path in (ROOT / "docs").glob("*.md"):
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            found.append((path.name, block))
    return found


@pytest.mark.parametrize(("name", "text"), _manifests(), ids=[name for name, _ in _manifests()])
def test_shown_manifests_are_valid(name: str, text: str, tmp_path: Path) -> None:
    """Every manifest that is shipped or shown can be run as it stands."""
    require_tool("bash")
    for kind, tools in (("terraform", ["terraform"]), ("kubectl", _KUBE), ("helm", _KUBE)):
        for tool in tools if f"\n{kind}:" in text else []:
            require_tool(tool)
    file = tmp_path / "step.yaml"
    file.write_text(text, "utf-8")
    (tmp_path / "templates").symlink_to(ROOT / "step-templates" / "templates")
    with file.open("rb") as stdin:
        source = manifest.read_source(str(file), stdin=stdin, cwd=tmp_path)
    step = prepare_step(
        source,
        environ={"PATH": f"{os.environ['PATH']}:{FETCHED}", "API_TOKEN": "t0ken-4f9c2a7be1"},
        cwd=tmp_path,
        overrides=Overrides(),
        registry=SecretRegistry(),
    )
    assert step.loaded.manifest.name
