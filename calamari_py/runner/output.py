"""The masked sink: everything a child writes and declares passes here on its way to a reporter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field

from calamari_py.channel import Channel, RefusedDeclaration
from calamari_py.masking import MaskedBytes, Masker, SecretRegistry
from calamari_py.messages import (
    ArtifactDeclaration,
    Declaration,
    MaskDeclaration,
    Message,
    Progress,
    SensitiveOutput,
)
from calamari_py.output.base import Reporter, Stream


@dataclass(slots=True, kw_only=True)
class Declared:
    """What a step has declared so far, beside the secrets, which are in the registry."""

    artifacts: list[ArtifactDeclaration] = field(default_factory=list)
    sensitive_outputs: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


class MaskedSink:
    """One child's streams. See `calamari_py.process.OutputSink` for who calls what and when.

    `limit` is the manifest's ``output_limit`` in bytes over both streams, None for none. `unread`
    drops output that nobody reads instead of ending the child for it. `attend` is called before
    each read is shown, by the thread that may write: for what other threads have to say.
    """

    def __init__(
        self,
        *,
        registry: SecretRegistry,
        channel: Channel,
        reporter: Reporter,
        declared: Declared,
        limit: int | None,
        unread: bool = False,
        attend: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._channel = channel
        self._reporter = reporter
        self._declared = declared
        self._left = limit
        self._maskers: dict[Stream, Masker] = {
            "stdout": Masker(registry),
            "stderr": Masker(registry),
        }
        self._faults_told: set[Stream] = set()
        self._withheld = False
        self._unread = unread
        self._attend = attend

    @property
    def faulty(self) -> bool:
        """Whether output was withheld, so that the step must not succeed."""
        return self._withheld or any(m.fault is not None for m in self._maskers.values())

    def before_feed(self) -> None:
        """Take in what was declared before the bytes that come next."""
        self._attend()
        for declaration in self._channel.take():
            self._accept(declaration)
        for warning in self._registry.take_warnings():
            self._warn(warning)

    def feed(self, stream: Stream, data: bytes) -> None:
        """Mask and show."""
        self._emit(stream, lambda masker: masker.feed(data))

    def holding(self) -> bool:
        """Whether a masker waits for more."""
        return any(masker.held for masker in self._maskers.values())

    def idle(self) -> None:
        """Show or mask what is held: nothing came for a while."""
        for stream in self._maskers:
            self._emit(stream, lambda masker: masker.idle())

    def close(self, stream: Stream) -> None:
        """The stream has ended."""
        self.before_feed()
        self._emit(stream, lambda masker: masker.close())

    def _emit(self, stream: Stream, step: Callable[[Masker], bytes]) -> None:
        masker = self._maskers[stream]
        data = step(masker)
        if masker.fault is not None and stream not in self._faults_told:
            self._faults_told.add(stream)
            self._warn(f"masking failed: the rest of {stream} is withheld, and the step fails")
        if self._withheld:
            return
        if self._left is not None:
            data = self._limited(data)
        if data:
            # With `unread`, what cleans up goes on although nobody reads its output.
            with suppress(BrokenPipeError) if self._unread else nullcontext():
                self._reporter.output(stream, MaskedBytes(data))

    def _limited(self, data: bytes) -> bytes:
        assert self._left is not None
        if len(data) > self._left:
            if self._left >= 0:
                self._warn("output_limit is reached: the rest of the output is not shown")
            data, self._left = data[: max(self._left, 0)], -1
        else:
            self._left -= len(data)
        return data

    def _accept(self, declaration: Declaration | RefusedDeclaration) -> None:
        match declaration:
            case MaskDeclaration(value=value):
                self._registry.add(value, name="a value masked by the step")
            case SensitiveOutput(name=name, value=value):
                self._registry.add(value, name=f"output {name}")
                self._declared.sensitive_outputs.add(name)
            case ArtifactDeclaration():
                self._declared.artifacts.append(declaration)
            case Progress(percent=percent, text=text):
                self._reporter.progress(percent, self._registry.mask_text(text))
            case Message(level="fail", text=text):
                self._declared.failures.append(text)
                self._reporter.highlight(self._registry.mask_text(text))
            case Message(level="warning", text=text):
                self._warn(text)
            case Message(level="highlight", text=text):
                self._reporter.highlight(self._registry.mask_text(text))
            case Message(text=text):
                self._reporter.note(self._registry.mask_text(text))
            case RefusedDeclaration(secret=False):
                self._warn(declaration.why)
            case RefusedDeclaration():
                self._withhold(declaration.why)

    def _withhold(self, why: str) -> None:
        """Something should have been masked from here on, and nobody knows what."""
        if not self._withheld:
            self._withheld = True
            self._warn(f"{why}; the rest of the output is withheld, and the step fails")

    def _warn(self, text: str) -> None:
        self._reporter.warning(self._registry.mask_text(text))
