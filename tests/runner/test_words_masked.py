"""P18: what is said beside a step's output, and what is kept of it, is masked, too."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from calamari_py.channel import Channel
from calamari_py.masking import SecretRegistry
from calamari_py.process import SignalInbox
from calamari_py.runner import Doors, RunOptions
from calamari_py.runner.collect import collect_outputs
from calamari_py.runner.corridor import Corridor
from calamari_py.runner.defect import defect_of
from calamari_py.runner.folders import open_folders
from calamari_py.runner.record import RunRecord
from tests.fakes import FrozenClock, RecordingReporter, Running
from tests.runner.world import World

SECRET = "hunter22-and-more"
MANIFEST = (
    "name: deploy\naccount: none\nvariables: {T: {value: hunter22-and-more, sensitive: true}}\n"
    "script: echo\n"
)


@pytest.fixture
def registry() -> SecretRegistry:
    made = SecretRegistry()
    made.add(SECRET, name="Token")
    return made


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(Corridor.warn, id="warning"),
        pytest.param(Corridor.note, id="note"),
        pytest.param(lambda corridor, text: corridor.last_words.highlight(text), id="highlight"),
        pytest.param(lambda corridor, text: corridor.last_words.warn(text), id="last word"),
    ],
)
def test_whatever_the_corridor_says(
    say: Callable[[Corridor, str], None], registry: SecretRegistry, tmp_path: Path
) -> None:
    """The reporter never hears a secret: formats print what they are told."""
    clock, reporter = FrozenClock(), RecordingReporter()
    record = RunRecord(step="deploy", registry=registry, now=clock, started_at=clock())
    options = RunOptions(manifest="step.yaml", cwd=tmp_path, environ={}, stdin=io.BytesIO())
    with SignalInbox(install=False) as inbox:
        say(Corridor(options, reporter, Doors(), record, inbox), f"about {SECRET}")
    assert [what for _, what in reporter.events] == ["about ***"]


def test_what_the_process_door_says(world: World) -> None:
    """The name of a process, of which people are told while they wait, may hold a secret."""

    def told(running: Running) -> int:
        running.tell(f"{SECRET} (pid 7) did not end within 1 s of SIGINT, SIGTERM now")
        return 0

    world.run(MANIFEST, told)
    assert SECRET not in world.reporter.text
    assert "*** (pid 7) did not end" in world.reporter.text


def test_an_outputs_name(registry: SecretRegistry, tmp_path: Path) -> None:
    """The result names outputs, and a step may name one after a secret."""
    channel = Channel(tmp_path / "channel")
    channel.folder.mkdir(mode=0o700)
    channel.create({})
    channel.output.write_text(f"of-{SECRET}=1\n")
    found = collect_outputs(channel, sensitive=(), registry=registry, lost=pytest.fail)
    assert list(found) == ["of-***"]


def test_a_defect_before_any_secret_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message may quote what was being read, and nothing could mask that yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        raise RuntimeError(SECRET)
    except RuntimeError as error:
        told = defect_of(error, SecretRegistry())
    (file,) = tmp_path.glob("calamari-defect-*")
    text = file.read_text("utf-8")
    assert "RuntimeError" in text
    assert SECRET not in text + told.message + str(told.hint)


def test_secrets_are_in_memory(tmp_path: Path) -> None:
    """P19: variables are below the runtime folder, which is no disk; what may be large is not."""
    folders = {name: tmp_path / name for name in ("XDG_RUNTIME_DIR", "TMPDIR")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    environ = {name: str(folder) for name, folder in folders.items()}
    with SignalInbox(install=False) as inbox, open_folders(environ, inbox, warn=print) as made:
        assert made.memory.is_relative_to(folders["XDG_RUNTIME_DIR"])
        assert made.channel.folder.is_relative_to(made.memory)
        assert made.temp.is_relative_to(folders["TMPDIR"])
