"""What a child tells: outputs and declarations, parsed from text alone."""

from __future__ import annotations

import pytest

from calamari_py.messages import (
    ArtifactDeclaration,
    CommandRefused,
    MaskDeclaration,
    Message,
    OutputSet,
    Progress,
    SensitiveOutput,
    declaration_order,
    parse_command,
    parse_declaration,
    parse_outputs,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("a=1\n", [("a", "1")], id="one"),
        pytest.param("a=1\r\n", [("a", "1")], id="crlf"),
        pytest.param("a=1\na=2\n", [("a", "1"), ("a", "2")], id="in order"),
        pytest.param("a=\n", [("a", "")], id="empty value"),
        pytest.param("a=b=c\n", [("a", "b=c")], id="equals in the value"),
        pytest.param("a=x<<EOF\n", [("a", "x<<EOF")], id="no heredoc after equals"),
        pytest.param("a<<E\n1\n2\nE\nb=3\n", [("a", "1\n2"), ("b", "3")], id="heredoc"),
        pytest.param("a<<E\nE\n", [("a", "")], id="empty heredoc"),
        pytest.param("a<<E\nb=1\n\nE\n", [("a", "b=1\n")], id="heredoc keeps blank lines"),
        pytest.param("\n\na=1", [("a", "1")], id="no newline at the end"),
    ],
)
def test_outputs(text: str, expected: list[tuple[str, str]]) -> None:
    """Both forms of the output file give names and values in order."""
    assert parse_outputs(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a=1\nnonsense secret\n", "line 2", id="no assignment"),
        pytest.param("=x\n", "line 1", id="no name"),
        pytest.param("a<<E\nsecret\n", "line 1", id="never ends"),
    ],
)
def test_outputs_that_are_none(text: str, line: str) -> None:
    """A complaint names the line and quotes nothing."""
    _, complaints = parse_outputs(text)
    assert len(complaints) == 1
    assert line in complaints[0]
    assert "secret" not in complaints[0]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param(
            "artifact-1-x", b"n.txt\n/a\nb", ArtifactDeclaration(name="n.txt", path="/a\nb"),
            id="artifact",
        ),
        pytest.param("message-1-x", b"warning\ntext", Message(level="warning", text="text"),
                     id="warning"),
        pytest.param("progress-1-x", b"50\nhalf", Progress(percent=50.0, text="half"),
                     id="progress"),
        pytest.param("progress-1-x", b"900\n", Progress(percent=100.0, text=""), id="clamped"),
        pytest.param("progress-1-x", b"soon\nx", Progress(percent=None, text="x"), id="no number"),
    ],
)  # fmt: skip
def test_declarations(name: str, content: bytes, expected: object) -> None:
    """Each kind of declaration becomes its value."""
    assert parse_declaration(name, content) == expected


def test_secret_declarations_keep_every_byte() -> None:
    """A masked value is exactly what was written, newlines and odd bytes included."""
    masked = parse_declaration("mask-1-x", b"a\nb\xff\n")
    assert isinstance(masked, MaskDeclaration)
    assert masked.value.reveal().encode("utf-8", "surrogateescape") == b"a\nb\xff\n"
    output = parse_declaration("sensitive-2-x", b"Db\npass\nword")
    assert isinstance(output, SensitiveOutput)
    assert (output.name, output.value.reveal()) == ("Db", "pass\nword")


@pytest.mark.parametrize(
    ("name", "order"),
    [
        pytest.param("mask-12-77-abc", 12, id="declaration"),
        pytest.param(".tmpfile", None, id="still being written"),
        pytest.param("mask-x-1", None, id="no sequence"),
        pytest.param("README", None, id="stranger"),
    ],
)
def test_declaration_order(name: str, order: int | None) -> None:
    """Only a finished declaration has a place."""
    assert declaration_order(name) == order


def test_unknown_declarations_are_refused() -> None:
    """A kind that nobody knows is an error, not a guess."""
    with pytest.raises(ValueError, match="no kind"):
        parse_declaration("explode-1-x", b"")


def test_an_artifact_has_an_absolute_path() -> None:
    """A relative path would be looked up in our folder, not in the child's."""
    with pytest.raises(ValueError, match="not absolute"):
        parse_declaration("artifact-1-x", b"n\nreport.txt")


def test_values_are_not_in_a_repr() -> None:
    """An output set in band may be sensitive: neither it nor a complaint shows its value."""
    body = b"setVariable name='YQ==' value='c2VjcmV0LXZhbHVl' sensitive='VHJ1ZQ=='"
    declared = parse_command(body, ours=False)
    assert isinstance(declared, OutputSet)
    assert declared.value == "secret-value"
    assert "secret-value" not in repr(declared)
    with pytest.raises(CommandRefused) as refused:
        parse_command(body + b" c2VjcmV0='c2VjcmV0' c2VjcmV0='!'", ours=False)
    assert refused.value.secret
    assert "c2Vjcm" not in str(refused.value)
