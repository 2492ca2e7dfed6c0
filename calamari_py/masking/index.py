"""NeedleIndex: every needle of a run under its heads, for one engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from calamari_py.masking.engine import Engine, Hit
from calamari_py.masking.needles import INNER, Needle, may_wrap
from calamari_py.masking.tails import HEAD, Tails

LONGEST_HEAD = 512
CROWD = 8
"""More needles than this under one head get heads of twice the length."""


class NeedleIndex:
    """Needles by head, growing. `version` changes whenever needles were added.

    A head is the first 16 bytes of a needle's first line, less when that is shorter, more where
    many needles begin alike (tokens with one header), so that a hit leads to few needles. A needle
    that wraps has a second one, its bytes 16 to 32: a line end stands in one of the two only.

    `alphabet` has every byte that stands in a needle, line ends between its lines left out.

    With `ansi_aware`, escape sequences inside a secret do not hide it.

    `by_head` and `by_inner` (the second heads) hold the needles; one that is alone under its head,
    which is the rule, needs no list. A head in `crowded` has none: longer heads that begin with it
    took them. `wrapped_crowds` has those of them that a line end may cut behind the short head.
    """

    def __init__(self, engine: Engine, *, ansi_aware: bool = True) -> None:
        self.version = 0
        self.reach = 0
        self.ansi_aware = ansi_aware
        self.tails = Tails()
        self.alphabet = b""
        self.by_head: dict[bytes, Needle | list[Needle]] = {}
        self.by_inner: dict[bytes, list[Needle]] = {}
        self.crowded: set[bytes] = set()
        self.wrapped_crowds: dict[bytes, list[Needle]] = {}
        self._engine = engine
        self._lowest_limit = 0
        self._counted: Counter[str | tuple[str, ...]] = Counter()

    @property
    def hits(self) -> Mapping[str, int]:
        """Name of a secret → how many occurrences of it were found in streams."""
        hits: Counter[str] = Counter()
        for names, count in self._counted.items():
            for name in (names,) if isinstance(names, str) else names:
                hits[name] += count
        return hits

    def add(self, forms: Iterable[tuple[str, str, bytes]]) -> None:
        """Look for `forms` too: the secret's name, the kind of form, and the bytes."""
        heads: list[bytes] = []
        new: list[bytes] = []
        wrapped: list[bytes] = []
        texts: list[bytes] = []
        for name, kind, form in forms:
            needle = self._entered(Needle(form, name, self.version + 1), heads, new)
            needle.belongs_to(name)
            texts += needle.lines or (needle.form,)
            if not needle.wraps and may_wrap(kind, form):
                self.version += 1
                needle.wraps = True
                wrapped.append(form)
                self._enter_wrapped(needle, new)
        if new:
            self._engine.build(new)
            self.reach = max(self.reach, *map(len, new))
        self.tails.add(heads, wrapped)
        self.alphabet = bytes({*self.alphabet, *b"".join(texts)})

    def scan(self, data: bytes, start: int) -> list[Hit]:
        """Every place at or after `start` where a head stands whole."""
        return list(self._engine.scan(data, start)) if self.version else []

    def needles(self, head: bytes) -> Iterable[Needle]:
        """The needles that begin with `head`."""
        group = self.by_head.get(head, ())
        return (group,) if isinstance(group, Needle) else group

    def over_line_ends(self, hits: Iterable[Hit]) -> bool:
        """Whether one of the heads belongs to a needle in which line ends may stand."""
        return any(
            head in self.by_inner
            or head in self.crowded
            or any(needle.wraps or needle.lines for needle in self.needles(head))
            for _, head in hits
        )

    def may_show(self, begun: bytes) -> bool:
        """Whether `begun`, the beginning of some head, shows no more than it may."""
        return len(begun) <= self._lowest_limit or not any(
            len(begun) > needle.public + needle.limit
            for head in self.tails.heads_from(begun)
            for needle in self.needles(head)
        )

    def count(self, needles: Iterable[Needle]) -> None:
        """Occurrences of `needles` were found."""
        self._counted.update([needle.names for needle in needles])

    def _entered(self, needle: Needle, heads: list[bytes], new: list[bytes]) -> Needle:
        """`needle`, or the one that is known already and looks for the same."""
        for other in self.needles(self._head_of(needle.first)):
            if other.form == needle.form and other.lines == needle.lines:
                return other
        limit = needle.public + needle.limit
        self._lowest_limit = min(self._lowest_limit, limit) if self.version else limit
        self.version += 1
        self._place(needle, heads, new)
        return needle

    def _place(self, needle: Needle, heads: list[bytes], new: list[bytes]) -> None:
        head = self._head_of(needle.first)
        group = self.by_head.get(head)
        if group is None:
            self.by_head[head] = needle
            heads.append(head)
            if head not in self.by_inner:
                new.append(head)
            return
        group = [group, needle] if isinstance(group, Needle) else [*group, needle]
        if len(group) <= CROWD or not HEAD <= len(head) < LONGEST_HEAD or head in self.crowded:
            self.by_head[head] = group
            return
        # The head stays: where it stands, one of the longer ones may have begun.
        self.crowded.add(head)
        self.by_head[head] = []
        for member in group:
            self._place(member, heads, new)
            if member.wraps and len(head) == HEAD:
                self.wrapped_crowds.setdefault(head, []).append(member)

    def _enter_wrapped(self, needle: Needle, new: list[bytes]) -> None:
        first, inner = needle.form[:HEAD], needle.form[INNER : 2 * INNER]
        group = self.by_inner.get(inner)
        if group is None:
            self.by_inner[inner] = [needle]
            if inner not in self.by_head:
                new.append(inner)
        else:
            group.append(needle)
        if first in self.crowded:
            self.wrapped_crowds.setdefault(first, []).append(needle)

    def _head_of(self, first: bytes) -> bytes:
        size = HEAD
        head = first[:size]
        while head in self.crowded:
            size *= 2
            # Few different lengths: the engine tries each of them at a hit.
            longer = first[: min(size, len(first) - len(first) % (size // 8))]
            if len(longer) <= len(head):
                break
            head = longer
        return head
