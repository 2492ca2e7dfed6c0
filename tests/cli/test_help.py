"""What `--help` and wrong command lines say."""

from __future__ import annotations

import re
from importlib import import_module

import click
import pytest

import calamari_py
from calamari_py.cli import COMMANDS, cli, module_of
from tests.cli.conftest import Call

VERB = re.compile(r"[A-Z][a-z]+ ")


def command(name: str) -> click.Command:
    found: click.Command = import_module(module_of(name)).command
    return found


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=str)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_readable(arguments: list[str], option: str, call: Call) -> None:
    """Help goes to stdout, ends with 0, and fits a terminal of 80 columns."""
    ended = call(*arguments, option)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage: calamari")
    assert max(map(len, ended.out.splitlines())) <= 80
    assert all(line == line.rstrip() for line in ended.out.splitlines())


def test_help_lists_every_command(call: Call) -> None:
    """Each command is listed with the line that its own help begins with in spirit."""
    listed = call("--help").out.partition("Commands:")[2]
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", listed, re.MULTILINE)
        assert command(name).short_help == line


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_says_what_it_does(name: str) -> None:
    """Help begins with a verb, ends its sentences, and explains each option."""
    asked = command(name)
    assert asked.help is not None
    for text in (asked.help, COMMANDS[name]):
        assert VERB.match(text), text
        assert text.rstrip().endswith(".")
    for parameter in asked.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.help.endswith((".", "; 0: any.")), parameter.help
            assert parameter.help[0].isupper()


def test_commands_without_help_are_not_there() -> None:
    """The group knows the listed commands and no other."""
    context = click.Context(cli)
    assert cli.list_commands(context) == list(COMMANDS)
    assert all(cli.get_command(context, name) for name in COMMANDS)
    assert cli.get_command(context, "_options") is None


def test_version(call: Call) -> None:
    """The version is one line on stdout."""
    assert call("--version").out == f"calamari, version {calamari_py.__version__}\n"


def test_no_command_at_all(call: Call) -> None:
    """`calamari` alone shows the help, on stderr, as wrong usage."""
    ended = call()
    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        pytest.param(("frob",), "no such command 'frob'", "calamari --help", id="command"),
        pytest.param(("wohami",), "no such command 'wohami'", "did you mean 'whoami'?",
                     id="a command misspelt"),
        pytest.param(("validat", "x"), "no such command 'validat'", "did you mean 'validate'?",
                     id="a command cut short"),
        pytest.param(("--frob",), "no such option '--frob'", "calamari --help", id="option"),
        pytest.param(
            ("validate", "--frob", "x"), "no such option '--frob'", "calamari validate --help",
            id="option of a command",
        ),
        pytest.param(("validate",), "'FILE...'", "calamari validate --help", id="no argument"),
        pytest.param(("run",), "'MANIFEST'", "calamari run --help", id="no manifest"),
        pytest.param(("run", "a", "b"), "(b)", "calamari run --help", id="one too many"),
        pytest.param(
            ("run", "a", "--format", "html"), "'html' is not one of", "calamari run --help",
            id="no such format",
        ),
        pytest.param(
            ("validate", "a", "--var", "novalue"), "--var takes NAME=VALUE", "--var ",
            id="var without value",
        ),
        pytest.param(
            ("validate", "a", "--var", "=x"), "--var takes NAME=VALUE", "--var ", id="no name"
        ),
        pytest.param(
            ("validate", "a", "--sensitive-var", "A=s3cr3t"), "--sensitive-var takes a name only",
            "environment variable", id="secret on the command line",
        ),
    ],
)  # fmt: skip
def test_wrong_usage(arguments: tuple[str, ...], message: str, hint: str, call: Call) -> None:
    """A wrong command line is 2: one line that says what, one that says where to read on."""
    ended = call(*arguments)
    assert (ended.code, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    assert first.startswith("calamari: ")
    assert message in first
    assert not first.endswith(".")
    assert second.startswith("  hint: ")
    assert hint in second
    assert "s3cr3t" not in ended.err


def test_a_secret_is_not_asked_for_where_nobody_sits(call: Call) -> None:
    """Without a terminal a missing secret is an error that names the variable to export."""
    ended = call("validate", "x.yaml", "--sensitive-var", "API_TOKEN")
    assert ended.code == 2
    assert "'API_TOKEN' is not in the environment" in ended.err
    assert "export API_TOKEN" in ended.err
