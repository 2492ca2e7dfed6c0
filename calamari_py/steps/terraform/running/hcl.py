"""HCL, as far as it takes to say which arguments and blocks there are and which literals are in
them. It refuses nothing: what is no HCL has none, and Terraform says why.

Source: github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

TokenKind = Literal["text", "word", "number", "mark", "end"]


class Token(NamedTuple):
    """``text`` is a quoted text or a heredoc, as it is meant; ``end`` that of a line."""

    kind: TokenKind
    value: str


@dataclass(frozen=True, slots=True)
class Argument:
    """``name = …``: what stands behind the ``=``."""

    name: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """``type "label" { … }``: what stands between the braces."""

    type: str
    labels: tuple[str, ...]
    tokens: tuple[Token, ...]


_SKIPPED = re.compile(r"[^\S\n]+|(?:#|//)[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_HEREDOC = re.compile(
    r"<<(-?)([^\W\d][\w-]*)[^\S\n]*\n(.*?)^[^\S\n]*\2[^\S\n]*$", re.MULTILINE | re.DOTALL
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\W\d][\w-]*")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|([$%])\4(?=\{)", re.DOTALL)
_MEANT = {"n": "\n", "r": "\r", "t": "\t"}
_OPEN, _CLOSE = frozenset("{[("), frozenset("}])")


def tokens_of(text: str) -> tuple[Token, ...]:
    """All of `text`, without its comments."""
    return tuple(_tokens(text.replace("\r\n", "\n")))


def items_of(tokens: Sequence[Token]) -> Iterator[Argument | Block]:
    """The arguments and blocks of a body, none of those within its blocks."""
    at = 0
    while at < len(tokens):
        head = tokens[at]
        at += 1
        if head.kind != "word":
            continue
        labels: list[str] = []
        while at < len(tokens) and tokens[at].kind in ("word", "text"):
            labels.append(tokens[at].value)
            at += 1
        opening = tokens[at].value if at < len(tokens) and tokens[at].kind == "mark" else ""
        if opening == "{":
            end = _closed(tokens, at)
            yield Block(head.value, tuple(labels), tuple(tokens[at + 1 : end]))
            at = end + 1
        elif opening == "=":
            end = _line_end(tokens, at + 1)
            yield Argument(head.value, tuple(tokens[at + 1 : end]))
            at = end


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
        elif text[at] == '"':
            end = _quoted_end(text, at + 1)
            yield Token("text", _unescaped(text[at + 1 : end]))
            at = end + 1
        elif heredoc := _HEREDOC.match(text, at):
            content = textwrap.dedent(heredoc[3]) if heredoc[1] else heredoc[3]
            yield Token("text", content)
            at = heredoc.end()
        else:
            yield (token := _plain(text, at))
            at += len(token.value)


def _plain(text: str, at: int) -> Token:
    if text[at] == "\n":
        return Token("end", "\n")
    if number := _NUMBER.match(text, at):
        return Token("number", number[0])
    if word := _WORD.match(text, at):
        return Token("word", word[0])
    return Token("mark", text[at])


def _quoted_end(text: str, at: int) -> int:
    """Where the quoted text that begins at `at` ends. Templates in it (``${…}``) hold others."""
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 2
        elif text[at : at + 3] in ("$${", "%%{"):
            at += 3
        elif text[at : at + 2] in ("${", "%{"):
            at = _template_end(text, at + 2)
        else:
            at += 1
    return at


def _template_end(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        if text[at] == '"':
            at = _quoted_end(text, at + 1)
        depth += (text[at : at + 1] == "{") - (text[at : at + 1] == "}")
        at += 1
        if not depth:
            break
    return at


def _unescaped(text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        if code:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else found[0]
        return _MEANT.get(found[3], found[3]) if found[3] else found[4]

    return _ESCAPE.sub(meant, text)


def _closed(tokens: Sequence[Token], at: int) -> int:
    """Where the bracket at `at` is closed; the end where it is not."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += _deeper(tokens[place])
        if not depth:
            return place
    return len(tokens)


def _line_end(tokens: Sequence[Token], at: int) -> int:
    depth = 0
    for place in range(at, len(tokens)):
        if tokens[place].kind == "end" and depth <= 0:
            return place
        depth += _deeper(tokens[place])
    return len(tokens)


def _deeper(token: Token) -> int:
    if token.kind != "mark":
        return 0
    return (token.value in _OPEN) - (token.value in _CLOSE)
