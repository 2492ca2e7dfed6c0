"""What stands in a file of HCL: its arguments, its blocks, and the literals in them."""

from __future__ import annotations

import pytest

from calamari_py.steps.terraform.running.hcl import Argument, Block, items_of, tokens_of


def texts(source: str) -> list[str]:
    """All quoted texts and heredocs of `source`."""
    return [token.value for token in tokens_of(source) if token.kind == "text"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('"a"', ["a"], id="plain"),
        pytest.param(r'"a\n\t\"\\\r"', ['a\n\t"\\\r'], id="escapes"),
        pytest.param(r'"\u00e4\U0001F600"', ["ä😀"], id="code points"),
        pytest.param('"$${a} %%{b} $a $$"', ["${a} %{b} $a $$"], id="no templates"),
        pytest.param('"x ${f("}", "y")} z" "q"', ['x ${f("}", "y")} z', "q"], id="templates"),
        pytest.param('<<EOT\n  a "b\n c\nEOT\n"d"', ['  a "b\n c\n', "d"], id="heredoc"),
        pytest.param("<<-EOT\n    a\n      b\n    EOT\n", ["a\n  b\n"], id="indented heredoc"),
        pytest.param('# "a"\n// "b"\n/* "c"\n */ "d"', ["d"], id="comments"),
        pytest.param('"no # comment"', ["no # comment"], id="no comment"),
        pytest.param('"never closed', ["never closed"], id="broken"),
        pytest.param('"a ${ "b', ['a ${ "b'], id="broken template"),
        pytest.param("<<EOT\nnever", [], id="broken heredoc"),
        pytest.param('"a"\r\n"b"', ["a", "b"], id="line ends of Windows"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_texts(source: str, expected: list[str]) -> None:
    """As they are meant, wherever quotes and brackets stand that mean nothing."""
    assert texts(source) == expected


SOURCE = """
variable "one" { sensitive = true }
variable two {
  description = "} not yet"
  validation {
    sensitive = true
  }
  default = [
    "a", # ]
    "b",
  ]
}
x = { a = "b" }
y = 1 + (
  2)
"""


def test_items() -> None:
    """Blocks with their labels, arguments over their lines; nothing of blocks within."""
    one, two, x, y = items_of(tokens_of(SOURCE))
    assert isinstance(one, Block)
    assert isinstance(two, Block)
    assert (one.type, one.labels, two.labels) == ("variable", ("one",), ("two",))
    assert [item.name for item in items_of(one.tokens) if isinstance(item, Argument)] == [
        "sensitive"
    ]
    inner = list(items_of(two.tokens))
    assert [item.name for item in inner if isinstance(item, Argument)] == ["description", "default"]
    assert isinstance(x, Argument)
    assert isinstance(y, Argument)
    assert (x.name, y.name) == ("x", "y")
    assert [token.value for token in y.tokens if token.kind == "number"] == ["1", "2"]


@pytest.mark.parametrize(
    "source", ["}}} = {", 'a "b" c {', "a = [", "= = =", "\x00\xff", "a {" * 500]
)
def test_what_is_no_hcl_fails_nothing(source: str) -> None:
    """Terraform says what is wrong with it."""
    list(items_of(tokens_of(source)))
