"""Texts: output that a step's kind passes on, masked over its reads and lines, in whole lines."""

from __future__ import annotations

import re
from collections.abc import Callable

from calamari_py.masking import Masker, SecretRegistry

LONGEST_PIECE = 1024 * 1024
"""Bytes without a line end that wait for one."""
# A CR at the very end may be the first half of a CRLF.
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\n|\r(?!\Z))")


class Texts:
    """The texts of one execution, each with a masker of its own, so that a secret is found in one
    of them whatever comes between its lines.

    `show` is given whole lines, which begin with whose they are. `warn_of_fault` is told, in words
    of ours only, when masking fails: nothing of that text is shown any more.
    """

    def __init__(
        self,
        registry: SecretRegistry,
        *,
        show: Callable[[bytes], None],
        warn_of_fault: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._show = show
        self._warn_of_fault = warn_of_fault
        self._texts: dict[str, _Text] = {}
        self._withheld_since: str | None = None
        self._left_out = 0

    @property
    def faulty(self) -> bool:
        """Whether anything was withheld, so that the step must not succeed."""
        return self._withheld_since is not None or self._has_fault()

    @property
    def refused(self) -> str | None:
        """Why all is withheld, where it is for what was declared."""
        return None if self._has_fault() else self._withheld_since

    def withhold(self, why: str) -> None:
        """Show nothing any more: something was to be masked, and nobody knows what."""
        if self._withheld_since is None:
            self._withheld_since = why
            self._warn_of_fault(
                "something that the step declared could not be read; the rest of its output is "
                "withheld, and the step fails"
            )

    def take(self, data: bytes, of: str) -> None:
        """`data` is what comes next in the text `of`."""
        text = self._texts.get(of)
        if text is None:
            text = self._texts[of] = _Text(self._registry)
        self._give(text.feed(data), of)
        self._tell_fault(text)

    def settle(self) -> None:
        """Show all that is held."""
        for of, text in self._texts.items():
            self._give(text.settle(), of)
            self._tell_fault(text)

    def close(self) -> None:
        """Show all that is held, and say how much never was."""
        self.settle()
        count = self._left_out + sum(text.masker.withheld for text in self._texts.values())
        if count:
            self._warn_of_fault(f"{count:,} bytes of the step's output were withheld")

    def _give(self, lines: list[bytes], of: str) -> None:
        if self._withheld_since is not None:
            self._left_out += sum(map(len, lines))
        elif lines:
            prefix = self._prefix(of)
            self._show(b"".join(prefix + line + b"\n" for line in lines))

    def _prefix(self, of: str) -> bytes:
        if not of:
            return b""
        shown = "".join(char for char in self._registry.mask_text(of) if char.isprintable())
        return f"{shown}: ".encode("utf-8", "replace")

    def _has_fault(self) -> bool:
        return any(text.masker.fault is not None for text in self._texts.values())

    def _tell_fault(self, text: _Text) -> None:
        if text.masker.fault is not None and not text.told:
            text.told = True
            self._warn_of_fault(
                "masking failed: the rest of a part of the output is withheld, and the step fails"
            )


class _Text:
    """One text: `feed` and `settle` give whole lines without their ends, masked."""

    def __init__(self, registry: SecretRegistry) -> None:
        self.masker = Masker(registry)
        self.told = False
        self._registry = registry
        self._known = len(registry)
        self._begun = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._look_again()
        self._begun += self.masker.feed(data)
        return self._lines()

    def settle(self) -> list[bytes]:
        self._look_again()
        self._begun += self.masker.idle()
        lines = self._lines()
        if self._begun:
            lines.append(self._begun.removesuffix(b"\r"))
            self._begun = b""
        return lines

    def _look_again(self) -> None:
        """The beginning of a line that nobody has seen was never compared with newer secrets."""
        if len(self._registry) != self._known:
            self._known = len(self._registry)
            self._begun = self.masker.again(self._begun)

    def _lines(self) -> list[bytes]:
        lines, end = [], 0
        for found in _LINE.finditer(self._begun):
            lines.append(found[1])
            end = found.end()
        self._begun = self._begun[end:]
        if len(self._begun) > LONGEST_PIECE:
            lines.append(self._begun)
            self._begun = b""
        return lines
