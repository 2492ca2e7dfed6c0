"""What a step leaves: outputs and artifacts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from calamari_py.result import OutputVariable
from tests.fakes import Child, Running, prints
from tests.runner.world import HEAD, SCRIPT, World

SECRET = "s3cr3t-value-of-a-variable"
WITH_SECRET = f"{HEAD}{SCRIPT}variables: {{T: {{value: {SECRET}, sensitive: true}}}}\n"


def publishes(text: str) -> Child:
    """A child that appends `text` to its output file."""

    def child(running: Running) -> int:
        running.publish(text)
        return 0

    return child


def leaves(*artifacts: tuple[str, str], make: Callable[[Path], object] | None = None) -> Child:
    """A child that declares artifacts: pairs of name and file below its temporary folder."""

    def child(running: Running) -> int:
        folder = Path(running.environment["CALAMARI_TEMP"])
        if make is not None:
            make(folder)
        for name, file in artifacts:
            running.declare("artifact", f"{name}\n{folder / file}")
        return 0

    return child


def files(folder: Path) -> None:
    (folder / "a").write_text("A")
    (folder / "b").write_text("B")


# --- outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        pytest.param("A=1\nB=x=y\n", {"A": "1", "B": "x=y"}, id="pairs"),
        pytest.param("A=1\nA=2\n", {"A": "2"}, id="the last wins"),
        pytest.param("A<<E\nl1\nl2\nE\n", {"A": "l1\nl2"}, id="lines"),
        pytest.param("A=\n", {"A": ""}, id="empty value"),
    ],
)
def test_outputs(text: str, outputs: dict[str, str], world: World) -> None:
    """What a step publishes stands in the result, by name."""
    result = world.run(HEAD + SCRIPT, publishes(text), result=world.folder / "result.json")
    assert {name: output.value for name, output in result.outputs.items()} == outputs
    assert world.document()["outputs"] == {
        name: {"value": value, "sensitive": False} for name, value in outputs.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nonsense\nA=1\n", id="no pair"),
        pytest.param("=1\nA=1\n", id="no name"),
        pytest.param(f"A=1\nB<<E\n{SECRET}\n", id="no end"),
    ],
)
def test_bad_lines_are_no_success(text: str, world: World) -> None:
    """A line that is no output is named by its number, without its content; an output is lost, so
    the step has not succeeded."""
    result = world.run(WITH_SECRET, publishes(text))
    assert (result.exit_code, result.exit_origin) == (1, "calamari")
    assert set(result.outputs) == {"A"}
    assert len(world.reporter.warnings) == 1
    assert "line" in world.reporter.warnings[0]
    assert SECRET not in world.reporter.text


def declared_sensitive(running: Running) -> int:
    running.declare("sensitive", "Token\nonly-now-known")
    running.publish("Token=only-now-known\n")
    running.write(b"only-now-known\n")
    return 0


@pytest.mark.parametrize(
    ("child", "name", "value"),
    [
        pytest.param(declared_sensitive, "Token", "only-now-known", id="declared"),
        pytest.param(publishes(f"A={SECRET}\n"), "A", SECRET, id="a secret"),
        pytest.param(publishes(f"A=https://u:{SECRET}@h/\n"), "A", f"https://u:{SECRET}@h/",
                     id="holds a secret"),
    ],
)  # fmt: skip
def test_sensitive_outputs(child: Child, name: str, value: str, world: World) -> None:
    """A sensitive output reaches `--outputs` alone."""
    result = world.run(
        WITH_SECRET, child, result=world.folder / "result.json", outputs=world.folder / "out.json"
    )
    assert result.outputs[name] == OutputVariable(value=value, sensitive=True)
    assert world.document()["outputs"][name] == {"value": None, "sensitive": True}
    assert world.document("out.json")[name] == {"value": value, "sensitive": True}
    assert (world.folder / "out.json").stat().st_mode & 0o777 == 0o600
    (world.folder / "out.json").unlink()
    assert value not in world.everything()


def test_a_sensitive_output_that_is_set_again(world: World) -> None:
    """What was declared sensitive once stays so: `finally` does not show the newer value either."""

    def child(running: Running) -> int:
        running.publish("Token=rotated-value-2\n")
        return declared_sensitive(running)

    text = f"{HEAD}{SCRIPT}finally: clear up\n"
    result = world.run(text, child, prints(b"cleanup of rotated-value-2\n"))
    assert result.outputs["Token"] == OutputVariable(value="only-now-known", sensitive=True)
    assert world.reporter.shown() == b"***\ncleanup of ***\n"


def test_an_output_file_that_is_a_fifo_is_said(world: World) -> None:
    """What stands in place of the output file is neither followed nor waited for."""

    def child(running: Running) -> int:
        path = running.environment["CALAMARI_OUTPUT"]
        os.unlink(path)
        os.mkfifo(path)
        return 0

    result = world.run(HEAD + SCRIPT, child)
    assert result.outputs == {}
    assert any("its outputs are lost" in warning for warning in world.reporter.warnings)


def test_outputs_of_a_failed_step_count(world: World) -> None:
    """A step that fails has published what it has published."""

    def child(running: Running) -> int:
        running.publish("A=1\n")
        return 4

    assert set(world.run(HEAD + SCRIPT, child).outputs) == {"A"}


# --- artifacts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "collected"),
    [
        pytest.param(("log.txt",), ["log.txt"], id="plain"),
        pytest.param(("log.txt", "log.txt"), ["log.txt", "log-2.txt"], id="taken"),
        pytest.param(("a.tar.gz", "a.tar.gz"), ["a.tar.gz", "a-2.tar.gz"], id="two suffixes"),
        pytest.param((".hidden", ".hidden"), [".hidden", ".hidden-2"], id="hidden"),
        pytest.param(("../../etc/passwd",), ["passwd"], id="climbing"),
        pytest.param(("/abs/name",), ["name"], id="absolute"),
        pytest.param(("..\\..\\win.ini",), ["win.ini"], id="backslashes"),
        pytest.param(("..",), ["artifact"], id="dots"),
        pytest.param(("a/",), ["artifact"], id="no base name"),
        pytest.param(("a\x1b[31mb\x07.txt",), ["a[31mb.txt"], id="control characters"),
        pytest.param((f"{SECRET}.txt",), ["***.txt"], id="secret"),
    ],
)
def test_artifact_names(names: tuple[str, ...], collected: list[str], world: World) -> None:
    """Names become safe base names; nothing is overwritten, nothing lands elsewhere."""
    folder = world.folder / "artifacts"
    result = world.run(
        WITH_SECRET, leaves(*((name, "a") for name in names), make=files), artifacts=folder
    )
    assert list(result.artifacts) == collected
    assert sorted(path.name for path in folder.iterdir()) == sorted(collected)
    assert {path.read_text() for path in folder.iterdir()} == {"A"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_files_of_other_runs_are_kept(world: World) -> None:
    """A file that lies in the folder already is not replaced."""
    folder = world.folder / "artifacts"
    folder.mkdir()
    (folder / "a").write_text("older")
    result = world.run(HEAD + SCRIPT, leaves(("a", "a"), make=files), artifacts=folder)
    assert result.artifacts == ("a-2",)
    assert (folder / "a").read_text() == "older"


def _link(folder: Path) -> None:
    (folder / "x").symlink_to("/etc/passwd")


def _big(folder: Path) -> None:
    with (folder / "x").open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(_link, "link", id="link"),
        pytest.param(lambda f: os.mkfifo(f / "x"), "regular", id="fifo"),
        pytest.param(lambda f: (f / "x").mkdir(), "regular", id="folder"),
        pytest.param(lambda f: None, "does not exist", id="missing"),
        pytest.param(_big, "10 MB", id="too large"),
    ],
)
def test_what_is_no_plain_file_is_not_collected(
    make: Callable[[Path], object], why: str, world: World
) -> None:
    """Each refusal is said by name and reason; a lost artifact is no success."""
    folder = world.folder / "artifacts"
    result = world.run(HEAD + SCRIPT, leaves(("x", "x"), make=make), artifacts=folder)
    assert result.exit_code == 1
    assert result.artifacts == ()
    assert list(folder.iterdir()) == []
    (warning,) = world.reporter.warnings
    assert "artifact 'x' is not collected" in warning
    assert why in warning


def test_a_name_too_long_for_the_file_system_is_said(world: World) -> None:
    """An artifact that cannot be written is said, and leaves nothing half written."""
    folder = world.folder / "artifacts"
    result = world.run(HEAD + SCRIPT, leaves(("n" * 300, "a"), make=files), artifacts=folder)
    assert (result.exit_code, result.artifacts) == (1, ())
    assert list(folder.iterdir()) == []
    assert any("cannot be written" in warning for warning in world.reporter.warnings)


def test_an_artifacts_folder_that_vanished_is_said(world: World) -> None:
    """A step that removes the folder loses its artifacts, and that is no success."""
    folder = world.folder / "artifacts"

    def child(running: Running) -> int:
        folder.rmdir()
        return leaves(("a", "a"), make=files)(running)  # type: ignore[return-value]

    result = world.run(HEAD + SCRIPT, child, artifacts=folder)
    assert (result.exit_code, result.artifacts) == (1, ())
    assert any("cannot be written" in warning for warning in world.reporter.warnings)


def test_without_a_folder_artifacts_are_named_and_lost(world: World) -> None:
    """Without `--artifacts` a declared artifact is a warning that says how to get it."""
    result = world.run(HEAD + SCRIPT, leaves(("a", "a"), make=files))
    assert result.artifacts == ()
    assert any("--artifacts" in warning for warning in world.reporter.warnings)


def test_a_path_with_a_nul_byte(world: World) -> None:
    """A path that no file can have is refused like a file that is not there."""

    def child(running: Running) -> int:
        running.declare("artifact", b"x\n/tmp/\0x")
        return 0

    assert world.run(HEAD + SCRIPT, child, artifacts=world.folder / "a").artifacts == ()
    assert any("'x' is not collected" in warning for warning in world.reporter.warnings)
