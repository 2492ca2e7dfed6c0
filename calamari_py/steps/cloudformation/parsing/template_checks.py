"""A section held against its template: capabilities, parameters, outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal, InvalidOperation

from calamari_py.manifest.nodes import Place
from calamari_py.steps.cloudformation.parsing.guards import Checks, is_importable
from calamari_py.steps.cloudformation.parsing.template import AUTO_EXPAND, IAM, NAMED_IAM, TRANSFORM
from calamari_py.steps.cloudformation.sections import ImportSection, OutputsSection
from calamari_py.steps.cloudformation.spec import Parameter, TemplateFacts, TemplateParameter


def check_capabilities(
    checks: Checks, given: Sequence[str], facts: TemplateFacts, *, by_change_set: bool
) -> None:
    """What the template needs is acknowledged.

    Macros need it only where the template is processed without a change set. Source: API
    reference, CreateChangeSet and CreateStackSet, `Capabilities`.
    """
    has = set(given)
    if NAMED_IAM in has:
        has.add(IAM)
    needs = set(facts.capabilities)
    if by_change_set:
        needs.discard(AUTO_EXPAND)
    if NAMED_IAM in needs:
        needs.discard(IAM)
    for capability in sorted(needs - has):
        # NAMED_IAM covers IAM, so that one is not written beside it.
        wanted = {*given, capability} - ({IAM} if capability == NAMED_IAM else set())
        expands = capability == AUTO_EXPAND
        reasons = [text for text in facts.reasons if text.startswith(TRANSFORM) == expands]
        because = f" for {reasons[0]}" if reasons else ""
        more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        line = ", ".join(sorted(wanted))
        checks.refuse(
            "capabilities",
            f"the template needs {capability}{because}{more}",
            f"look at what it makes, then write: capabilities: [{line}]",
        )


class ParameterChecks:
    """Holds given parameters against what the template declares.

    `place` says where a parameter's value (or one item of its list) stands: a field of the section
    or, with a place, of a file.
    """

    def __init__(
        self,
        checks: Checks,
        facts: TemplateFacts,
        place: Callable[[str, int | None], tuple[str, Place | None]],
    ) -> None:
        self._checks = checks
        self._facts = facts
        self._place = place

    def check(self, parameters: Sequence[Parameter], lists: Collection[str]) -> None:
        """Every one is known, and its value legal."""
        declared = self._facts.parameters
        for parameter in parameters:
            known = declared.get(parameter.key)
            if known is None:
                self._refuse(parameter.key, None, *self._unknown(parameter.key))
            elif parameter.value is not None:
                self._value(parameter.value, known, as_list=parameter.key in lists)

    def check_missing(self, given: Collection[str], *, hint: str) -> None:
        """What has no default has a value; `{name}` in `hint` is the parameter's name."""
        for name, declared in self._facts.parameters.items():
            if declared.default is None and name not in given:
                message = f"the template's parameter '{name}' has no value and no default"
                self._checks.refuse("parameters", message, hint.replace("{name}", name))

    def _unknown(self, key: str) -> tuple[str, str | None]:
        declared = self._facts.parameters
        near = self._checks.near(key, declared)
        if near:
            return f"the template has no parameter '{key}'; {near}", None
        names = ", ".join(declared) if declared else "none"
        return f"the template has no parameter '{key}'", f"the template's parameters: {names}"

    def _value(self, value: str, declared: TemplateParameter, *, as_list: bool) -> None:
        field, place = self._place(declared.name, None)
        secret = place is None and self._is_secret(declared.name, value)
        if secret and not declared.no_echo:
            message = (
                "is made from a sensitive variable, and the template's parameter has no NoEcho: "
                "whoever may describe the stack sees the value"
            )
            self._checks.warn(field, message)
        several = declared.type == "CommaDelimitedList" or declared.type.startswith("List<")
        allowed = declared.allowed_values
        if not allowed or (several and not value):
            return
        for index, item in enumerate(value.split(",") if several else [value]):
            if _is_allowed(item.strip() if several else item, declared):
                continue
            at, _ = self._place(declared.name, index if as_list else None)
            hidden = declared.no_echo or secret
            shown = "its value" if hidden else self._checks.shown(at, item)
            message = f"{shown} is not one of the values that the template allows"
            hint = "see AllowedValues in the template"
            if not declared.no_echo:
                hint = f"allowed: {', '.join(allowed)}"
            self._refuse(declared.name, index if as_list else None, message, hint)

    def _is_secret(self, key: str, value: str) -> bool:
        fields = [self._place(key, None)[0]]
        fields += [self._place(key, index)[0] for index in range(value.count(",") + 1)]
        return any(self._checks.is_secret(field) for field in fields)

    def _refuse(self, key: str, index: int | None, message: str, hint: str | None) -> None:
        field, place = self._place(key, index)
        self._checks.refuse(field, message, hint, place)


def _is_allowed(value: str, declared: TemplateParameter) -> bool:
    if value in declared.allowed_values:
        return True
    if "Number" not in declared.type:
        return False
    try:
        return Decimal(value) in {Decimal(text) for text in declared.allowed_values}
    except InvalidOperation:
        return False


def check_imported(checks: Checks, imports: Sequence[ImportSection], facts: TemplateFacts) -> None:
    """What is imported is described, and says what becomes of it when it is removed again. Source:
    user guide, "Resource import", prerequisites."""
    if facts.resources is None:
        return
    for index, item in enumerate(imports):
        if not is_importable(item):
            continue
        described = facts.named.get(item.logical_id)
        field = f"import[{index}].logical_id"
        if described is None:
            near = checks.near(item.logical_id, facts.named)
            message = f"the template has no resource '{item.logical_id}'"
            message += f"; {near}" if near else ""
            checks.refuse(field, message, "describe it in the template as it is")
            continue
        if described.type != item.resource_type:
            message = f"the template has '{item.logical_id}' as {described.type or 'no known type'}"
            checks.refuse(f"import[{index}].resource_type", message, "write the same in both")
        if not described.has_policy:
            message = f"'{item.logical_id}' has no DeletionPolicy in the template: AWS imports none"
            checks.refuse(field, message, "write DeletionPolicy: Retain beside its Type")


def check_defaults(checks: Checks, facts: TemplateFacts) -> None:
    """A secret that stands in the template is none."""
    for name, declared in facts.parameters.items():
        if declared.no_echo and declared.default:
            checks.warn(
                "template",
                f"has a default for the parameter '{name}', which is NoEcho: whoever may read the "
                "template knows the secret",
            )


def check_outputs(checks: Checks, outputs: OutputsSection, facts: TemplateFacts) -> None:
    """An output that is to be masked exists: a misspelt one would be shown."""
    if facts.resources is None:
        return
    for index, name in enumerate(outputs.sensitive):
        if name not in facts.outputs:
            near = checks.near(name, facts.outputs)
            names = ", ".join(facts.outputs) or "none"
            message = f"the template has no output '{name}'" + (f"; {near}" if near else "")
            hint = None if near else f"the template's outputs: {names}"
            checks.refuse(f"outputs.sensitive[{index}]", message, hint)
