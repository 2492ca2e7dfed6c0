"""What a step leaves: output variables and artifacts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path

from calamari_py.channel import (
    Channel,
    ChildFileRefused,
    opened_child_file,
    read_child_file,
)
from calamari_py.errors import UsageError
from calamari_py.masking import Masker, SecretRegistry
from calamari_py.messages import ArtifactDeclaration
from calamari_py.result import OutputVariable

_PIECE = 1024 * 1024
"""Bytes of a file that are in memory at once."""


def register_sensitive(
    channel: Channel, *, sensitive: Iterable[str], registry: SecretRegistry
) -> None:
    """An output that was declared sensitive once, and set again by another way, is masked with that
    value, too."""
    if declared := set(sensitive):
        _register(channel.outputs()[0], declared, registry)


def collect_outputs(
    channel: Channel,
    *,
    sensitive: Iterable[str],
    registry: SecretRegistry,
    lost: Callable[[str], None],
    in_band: Mapping[str, str] | None = None,
) -> dict[str, OutputVariable]:
    """The outputs by name, the last value of each; those set `in_band` win over those in the file.
    `lost` hears of what could not be read. One whose value holds a registered secret counts as
    sensitive, whatever the step said of it."""
    pairs, complaints = channel.outputs()
    for complaint in complaints:
        lost(complaint)
    declared = set(sensitive)
    _register(pairs, declared, registry)
    outputs: dict[str, OutputVariable] = {}
    for name, value in [*pairs, *(in_band or {}).items()]:
        outputs[str(registry.mask_text(name))] = OutputVariable(
            value=value, sensitive=name in declared or registry.holds_secret(value)
        )
    return outputs


def _register(
    pairs: Iterable[tuple[str, str]], declared: Container[str], registry: SecretRegistry
) -> None:
    for name, value in pairs:
        if name in declared:
            registry.add(value, name=f"output {name}")


def prepare_artifacts_folder(folder: Path) -> None:
    """Make the folder for ``--artifacts``, or UsageError while nothing has run yet."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the artifacts folder '{folder}' cannot be made ({error.strerror})",
            hint="name a folder that you may write to with --artifacts",
        ) from None


def collect_artifacts(
    declared: Iterable[ArtifactDeclaration],
    *,
    folder: Path | None,
    registry: SecretRegistry,
    warn: Callable[[str], None],
    lost: Callable[[str], None],
    is_hidden: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    """Copy the declared files into `folder`; returns their names there, masked. `lost` hears of
    what could not be collected, and of what `is_hidden` from the step that declares it."""
    collected: list[str] = []
    for artifact in declared:
        name = registry.mask_text(_base_name(artifact.name))
        if folder is None:
            warn(f"artifact '{name}' is not collected: run with --artifacts DIR")
            continue
        if is_hidden(artifact.path):
            lost(f"artifact '{name}' is not collected: it belongs to the launcher and is hidden")
            continue
        try:
            content = read_child_file(artifact.path)
        except (ChildFileRefused, ValueError) as refused:
            lost(f"artifact '{name}' is not collected: the file {refused}")
            continue
        try:
            collected.append(_store(folder, name, (content,)))
        except OSError as error:
            lost(f"artifact '{name}' is not collected: it cannot be written ({error.strerror})")
    return collected


def keep_artifact(
    path: Path, name: str, *, folder: Path, registry: SecretRegistry, as_it_is: bool
) -> str:
    """Copy a file of our own, however large, into `folder`; its name there. It is masked on its way
    unless `as_it_is`. ChildFileRefused says why it is not read, OSError why it cannot be
    written."""
    shown = registry.mask_text(_base_name(name))
    return _store(folder, shown, _pieces(path, registry, as_it_is=as_it_is))


def _pieces(path: Path, registry: SecretRegistry, *, as_it_is: bool) -> Iterator[bytes]:
    masker = Masker(registry)
    with opened_child_file(path) as file:
        while piece := file.read(_PIECE):
            yield piece if as_it_is else masker.feed(piece)
    yield masker.close()
    if masker.fault is not None:
        raise ChildFileRefused("cannot be masked")


def _base_name(name: str) -> str:
    """The last part of the name, whatever folders it names, without control characters."""
    parts = name.replace("\\", "/").split("/")
    last = "".join(char for char in parts[-1] if char.isprintable()).strip()
    return last if last not in {"", ".", ".."} else "artifact"


def _store(folder: Path, name: str, content: Iterable[bytes]) -> str:
    """Write `content` under `name`, or under ``name-2`` … where that is taken; atomic, 0600."""
    stem, dot, suffix = name.partition(".") if not name.startswith(".") else (name, "", "")
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".calamari-")
    try:
        with open(descriptor, "wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        number = 1
        while True:
            candidate = name if number == 1 else f"{stem}-{number}{dot}{suffix}"
            try:
                # link() never replaces what is there, as rename() would.
                os.link(temporary, folder / candidate)
            except FileExistsError:
                number += 1
                continue
            return candidate
    finally:
        os.unlink(temporary)
