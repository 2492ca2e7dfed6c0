"""Lines that kubectl writes when it has done something to an object."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from calamari_py.process.base import Stream
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.tool.complaints import warning_in
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef

_APPLIED = re.compile(r"([^\s/]+)/(\S+) (serverside-applied|created|configured|unchanged)")
_PRUNED = re.compile(r"([^\s/]+)/(\S+) pruned")
_DELETED = re.compile(r'(\S+) "([^"]+)" (?:force )?deleted(?: from \S+ namespace)?')

Spoken = tuple[str, str]
"""How kubectl speaks of an object: its kind in small letters with its group, and its name. It says
no namespace."""


def spoken(ref: ObjectRef) -> Spoken:
    """``("deployment.apps", "web")``. It is the kind, not the plural under which a server lists
    it."""
    kind = ref.kind.lower()
    return (f"{kind}.{ref.group}" if ref.group else kind), ref.name


def lots_of(objects: Iterable[KubeObject]) -> list[list[KubeObject]]:
    """`objects` in as few lots as it takes for kubectl to speak of no two in a lot alike."""
    lots: list[list[KubeObject]] = []
    seen: Counter[Spoken] = Counter()
    for each in objects:
        at = seen[spoken(each.ref)]
        seen[spoken(each.ref)] += 1
        if at == len(lots):
            lots.append([])
        lots[at].append(each)
    return lots


class Warnings:
    """Warnings of the API server, told once each."""

    def __init__(self, report: StepReport) -> None:
        self._report = report
        self._told: set[str] = set()

    def take(self, stderr: Iterable[bytes]) -> bytes:
        """`stderr` without its warnings."""
        rest = []
        for line in stderr:
            warning = warning_in(line)
            if warning is None:
                rest.append(line)
            elif warning not in self._told:
                self._told.add(warning)
                self._report.warn(warning)
        return b"\n".join(rest)


class Confirmations:
    """A LineReader of a command that applies or deletes: what is done is known at once, also when
    the command is ended. `on_line` is told how many objects that are."""

    def __init__(self, warnings: Warnings, on_line: Callable[[int], None]) -> None:
        self.done: Counter[Spoken] = Counter()
        self.pruned: list[Spoken] = []
        self._warnings = warnings
        self._on_line = on_line
        self._stderr: list[bytes] = []

    def line(self, stream: Stream, line: bytes) -> None:
        """One line of kubectl."""
        if stream == "stderr":
            rest = self._warnings.take([line])
            self._stderr.append(rest)
            return
        text = line.decode("utf-8", "replace").strip()
        if match := _PRUNED.fullmatch(text):
            self.pruned.append((match[1], match[2]))
        elif match := _APPLIED.fullmatch(text) or _DELETED.fullmatch(text):
            self.done[match[1], match[2]] += 1
            self._on_line(self.done.total())

    def idle(self) -> None:
        """Nothing comes."""

    @property
    def stderr(self) -> bytes:
        """All that it complained of, without warnings."""
        return b"\n".join(line for line in self._stderr if line)

    def says(self, ref: ObjectRef) -> bool:
        """Whether anything of that name is done."""
        return self.done[spoken(ref)] > 0

    def confirmed(self, refs: Collection[ObjectRef]) -> set[ObjectRef]:
        """Which of `refs` are done. Of those that kubectl speaks of alike, in several namespaces,
        all or none."""
        wanted = Counter(map(spoken, refs))
        return {ref for ref in refs if self.done[spoken(ref)] >= wanted[spoken(ref)]}
