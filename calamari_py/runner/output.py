"""The masked sink: everything a child writes and declares passes here on its way to a reporter.

::

    reads ── commands ── masker ── limit ── outlet ── reporter
                │                    │         │
              intake             the tail    the pace

`CommandStream` is there only with ``service_messages: true``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from calamari_py.channel import Channel
from calamari_py.masking import Masked, Masker, SecretRegistry
from calamari_py.masking.unmasked import Unmasked
from calamari_py.output.base import Reporter, Stream
from calamari_py.process import Limits
from calamari_py.runner.commands import CommandStream
from calamari_py.runner.intake import Declared, Intake
from calamari_py.runner.last_line import LastLine
from calamari_py.runner.limit import Entry, OutputLimit
from calamari_py.runner.outlet import Outlet

STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class MaskedSink:
    """One child's streams. See `calamari_py.process.OutputSink` for who calls what and when.

    `limit` is the manifest's ``output_limit`` in bytes over both streams, None for none. `unread`
    drops output that nobody reads instead of ending the child for it. `attend` is called before
    each read is shown, by the thread that may write: for what other threads have to say. With
    `no_mask` the child's own bytes are shown as they are, and nothing else is.
    """

    def __init__(
        self,
        *,
        registry: SecretRegistry,
        channel: Channel,
        reporter: Reporter,
        declared: Declared,
        limit: int | None = None,
        limits: Limits | None = None,
        unread: bool = False,
        service_messages: bool = False,
        no_mask: bool = False,
        attend: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bytes_read: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._registry = registry
        self._known = len(registry)
        self._channel = channel
        self._attend = attend
        self._no_mask = no_mask
        self._service_messages = service_messages
        self._outlet = Outlet(reporter, registry, unread=unread)
        self._intake = Intake(
            registry=registry, declared=declared, outlet=self._outlet, withhold=self._withhold
        )
        self._last_line = LastLine(limits or Limits(), clock=clock)
        self._limit = None if limit is None else OutputLimit(limit)
        self._maskers: dict[Stream, Masker | Unmasked] = {
            stream: Unmasked() if no_mask else Masker(registry) for stream in STREAMS
        }
        self._withheld_since: str | None = None
        self._dropped: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._faults_told: set[Stream] = set()
        self.begin()

    @property
    def faulty(self) -> bool:
        """Whether output was withheld, so that the step must not succeed."""
        return self._withheld_since is not None or any(
            masker.fault is not None for masker in self._maskers.values()
        )

    @property
    def refused(self) -> str | None:
        """Why output was withheld for what the step declared; None where it was not, and where
        masking itself failed."""
        fault = any(masker.fault is not None for masker in self._maskers.values())
        return None if fault else self._withheld_since

    def last_line(self) -> Masked | None:
        """What the child said last, before it was told to stop; None where it said nothing."""
        return self._last_line.text(self._registry)

    def begin(self) -> None:
        """A command starts: both streams are open."""
        self._open = set(STREAMS)
        # What is left of each read for `feed`, at most two a stream: see OutputSink.
        self._given: dict[Stream, deque[bytes]] = {stream: deque(maxlen=2) for stream in STREAMS}
        self._commands: dict[Stream, CommandStream] = (
            {stream: CommandStream(stream) for stream in STREAMS} if self._service_messages else {}
        )
        self._last_line.begin()

    def before_feed(self, reads: Mapping[Stream, bytes]) -> None:
        """Take in what was declared before the bytes that come next, and in them."""
        self._listen()
        for stream, data in reads.items():
            self.bytes_read[stream] += len(data)
            if self._commands:
                # A stream whose reader is gone is read and never fed; what it declares counts.
                self._given[stream].append(self._commands[stream].feed(data))
        self._take_in()

    def feed(self, stream: Stream, data: bytes) -> None:
        """Mask and show."""
        if self._commands:
            data = self._given[stream].popleft()
        self._show(stream, self._maskers[stream].feed(data))

    def holding(self) -> bool:
        """Whether anything waits for more."""
        return (
            self._outlet.holding
            or any(masker.held for masker in self._maskers.values())
            or any(commands.held for commands in self._commands.values())
        )

    def idle(self) -> None:
        """Show or mask what is held: nothing came for a while."""
        given = {stream: commands.idle() for stream, commands in self._commands.items()}
        self._take_in()
        for stream, masker in self._maskers.items():
            if given.get(stream):
                self._show(stream, masker.feed(given[stream]))
            self._show(stream, masker.idle())
        self._outlet.release()

    def close(self, stream: Stream) -> None:
        """The stream has ended."""
        self._open.discard(stream)
        self._listen()
        given = self._commands[stream].close() if self._commands else b""
        self._take_in()
        masker = self._maskers[stream]
        if given:
            self._show(stream, masker.feed(given))
        self._show(stream, masker.close())
        if not self._open:
            self._show_tail()
            self._say_what_was_withheld()
        self._outlet.release()

    def _listen(self) -> None:
        with self._outlet.tolerant():
            self._attend()

    def _take_in(self) -> None:
        for declaration in self._channel.take():
            self._intake.accept(declaration)
        for commands in self._commands.values():
            while commands.taken:
                self._intake.accept(commands.taken.pop(0))
        for warning in self._registry.take_warnings():
            self._outlet.warn(warning)
        if len(self._registry) != self._known:
            self._known = len(self._registry)
            self._mask_what_waits()

    def _mask_what_waits(self) -> None:
        """What was masked and not shown yet was never compared with the newest secrets."""
        if self._no_mask:
            return
        cut = self._limit is not None and self._limit.reached
        self._outlet.rework(lambda entries: self._masked_anew(entries, goes_on=not cut))
        if self._limit is not None:
            self._limit.rework(lambda entries: self._masked_anew(entries, goes_on=True))

    def _masked_anew(self, entries: Iterable[Entry], *, goes_on: bool) -> list[Entry]:
        """`entries` masked with the newest secrets. Where the stream `goes_on` behind them, what
        comes next may be the rest of one that begins in them."""
        whole: dict[Stream, bytes] = {}
        for stream, data in entries:
            whole[stream] = whole.get(stream, b"") + data
        masked: list[Entry] = []
        for stream, data in whole.items():
            if goes_on and stream in self._open:
                masked.append((stream, self._maskers[stream].again(data)))
            else:
                masked.append((stream, self._registry.mask_bytes(data)))
        return masked

    def _show(self, stream: Stream, data: bytes) -> None:
        """Show `data`, which is masked, as far as it may be shown."""
        self._tell_fault(stream)
        if self._withheld_since is not None:
            self._dropped[stream] += len(data)
            return
        if not data:
            return
        if not self._no_mask:
            # A line that nobody masked is quoted nowhere: cut, it would hold half a secret.
            self._last_line.take(stream, data)
        if self._limit is None:
            self._outlet.output(stream, data)
            return
        within = not self._limit.reached
        self._outlet.output(stream, self._limit.take(stream, data))
        if within and self._limit.reached:
            self._outlet.warn(
                f"output_limit ({self._limit.size:,} bytes) is reached: what follows is left out, "
                "except for its end"
            )

    def _show_tail(self) -> None:
        limit = self._limit
        if limit is None or not limit.reached:
            return
        entries = limit.end()
        if self.faulty:
            for stream, data in entries:
                self._dropped[stream] += len(data)
            return
        if limit.left_out:
            self._outlet.warn(
                f"output_limit: {limit.left_out:,} bytes of output are left out here"
                + ("; this is its end" if entries else "")
            )
            limit.left_out = 0
        for stream, data in entries:
            self._outlet.output(stream, data)

    def _tell_fault(self, stream: Stream) -> None:
        if self._maskers[stream].fault is not None and stream not in self._faults_told:
            self._faults_told.add(stream)
            self._outlet.warn_of_fault(
                f"masking failed: the rest of {stream} is withheld, and the step fails"
            )

    def _withhold(self, why: str) -> None:
        if self._withheld_since is None:
            self._withheld_since = why
            self._outlet.warn(f"{why}; the rest of the output is withheld, and the step fails")

    def _say_what_was_withheld(self) -> None:
        for stream, masker in self._maskers.items():
            count = masker.withheld + self._dropped[stream]
            self._dropped[stream] = -masker.withheld
            if count:
                self._outlet.warn_of_fault(f"{count:,} bytes of {stream} were withheld")
