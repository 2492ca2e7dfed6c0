"""`explain --masking`: every secret by name, what is done to it and why not; never a value."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calamari_py.aws import Parameter
from calamari_py.errors import FileMissing, ManifestError
from calamari_py.masking import Secret, SecretRegistry
from calamari_py.output._masking_page import MaskingPage, page_document
from calamari_py.runner import Corridor, Doors, RunOptions, visit
from calamari_py.runner.explain.last_run import LastRun, load_last_run
from calamari_py.runner.explain.masking import explain_masking
from calamari_py.runner.unmasked import unmasked_secrets
from tests.fakes import prints
from tests.manifest.support import load_text
from tests.runner.world import HEAD, SCRIPT, World

SECRET = "s3cr3t-canary-0123456789"
VARIABLES = """variables:
  Token: {from_env: API_TOKEN, sensitive: true}
  Key: {value: "AAAAAAAAAAAA\\npassword\\nCCCCCCCCCCCC", sensitive: true}
  Pin: {value: "9x7", sensitive: true}
  Flag: {value: "true", sensitive: true}
  Known: {value: known-canary-x, sensitive: true, mask: false, reason: a public key}
  Twice: {value: s3cr3t-canary-0123456789, sensitive: true, mask: false, reason: by mistake}
  Empty: {value: "", sensitive: true, mask: false, reason: nothing}
  Plain: plain-canary
  License: {from_ssm: /app/license}
  Public: {from_ssm: /app/public, sensitive: true, mask: false, reason: seen}
  Db: {from_secretsmanager: app/db}
