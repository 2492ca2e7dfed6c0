"""Every command line of Terraform. Pure; no value of the manifest's variables or backend is in one.

They are run in the root module's folder. Values are joined to their flags by ``=``, so that none
can become a flag itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.spec import TerraformSpec

_PLAIN = "-no-color"
_PROBE = "terraform_data.calamari_lock_probe"
"""An address that nobody has."""


def version(spec: TerraformSpec) -> tuple[str, ...]:
    """What program it is."""
    return (str(spec.binary), "version", "-json")


def init(spec: TerraformSpec, files: PrivateFiles) -> tuple[str, ...]:
    """Backend, modules and providers. Never ``-reconfigure``: the data folder is fresh."""
    words = [str(spec.binary), "init", "-input=false", _PLAIN]
    if files.backend is not None:
        words.append(f"-backend-config={files.backend}")
    if spec.upgrade:
        words.append("-upgrade")
    if spec.lockfile_readonly:
        words.append("-lockfile=readonly")
    return tuple(words)


def workspace_select(spec: TerraformSpec) -> tuple[str, ...]:
    """Go to the workspace of `spec`; exit 1 where there is none of that name."""
    return (str(spec.binary), "workspace", "select", _PLAIN, _workspace(spec))


def workspace_new(spec: TerraformSpec) -> tuple[str, ...]:
    """Make it and go there."""
    return (str(spec.binary), "workspace", "new", _PLAIN, _lock_timeout(spec), _workspace(spec))


def workspace_list(spec: TerraformSpec) -> tuple[str, ...]:
    """The names of those there are; ``*`` before the one that is selected."""
    return (str(spec.binary), "workspace", "list", _PLAIN)


def plan(
    spec: TerraformSpec,
    files: PrivateFiles,
    *,
    out: Path,
    destroy: bool = False,
    refresh_only: bool = False,
) -> tuple[str, ...]:
    """Make a plan: exit 0 where there is nothing to do, 2 where there is. What only a plan of
    another mode may say (``-replace``) is left out: Terraform refuses it there."""
    words = [str(spec.binary), "plan", "-json", "-input=false", "-detailed-exitcode"]
    words += (_lock_timeout(spec), f"-out={out}")
    if destroy:
        words.append("-destroy")
    if refresh_only:
        words.append("-refresh-only")
    elif not spec.refresh:
        words.append("-refresh=false")
    words += _parallelism(spec)
    words += _variables(spec, files)
    words += (f"-target={address}" for address in spec.targets)
    if not (destroy or refresh_only):
        words += (f"-replace={address}" for address in spec.replace)
    return tuple(words)


def apply(
    spec: TerraformSpec, plan: Path, *, variable_files: Sequence[Path] = ()
) -> tuple[str, ...]:
    """Apply a plan file, which is its own approval. `variable_files` are for ephemeral variables,
    which no plan holds. Others are in it: a value that differs from the plan's is refused, and some
    versions refuse the same one, too."""
    words = [str(spec.binary), "apply", "-json", "-input=false", _lock_timeout(spec)]
    words += _parallelism(spec)
    words += (f"-var-file={path}" for path in variable_files)
    return (*words, str(plan))


def show_plan(spec: TerraformSpec, plan: Path) -> tuple[str, ...]:
    """A plan as JSON, secrets and all."""
    return (str(spec.binary), "show", "-json", _PLAIN, str(plan))


def show_state(spec: TerraformSpec) -> tuple[str, ...]:
    """The state as JSON, secrets and all."""
    return (str(spec.binary), "show", "-json", _PLAIN)


def outputs(spec: TerraformSpec) -> tuple[str, ...]:
    """The state's outputs as JSON, secrets and all."""
    return (str(spec.binary), "output", "-json", _PLAIN)


def probe_lock(spec: TerraformSpec) -> tuple[str, ...]:
    """Take the state's lock and give it back; exit 1 and ``Lock Info:`` where somebody holds it.
    Nothing is written: there is no resource of that address."""
    return (str(spec.binary), "untaint", "-allow-missing", "-lock-timeout=0s", _PLAIN, _PROBE)


def _workspace(spec: TerraformSpec) -> str:
    assert spec.workspace is not None
    return spec.workspace.name


def _lock_timeout(spec: TerraformSpec) -> str:
    return f"-lock-timeout={spec.lock_timeout}s"


def _parallelism(spec: TerraformSpec) -> Iterator[str]:
    if spec.parallelism is not None:
        yield f"-parallelism={spec.parallelism}"


def _variables(spec: TerraformSpec, files: PrivateFiles) -> Iterator[str]:
    """Later ones win: what the manifest itself says comes last."""
    yield from (f"-var-file={path}" for path in spec.variable_files)
    if files.variables is not None:
        yield f"-var-file={files.variables}"
