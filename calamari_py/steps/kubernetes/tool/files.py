"""Private files in which objects are handed to kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from calamari_py.channel import write_private
from calamari_py.steps.kubernetes.tool.listed import reference
from calamari_py.steps.kubernetes.values import ObjectRef


@contextmanager
def private_files(private: Path, texts: Iterable[bytes]) -> Iterator[tuple[Path, ...]]:
    """One numbered file (0600) for each of `texts`, below `private`, until the block is left."""
    with TemporaryDirectory(dir=private, prefix="objects-") as folder:
        paths = []
        for number, text in enumerate(texts, 1):
            path = Path(folder, f"{number:04}.yaml")
            write_private(path, text)
            paths.append(path)
        yield tuple(paths)


def references(refs: Sequence[ObjectRef]) -> bytes:
    """A file that names `refs` and says no more of them."""
    listed = {"apiVersion": "v1", "kind": "List", "items": [reference(ref) for ref in refs]}
    return json.dumps(listed).encode()


def as_reference(ref: ObjectRef) -> bytes:
    """A file that names `ref` and says no more of it."""
    return json.dumps(reference(ref)).encode()