env: {TOKEN: "x-{{ Token }}"}
"""
LAST = LastRun(
    step="deploy",
    ended_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    hits={"Token": 3, "Db.user": 1},
    unmasked={},
    off=False,
)

Look = Callable[..., MaskingPage]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, environ={"API_TOKEN": SECRET})


@pytest.fixture
def look(world: World) -> Look:
    """What is explained of a manifest text."""

    def call(manifest: str, last: LastRun | None = None) -> MaskingPage:
        world.write(manifest)
        pages = []

        def way(corridor: Corridor) -> None:
            with corridor.opened():
                pages.append(explain_masking(corridor, last))

        code = visit(
            RunOptions(
                manifest="step.yaml", cwd=world.folder, environ=world.environ, stdin=io.BytesIO()
            ),
            world.reporter,
            Doors(make_aws=world.aws.door, run=world.child, now=world.clock, install_signals=False),
            way,
        )
        assert code == 0, world.reporter.text
        return pages[0]

    return call


def hits_of(page: MaskingPage) -> dict[str, int | None]:
    """Name → hits, of all that have any."""
    return {
        **{str(secret.name): secret.hits for secret in page.masked},
        **{str(secret.name): secret.hits for secret in page.later},
    }


def test_every_secret_by_name(look: Look) -> None:
    """What is masked and in which forms, what is not and why, and what is known later."""
    page = look(HEAD + VARIABLES + SCRIPT)
    masked = {str(secret.name): secret for secret in page.masked}
    assert set(masked) == {"Token", "Key", "Twice", "env.TOKEN"}
    assert {"literal", "base64", "hex"} <= set(masked["Token"].forms)
    assert "line" in masked["Key"].forms
    assert "line" not in masked["Token"].forms
    assert masked["Twice"].forms == ()
    assert masked["Twice"].warnings == (
        "masked all the same: its value is a secret of another name",
    )
    assert masked["Key"].warnings == (
        "has a line that is a single word, which is masked everywhere",
    )
    assert {secret.name: secret.why for secret in page.unmasked} == {
        "Pin": "is too short to be masked (3 bytes)",
        "Flag": "is a common word and not masked",
        "Known": "mask: false (a public key)",
    }
    assert {secret.name: secret.when for secret in page.later} == {
        "License": "from_ssm: known when fetched; masked if AWS keeps it as a secret",
        "Public": "from_ssm: known when fetched; not masked unless AWS keeps it as a secret (seen)",
        "Db": "from_secretsmanager: known when fetched",
        "the launcher's credentials": "known when it is found",
        "the step's credentials": "known when the role is assumed",
    }
    assert set(hits_of(page).values()) == {None}


def test_no_value_and_no_length(look: Look, world: World) -> None:
    """Of a secret that is masked not even its length is told; nothing is asked or run."""
    document = json.dumps(page_document(look(HEAD + VARIABLES + SCRIPT)))
    for canary in (SECRET, "AAAA", "known-canary-x", "plain-canary"):
        assert canary not in document + world.reporter.text
    assert str(len(SECRET)) not in document.replace("UTF-16", "")
    assert world.aws.calls == []
    assert world.child.started == []


@pytest.mark.parametrize(
    ("more", "names"),
    [
        pytest.param("account: none\n", [], id="no account"),
        pytest.param("region: eu-west-1\n", ["the launcher's credentials"], id="no role"),
        pytest.param(
            "region: eu-west-1\ncredentials: {delivery: endpoint}\n",
            ["the launcher's credentials", "the credential server's token"],
            id="endpoint",
        ),
    ],
)
def test_what_a_run_adds(more: str, names: list[str], look: Look) -> None:
    """The credentials that there will be, and no others."""
    assert [secret.name for secret in look(f"name: x\n{more}{SCRIPT}").later] == names


def test_hits_of_a_run(look: Look) -> None:
    """Each name has its own; what was a secret in that run only stands with the later ones."""
    page = look(HEAD + VARIABLES + SCRIPT, LAST)
    assert hits_of(page) == {
        "Token": 3, "Key": 0, "Twice": None, "env.TOKEN": 0, "License": 0, "Public": 0, "Db": 0,
        "the launcher's credentials": None, "the step's credentials": None, "Db.user": 1,
    }  # fmt: skip
    assert page.run is not None
    assert (page.run.step, page.run.off) == ("deploy", False)


def test_a_run_that_was_not_masked_counts_nothing(look: Look) -> None:
    """No hits of it are no hits at all."""
    page = look(HEAD + VARIABLES + SCRIPT, replace(LAST, off=True))
    assert set(hits_of(page).values()) == {None}
    assert page.run is not None
    assert page.run.off


DOCUMENT = {
    "step": "deploy",
    "ended_at": "2026-03-01T09:30:00.000Z",
    "masking": {"off": False, "hits": {"Token": 3, "Db.user": 1}, "unmasked": {}},
}


def test_a_result_document(tmp_path: Path) -> None:
    """What a run wrote is read."""
    (tmp_path / "r.json").write_text(json.dumps(DOCUMENT))
    assert load_last_run(tmp_path / "r.json") == LAST


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        pytest.param('{\n "step": x}', "", "is no JSON: expecting value", id="no JSON"),
        pytest.param("[1]", "", "is no result document", id="a list"),
        pytest.param("[" * 100_000, "", "is", id="deep"),
        pytest.param("{}", "masking", "is missing", id="an older calamari"),
        pytest.param(DOCUMENT | {"masking": []}, "masking", "is no object", id="masking"),
        pytest.param(DOCUMENT | {"masking": {"hits": {"A": "x"}, "unmasked": {}}},
                     "masking.hits.A", "is no number of occurrences", id="hits"),
        pytest.param(DOCUMENT | {"masking": {"hits": {"A": True}, "unmasked": {}}},
                     "masking.hits.A", "is no number of occurrences", id="a bool"),
        pytest.param(DOCUMENT | {"masking": {"hits": {}, "unmasked": {"A": 1}}},
                     "masking.unmasked.A", "is no text", id="unmasked"),
        pytest.param(DOCUMENT | {"ended_at": "soon"}, "ended_at", "is no time", id="time"),
        pytest.param(DOCUMENT | {"ended_at": "2026-03-01T09:30:00"}, "ended_at",
                     "is a time without its zone", id="zone"),
        pytest.param(DOCUMENT | {"step": 1}, "step", "is no text", id="step"),
    ],
)  # fmt: skip
def test_a_broken_result(text: object, path: str, said: str, tmp_path: Path) -> None:
    """One problem, with its place and what to do."""
    file = tmp_path / "r.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    with pytest.raises(ManifestError) as raised:
        load_last_run(file)
    (problem,) = raised.value.problems
    assert (problem.path, problem.file) == (path, str(file))
    assert problem.message.startswith(said)
    assert problem.hint
    if said.startswith("is no JSON"):
        assert problem.place == f"{file}:2:10"


@pytest.mark.parametrize("name", ["none.json", "."])
def test_a_result_that_is_not_there(name: str, tmp_path: Path) -> None:
    """A missing file is one."""
    with pytest.raises(FileMissing):
        load_last_run(tmp_path / name)


# --- mask: false --------------------------------------------------------------------------------


def test_what_is_not_masked_for_the_result() -> None:
    """By name, with the reason; what is masked under another name is not among it."""
    loaded = load_text(HEAD + VARIABLES + SCRIPT, environ={"API_TOKEN": SECRET})
    registry = SecretRegistry()
    for name, value in loaded.secrets():
        registry.add(value, name=name)
    assert unmasked_secrets(loaded.variables, registry) == {
        "Pin": "is too short to be masked (3 bytes)",
        "Flag": "is a common word and not masked",
        "Known": "mask: false (a public key)",
    }


MASK_FALSE = "{value: known-canary-x, sensitive: true, mask: false, reason: public}"


def test_mask_false_is_effective_and_said(world: World) -> None:
    """The value passes, and who reads the log knows of which variable and why."""
    world.run(HEAD + f"variables: {{Known: {MASK_FALSE}}}\n" + SCRIPT, prints(b"known-canary-x"))
    assert world.reporter.shown() == b"known-canary-x"
    assert "variable 'Known' is sensitive and not masked: public" in world.reporter.warnings


def test_another_name_for_the_same_value_masks_it(world: World) -> None:
    """What one variable shows another one hides, and nobody says that it is shown."""
    text = f"variables: {{Known: {MASK_FALSE}, T: {{value: known-canary-x, sensitive: true}}}}\n"
    result = world.run(HEAD + text + SCRIPT, prints(b"known-canary-x"))
    assert world.reporter.shown() == b"***"
    assert not [said for said in world.reporter.warnings if "not masked" in said]
    assert result.masking.unmasked == {}


def test_an_override_is_masked_again(world: World) -> None:
    """The reason was given for the manifest's value, not for one of the command line."""
    world.run(
        HEAD + f"variables: {{Known: {MASK_FALSE}}}\n" + SCRIPT, prints(b"another-canary"),
        sensitive={"Known": "another-canary"},
    )  # fmt: skip
    assert world.reporter.shown() == b"***"


