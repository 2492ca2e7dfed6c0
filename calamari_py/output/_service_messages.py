"""Text in which there is none of Octopus Deploy's service messages.

``##octopus[name attribute='BASE64' …]`` on a line of its own. Octopus reads stdout a character at a
time: the marker counts anywhere, its parts may stand on two lines, a line that ends in ``#`` spoils
the marker behind it, and whoever can print one can set variables.
"""

from __future__ import annotations

import re

_MARKER = rb"##octopus"
# .NET passes over characters without width when it compares: what is invisible counts as none.
_NONE = rb"[^ -~]*"
_BUT_LAST = _NONE.join(re.escape(_MARKER[at : at + 1]) for at in range(len(_MARKER) - 1))
_WHOLE = re.compile(rb"(%b%b)(%b)" % (_BUT_LAST, _NONE, _MARKER[-1:]), re.IGNORECASE)
_NOTHING = re.compile(rb"[^ -~]+")


class MarkerBreaker:
    """Breaks markers up by a backslash before their last letter, however the text is cut: nothing
    is held back. `found` says whether there was one."""

    def __init__(self) -> None:
        self.found = False
        self._begun = b""

    def text(self, data: bytes) -> bytes:
        """`data`, which comes next, without a marker."""
        if not self._begun and b"#" not in data:
            return data
        whole, before = self._begun + data, len(self._begun)
        broken, count = _WHOLE.subn(rb"\1\\\2", whole)
        self.found = self.found or count > 0
        self._begun = _beginning_at_end(whole)
        return broken[before:]

    def before_message(self) -> bytes:
        """What must stand before a message of ours, on a line of its own, so that it counts."""
        begun, self._begun = self._begun, b""
        return b" \n" if begun else b""


def _beginning_at_end(data: bytes) -> bytes:
    """The end of `data` that may be the beginning of a marker, without what does not count."""
    end = b""
    for part in reversed(_NOTHING.split(data)):
        end = part + end
        if len(end) >= len(_MARKER):
            break
    end = end.lower()
    sizes = range(len(_MARKER) - 1, 0, -1)
    return next((_MARKER[:size] for size in sizes if end.endswith(_MARKER[:size])), b"")
