"""Intake: what becomes of each thing that a step declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from calamari_py.channel import RefusedDeclaration
from calamari_py.masking import SecretRegistry
from calamari_py.messages import (
    ArtifactDeclaration,
    Declaration,
    MaskDeclaration,
    Message,
    OutputSet,
    Progress,
    SensitiveOutput,
)
from calamari_py.runner.outlet import Outlet


@dataclass(slots=True, kw_only=True)
class Declared:
    """What a step has declared so far, beside the secrets, which are in the registry. `outputs` are
    those set by a command in the output: the last value of each."""

    artifacts: list[ArtifactDeclaration] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict, repr=False)
    sensitive_outputs: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


class Intake:
    """Enters declarations into the registry and into `declared`, and says messages. `withhold` is
    told why nothing more may be shown: something was to be masked, and nobody knows what."""

    def __init__(
        self,
        *,
        registry: SecretRegistry,
        declared: Declared,
        outlet: Outlet,
        withhold: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._declared = declared
        self._outlet = outlet
        self._withhold = withhold

    def accept(self, declaration: Declaration | RefusedDeclaration) -> None:
        """Take one in."""
        match declaration:
            case MaskDeclaration(value=value):
                self._registry.add(value, name="a value masked by the step")
            case SensitiveOutput(name=name, value=value):
                self._registry.add(value, name=f"output {name}")
                self._declared.sensitive_outputs.add(name)
            case OutputSet(name=name, value=text, sensitive=sensitive):
                if sensitive or name in self._declared.sensitive_outputs:
                    self._registry.add(text, name=f"output {name}")
                    self._declared.sensitive_outputs.add(name)
                self._declared.outputs[name] = text
            case ArtifactDeclaration():
                self._declared.artifacts.append(declaration)
            case Progress(percent=percent, text=text):
                self._outlet.progress(percent, text)
            case Message():
                self._say(declaration)
            case RefusedDeclaration(secret=False):
                self._outlet.warn(
                    declaration.why, "docs/scripts.md says how a step declares things"
                )
            case RefusedDeclaration():
                self._withhold(declaration.why)

    def _say(self, message: Message) -> None:
        match message.level:
            case "fail":
                self._declared.failures.append(message.text)
                self._outlet.highlight(message.text)
            case "warning":
                self._outlet.warn(message.text)
            case "highlight":
                self._outlet.highlight(message.text)
            case _:
                self._outlet.note(message.text)