@pytest.mark.parametrize(
    ("source", "sensitive", "shown"),
    [
        pytest.param("from_ssm: /x", False, b"late-canary-x", id="a plain parameter"),
        pytest.param("from_ssm: /x", True, b"***", id="a SecureString"),
        pytest.param("from_secretsmanager: x", True, b"***", id="a secret"),
    ],
)
def test_mask_false_of_what_comes_late(
    source: str, sensitive: bool, shown: bytes, world: World
) -> None:
    """What AWS itself keeps as a secret stays one; the log and the result say what is not."""
    world.aws.parameters["/x"] = Parameter(value=Secret("late-canary-x"), sensitive=sensitive)
    world.aws.secrets["x"] = "late-canary-x"
    text = f"variables: {{L: {{{source}, sensitive: true, mask: false, reason: public}}}}\n"
    result = world.run(HEAD + text + SCRIPT, prints(b"late-canary-x"))
    assert world.reporter.shown() == shown
    said = [text for text in world.reporter.warnings if "'L'" in text]
    passed = shown != b"***"
    assert said == ["variable 'L' is sensitive and not masked: public"] * passed
    assert result.masking.unmasked == ({"L": "mask: false (public)"} if passed else {})


def test_what_is_not_masked_is_told_once(look: Look, world: World) -> None:
    """The rows say it: no warning repeats them."""
    look(HEAD + VARIABLES + SCRIPT)
    assert world.reporter.warnings == []


def test_a_value_of_two_names_counts_once(look: Look) -> None:
    """As the header of the run counts it, though both names have a row."""
    both = (
        "variables: {A: {value: canary-x, sensitive: true}, B: {value: canary-x, sensitive: true}}"
    )
    page = look(f"name: x\naccount: none\n{both}\n{SCRIPT}")
    assert (len(page.masked), page.values) == (2, 1)
