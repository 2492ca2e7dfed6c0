"""Templates as far as a test needs them: read, resolved, compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.fake_cloudformation.model import STACK_TYPE, Design, FakeResource, Template

NO_VALUE = "AWS::NoValue"
_NAMED = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group", "AWS::IAM::ManagedPolicy")
_IAM = (*_NAMED, "AWS::IAM::Policy", "AWS::IAM::InstanceProfile", "AWS::IAM::AccessKey")
_NAME_PROPERTIES = ("RoleName", "UserName", "GroupName", "ManagedPolicyName")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def read(text: str) -> Template:
    """The template, ValueError when there is none."""
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(value, dict):
        raise ValueError("unsupported structure")
    template: Template = json.loads(json.dumps(value, default=str))
    return template


def required_capabilities(template: Template) -> tuple[str, ...]:
    """Those that AWS would ask for."""
    needed: set[str] = set()
    for resource in template.get("Resources", {}).values():
        if resource["Type"] in _IAM:
            given = resource.get("Properties") or {}
            named = any(name in given for name in _NAME_PROPERTIES)
            needed.add("CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM")
    if "CAPABILITY_NAMED_IAM" in needed:
        needed.discard("CAPABILITY_IAM")
    if template.get("Transform"):
        needed.add("CAPABILITY_AUTO_EXPAND")
    return tuple(sorted(needed))


def parameter_values(
    template: Template, given: Mapping[str, str], previous: Mapping[str, str]
) -> dict[str, str]:
    """Values of all parameters; KeyError with the names of those that have none."""
    values: dict[str, str] = {}
    missing: list[str] = []
    for name, declared in template.get("Parameters", {}).items():
        if name in given:
            values[name] = given[name]
        elif name in previous:
            values[name] = previous[name]
        elif "Default" in declared:
            values[name] = str(declared["Default"])
        else:
            missing.append(name)
    if missing:
        raise KeyError(", ".join(missing))
    return values


def dependencies(template: Template, logical_id: str) -> frozenset[str]:
    """The resources that have to be there first."""
    resources = template.get("Resources", {})
    body = resources[logical_id]
    written = body.get("DependsOn") or []
    found = {written} if isinstance(written, str) else set(written)
    found |= _mentioned(body.get("Properties") or {})
    return frozenset((found & set(resources)) - {logical_id})


def _mentioned(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*(_mentioned(item) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, item in value.items():
        if key == "Ref":
            found.add(item)
        elif key == "Fn::GetAtt":
            found.add(item[0] if isinstance(item, list) else item.split(".")[0])
        elif key == "Fn::Sub":
            text = item[0] if isinstance(item, list) else item
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)}
        else:
            found |= _mentioned(item)
    return found


class Resolver:
    """Intrinsic functions over what is known of a stack."""

    def __init__(
        self,
        design: Design,
        resources: Mapping[str, FakeResource],
        nested_outputs: Mapping[str, Mapping[str, str]],
        pseudo: Mapping[str, str],
    ) -> None:
        self._parameters = design.parameters
        self._resources = resources
        self._nested = nested_outputs
        self._pseudo = pseudo

    def value(self, written: Any) -> Any:
        """`written` with its functions replaced."""
        if isinstance(written, list):
            return [self.value(item) for item in written]
        if not isinstance(written, dict):
            return written
        if len(written) == 1:
            name, argument = next(iter(written.items()))
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::"):
                return self._function(name[4:], argument)
        values = {key: self.value(item) for key, item in written.items()}
        return {key: item for key, item in values.items() if item != NO_VALUE}

    def _ref(self, name: str) -> str:
        if name in self._parameters:
            return self._parameters[name]
        if name in self._resources:
            return self._resources[name].physical_id or f"<{name}>"
        return self._pseudo.get(name, f"<{name}>" if name != NO_VALUE else NO_VALUE)

    def _get_att(self, logical_id: str, attribute: str) -> str:
        if attribute.startswith("Outputs."):
            return self._nested.get(logical_id, {}).get(
                attribute[8:], f"<{logical_id}.{attribute}>"
            )
        return f"{self._ref(logical_id)}.{attribute}"

    def _function(self, name: str, argument: Any) -> Any:
        if name == "GetAtt":
            parts = argument if isinstance(argument, list) else argument.split(".", 1)
            return self._get_att(parts[0], parts[1])
        if name == "Sub":
            text, more = argument if isinstance(argument, list) else (argument, {})
            return re.sub(r"\$\{([^!}]+)\}", lambda found: self._sub(found[1], more), text)
        if name == "Join":
            return argument[0].join(str(self.value(item)) for item in argument[1])
        return f"<{name} {json.dumps(self.value(argument))}>"

    def _sub(self, name: str, more: Mapping[str, Any]) -> str:
        if name in more:
            return str(self.value(more[name]))
        return self._get_att(*name.split(".", 1)) if "." in name else self._ref(name)


def is_nested(template: Template, logical_id: str) -> bool:
    """Whether the resource is a stack."""
    return bool(template["Resources"][logical_id]["Type"] == STACK_TYPE)
