"""The private folders of one run: what is secret in memory, what is large on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from calamari_py.channel import Channel
from calamari_py.process import Janitor, SignalInbox, private_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFolders:
    """The private folders of one run. `memory` holds what is secret, `temp` is for the child."""

    memory: Path
    channel: Channel
    temp: Path

    def environment(self) -> dict[str, str]:
        """The names by which a child finds them."""
        return {**self.channel.environment(), "CALAMARI_TEMP": str(self.temp)}

    def new(self, name: str) -> Path:
        """A folder for one execution of a kind."""
        folder = self.memory / name
        # A step may have removed what it was given; `finally` runs all the same.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def new_temp(self, name: str) -> Path:
        """A folder on the disk for one execution of a kind, beside what its child finds there."""
        folder = self.temp.parent / f"kind-{name}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


@contextmanager
def open_folders(
    environ: Mapping[str, str], inbox: SignalInbox, *, warn: Callable[[str], None]
) -> Iterator[ChildFolders]:
    """Private folders, removed on every way out; secrets in memory where the system has such.

    They are made and removed as a whole: a signal meanwhile waits in `inbox`.
    """
    memory = _folders(environ.get("XDG_RUNTIME_DIR"), "/dev/shm")  # noqa: S108
    disk = _folders(environ.get("TMPDIR"), "/tmp")  # noqa: S108
    with ExitStack() as stack:
        with inbox.queued():
            janitor = stack.enter_context(Janitor(warn))
            private = stack.enter_context(
                private_folder([*memory, *disk], warn=warn, janitor=janitor)
            )
            spacious = stack.enter_context(
                private_folder([*disk, *memory], warn=warn, janitor=janitor)
            )
            channel = Channel(private / "channel")
            channel.folder.mkdir(mode=0o700)
            temp = spacious / "temp"
            temp.mkdir(mode=0o700)
        inbox.raise_waiting()
        try:
            yield ChildFolders(memory=private, channel=channel, temp=temp)
        finally:
            with inbox.queued():
                stack.close()


def _folders(*names: str | None) -> list[Path]:
    return [Path(name) for name in names if name]
