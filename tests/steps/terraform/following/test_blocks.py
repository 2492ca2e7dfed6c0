"""Errors are read out of the text of commands without -json, with and without boxes."""

from __future__ import annotations

import pytest

from calamari_py.steps.terraform.following.blocks import diagnostics_of_text
from calamari_py.steps.terraform.values import Diagnostic
from tests.steps.terraform.following.recordings import errors_of_text, text_of

VERSION_ERROR = Diagnostic(
    severity="error",
    summary="Unsupported Terraform Core version",
    detail=(
        "This configuration does not support Terraform version 1.11.4. To proceed, either choose "
        "another supported Terraform version or update this version constraint. Version "
        "constraints are normally set for good reason, so updating the constraint may lead to "
        "other errors or unexpected behavior."
    ),
    file="main.tf",
    line=2,
    context="terraform",
    snippet=('  required_version = ">= 9.1"',),
    snippet_line=2,
)


@pytest.mark.parametrize("case", ["required-version", "required-version-coloured"])
def test_a_block_is_read_whole(case: str) -> None:
    """Boxed and coloured or not, it is the same error, and its text is as it was before it was
    wrapped: a value that stood on two lines could not be masked."""
    assert errors_of_text(case) == (VERSION_ERROR,)


@pytest.mark.parametrize(
    ("case", "summaries"),
    [
        pytest.param(
            "unsupported-attribute-text",
            ["Unsupported attribute", "Reference to undeclared input variable"],
            id="two",
        ),
        pytest.param(
            "unsupported-attribute-box",
            ["Unsupported attribute", "Reference to undeclared input variable"],
            id="two-boxed",
        ),
        pytest.param("syntax", ["Unclosed configuration block"], id="without-its-preface"),
        pytest.param(
            "syntax-box", ["Unclosed configuration block"], id="boxed-without-its-preface"
        ),
        pytest.param(
            "two-errors-box",
            ["Duplicate variable declaration", 'Duplicate resource "terraform_data" configuration'],
            id="each-once",
        ),
        pytest.param(
            "no-credentials", ["No valid credential sources found"], id="an-error-in-an-error"
        ),
        pytest.param(
            "module-gone",
            ["Unreadable module directory", "Unreadable module directory"],
            id="the-same-summary",
        ),
    ],
)
def test_all_blocks_are_found(case: str, summaries: list[str]) -> None:
    """In their order, each different one once."""
    assert [each.summary for each in errors_of_text(case)] == summaries


def test_values_are_read() -> None:
    """What the expressions of a snippet are."""
    (error,) = errors_of_text("postcondition-box")
    assert (error.values, error.detail) == (("self.input is 1",), "Too small.")
    assert len(error.snippet) == 4


def test_lists_keep_their_lines() -> None:
    """Lines that were not wrapped stay lines."""
    (error,) = errors_of_text("not-in-mirror")
    assert error.detail.splitlines()[-1] == "  - /srv/mirror"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Terraform has been successfully initialized!\n", id="success"),
        pytest.param(b"\xe2\x95\xb7\n\xe2\x94\x82 nothing\n\xe2\x95\xb5\n", id="a-box-of-nothing"),
        pytest.param(b"no Error: here\n", id="in-a-line"),
        pytest.param(b"running\nError: of somebody else\n", id="no-blank-line-before"),
        pytest.param(b"\xff\xfe", id="no-utf-8"),
    ],
)
def test_what_is_no_error_is_none(text: bytes) -> None:
    """Only blocks count."""
    assert diagnostics_of_text(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"Error: ", Diagnostic(severity="error", summary=""), id="no-summary"),
        pytest.param(
            b"Error: execution halted\n",
            Diagnostic(severity="error", summary="execution halted"),
            id="no-detail",
        ),
        pytest.param(
            b"\nWarning: Old\n\n  with aws_a.b,\n  on x/a.tf line 7:\n   (source not available)\n",
            Diagnostic(
                severity="warning",
                summary="Old",
                address="aws_a.b",
                file="x/a.tf",
                line=7,
                detail="   (source not available)",
            ),
            id="resource-without-context",
        ),
        pytest.param(
            "╷\n│ Error: Cut".encode(), Diagnostic(severity="error", summary="Cut"), id="cut"
        ),
    ],
)
def test_short_blocks(text: bytes, expected: Diagnostic) -> None:
    """Whatever of a block is there."""
    assert diagnostics_of_text(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "summaries"),
    [
        pytest.param(
            b"!!!!!! TERRAFORM CRASH !!!!!!\n\npanic: nil map\n", ["Terraform crashed"], id="banner"
        ),
        pytest.param(b"!!!!!! OPENTOFU CRASH !!!!!!\n", ["Terraform crashed"], id="tofu"),
        pytest.param(b"fatal error: out of memory\n", ["Terraform crashed"], id="go-runtime"),
        pytest.param(
            b"\nError: Plugin did not respond\n\nIt crashed.\n\npanic: nil map\n",
            ["Plugin did not respond"],
            id="a-provider",
        ),
    ],
)
def test_a_crash_is_an_error(text: bytes, summaries: list[str]) -> None:
    """Of Terraform, not of a provider, which has an error of its own."""
    assert [each.summary for each in diagnostics_of_text(text)] == summaries


def test_a_hostile_text_takes_no_time() -> None:
    """Half a megabyte of what nearly is a block is read in a blink."""
    text = (
        b"\n\nError: x\n  on a line 1, in " + b"line 1, in " * 20_000 + b"\n" + b"\n  with" * 30_000
    )
    (error,) = diagnostics_of_text(text)
    assert error.severity == "error"
    assert text_of("syntax")
