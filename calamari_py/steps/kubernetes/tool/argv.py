"""The arguments of kubectl's commands. Nothing secret stands in them: objects come as files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.values import ObjectRef

TYPE = re.compile(r"[A-Za-z][-A-Za-z0-9]*(\.[-A-Za-z0-9]+)*", re.ASCII)
"""A type as kubectl takes it, ``Deployment.apps``. Nothing that a cluster says becomes a word of a
command line without being one: it might be an option."""
READ_TIMEOUT = "--request-timeout=20s"
WRITE_TIMEOUT = "--request-timeout=40s"
"""An admission webhook may take 30 seconds of a request that writes."""


def with_timeout(words: Sequence[str]) -> tuple[str, ...]:
    """`words`, which wait for an answer no longer than a look may take, unless they say how long
    that is."""
    if any(word.startswith("--request-timeout") for word in words):
        return tuple(words)
    return (*words, READ_TIMEOUT)


def get_file(references: Path) -> tuple[str, ...]:
    """Ask for the objects that the file `references` names."""
    return ("get", "-f", str(references), "--ignore-not-found", "-o", "json")


def get_types(types: Sequence[str], *, namespace: str | None, selector: str) -> tuple[str, ...]:
    """List `types`. `namespace` None is all of them, "" the context's."""
    words = ["get", ",".join(types), "-o", "json"]
    if namespace is None:
        words.append("--all-namespaces")
    elif namespace:
        words += ["--namespace", namespace]
    if selector:
        words += ["--selector", selector]
    return tuple(words)


def get_named(name: str, *, namespace: str) -> tuple[str, ...]:
    """Ask for one object by a name as people write it, ``configmaps/web``."""
    where = ("--namespace", namespace) if namespace else ()
    return ("get", name, *where, "--ignore-not-found", "-o", "json")


def get_version(ref: ObjectRef) -> tuple[str, ...]:
    """Ask for the types of the group and version that `ref` is of."""
    return ("get", "--raw", f"/apis/{ref.group}/{ref.version}")


def apply(
    files: Sequence[Path],
    spec: KubectlSpec,
    *,
    dry_run: bool = False,
    prunes_in: str | None = None,
) -> tuple[str, ...]:
    """Apply `files`. With `prunes_in`, a namespace, they are all that the spec's ApplySet is to
    have. A dry run writes the objects as they would be."""
    words = ["apply"]
    if spec.server_side:
        words += ["--server-side", f"--field-manager={spec.field_manager}"]
        if spec.force_conflicts:
            words.append("--force-conflicts")
    # On the client's side the name is left as it is: by that alone kubectl knows its own fields
    # when they are applied on the server's side one day.
    if prunes_in is not None:
        words += ["--prune", f"--applyset={spec.applyset}"]
        if is_namespaced_parent(spec.applyset):
            words += ["--namespace", prunes_in]
    if dry_run:
        words += ["--dry-run=server", "-o", "json"]
    return (*words, *named_files(files), WRITE_TIMEOUT)


def create(file: Path, spec: KubectlSpec, *, dry_run: bool = False) -> tuple[str, ...]:
    """Create the object of `file`, whose name the server makes, and write it."""
    dry = ("--dry-run=server",) if dry_run else ()
    manager = f"--field-manager={spec.field_manager}"
    return ("create", manager, *dry, "-o", "json", "-f", str(file), WRITE_TIMEOUT)


def delete(files: Sequence[Path]) -> tuple[str, ...]:
    """Delete what `files` name, and do not wait for it."""
    return ("delete", "--wait=false", "--ignore-not-found", *named_files(files), WRITE_TIMEOUT)


def named_files(files: Sequence[Path]) -> tuple[str, ...]:
    """``-f`` for each."""
    return tuple(word for file in files for word in ("-f", str(file)))


def is_namespaced_parent(applyset: str) -> bool:
    """Whether an ApplySet's parent lies in a namespace: kubectl wants it said then. All parents but
    ConfigMaps and Secrets are custom ones of the cluster's."""
    kind, slash, _ = applyset.partition("/")
    return not slash or kind.lower().partition(".")[0] in {
        "configmap", "configmaps", "cm", "secret", "secrets",
    }  # fmt: skip
