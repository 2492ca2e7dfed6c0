"""The command line that runs a step once more, as a hint prints it."""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.manifest import LoadedManifest
from calamari_py.masking import SecretRegistry
from calamari_py.runner.options import RunOptions
from calamari_py.steps.base import Rerun
from calamari_py.variables import VariableSet

_FROM_STDIN = "with the same manifest on standard input"


def rerun_of(
    options: RunOptions, loaded: LoadedManifest, registry: SecretRegistry, *, sandbox: bool
) -> Rerun:
    """What of `options` chooses the target of the step: without it a hint would be about another
    one. No value that is secret by now stands in it, and none of several lines; the variable is
    asked for instead."""
    words = ["calamari", "run", _named(options.manifest)]
    words += _variables(options, loaded.variables, registry)
    for file in options.overrides.variable_files:
        words += ["--var-file", file]
    if sandbox:
        words.append("--sandbox")
    if options.policy is not None:
        words += ["--policy", str(options.policy)]
    if options.allow_http_endpoint:
        words.append("--allow-http-endpoint")
    remarks = (_FROM_STDIN,) if options.manifest == "-" else ()
    return Rerun(words=tuple(words), remarks=remarks)


def _named(manifest: str) -> str:
    """A file's name must not be taken for an option's."""
    is_like_an_option = manifest.startswith("-") and manifest != "-"
    return f"./{manifest}" if is_like_an_option else manifest


def _variables(
    options: RunOptions, variables: VariableSet, registry: SecretRegistry
) -> Iterator[str]:
    overrides = options.overrides
    for name, value in overrides.variables.items():
        text = f"{name}={value}"
        if name in overrides.sensitive:
            continue
        # What cannot be shown as it is would be another value when it is pasted.
        cannot_stand = not text.isprintable() or registry.holds_secret(text)
        if cannot_stand or _is_secret(name, variables):
            yield from ("--sensitive-var", name)
        else:
            yield from ("--var", text)
    for name in overrides.sensitive:
        yield from ("--sensitive-var", name)


def _is_secret(name: str, variables: VariableSet) -> bool:
    """Whether `name` is sensitive, or alone the reason why another variable is."""
    if name in variables and variables[name].sensitive:
        return True
    return any(
        each.sensitive
        and name in each.made_of
        and not any(variables[other].sensitive for other in each.made_of if other in variables)
        for each in variables.values()
    )
