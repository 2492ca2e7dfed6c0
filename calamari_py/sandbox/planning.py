"""What a template asks for, and what would change in a stack: before moto makes anything."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import Stack as _MotoStack
from moto.cloudformation.parsing import NULL_MODELS, get_model_map
from moto.cloudformation.utils import get_stack_from_s3_url
from moto.s3.exceptions import S3ClientError

from calamari_py.sandbox.resources import mentioned
from calamari_py.sandbox.stacks import Stack

INLINE_LIMIT = 51_200
_NAMES = ("RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName")
_RECREATED = {
    "AWS::S3::Bucket": {"BucketName"},
    "AWS::SQS::Queue": {"QueueName", "FifoQueue"},
    "AWS::SNS::Topic": {"TopicName", "FifoTopic"},
    "AWS::SSM::Parameter": {"Name"},
    "AWS::Logs::LogGroup": {"LogGroupName"},
    "AWS::IAM::Role": {"RoleName", "Path"},
    "AWS::DynamoDB::Table": {"TableName", "KeySchema"},
}
"""Properties of well-known types whose change makes a new resource. Of other types any may."""


class Unsupported(Exception):
    """The sandbox cannot do it, and says so."""


@dataclass(slots=True, kw_only=True)
class PlannedChange:
    """One change, with the attributes that moto shows as DescribeChangeSet's."""

    action: str
    logical_resource_id: str
    resource_type: str
    physical_resource_id: str | None = None
    policy_action: str | None = None
    replacement: str | None = None
    scope: list[str] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)


def read(text: str) -> dict[str, Any]:
    """The template; ValidationError when it is none."""
    try:
        template = _MotoStack.parse_template(text)
    except ValueError as error:
        raise ValidationError(message=f"Template format error: {error}") from None
    if not isinstance(template, dict):
        raise ValidationError(message="Template format error: unsupported structure.")
    if not template.get("Resources"):
        raise ValidationError(
            message="Template format error: At least one Resources member must be defined."
        )
    return template


def text_at(url: str, account: str, partition: str) -> str:
    """The template in the account's S3; ValidationError in AWS's words when there is none."""
    try:
        return str(get_stack_from_s3_url(url, account_id=account, partition=partition))
    except S3ClientError as error:
        raise ValidationError(message=f"S3 error: {error.message}") from None
    except AttributeError:  # moto ends so where the bucket is there and the key is not
        raise ValidationError(message="S3 error: The specified key does not exist.") from None


def check_resources(template: Mapping[str, Any]) -> None:
    """Unsupported for what moto would pass over in silence."""
    if template.get("Transform"):
        raise Unsupported("The sandbox has no template transforms.")
    known = set(get_model_map()) | set(NULL_MODELS)
    for logical_id, written in template["Resources"].items():
        kind = str(written.get("Type"))
        if kind == "AWS::CloudFormation::Stack":
            raise Unsupported("The sandbox has no nested stacks.")
        if kind not in known or kind == "AWS::CloudFormation::CustomResource":
            raise Unsupported(f"The sandbox cannot make {logical_id}, which is {kind}.")


def check_capabilities(template: Mapping[str, Any], given: Sequence[str]) -> None:
    """InsufficientCapabilitiesException when one that is needed was not acknowledged."""
    needed, _ = _capabilities(template)
    if needed is None or needed in given or "CAPABILITY_NAMED_IAM" in given:
        return
    raise CloudFormationError(
        "InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]"
    )


def _capabilities(template: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    found = {
        written["Type"]: any(name in (written.get("Properties") or {}) for name in _NAMES)
        for written in template["Resources"].values()
        if written["Type"].startswith("AWS::IAM::")
    }
    if not found:
        return None, []
    return "CAPABILITY_NAMED_IAM" if any(found.values()) else "CAPABILITY_IAM", sorted(found)


def parameter_values(
    template: Mapping[str, Any],
    given: Sequence[Mapping[str, Any]],
    previous: Mapping[str, str],
) -> dict[str, str]:
    """Values of all parameters; ValidationError when one is missing or unknown."""
    declared = template.get("Parameters") or {}
    values: dict[str, str] = {}
    for item in given:
        key = item["ParameterKey"]
        if key not in declared:
            raise ValidationError(message=f"Parameters: [{key}] do not exist in the template")
        if item.get("UsePreviousValue"):
            if key not in previous:
                raise ValidationError(
                    message=f"Invalid input for parameter key {key}. Cannot specify "
                    "usePreviousValue as true for a parameter key not in the previous template"
                )
            values[key] = previous[key]
        else:
            values[key] = item["ParameterValue"]
    for key, one in declared.items():
        if key not in values and "Default" in one:
            values[key] = str(one["Default"])
    missing = [key for key in declared if key not in values]
    if missing:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    return values


def hidden(template: Mapping[str, Any]) -> set[str]:
    """The parameters whose values are not shown."""
    declared = template.get("Parameters") or {}
    return {key for key, one in declared.items() if str(one.get("NoEcho", "")).lower() == "true"}


def is_same(
    stack: Stack,
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
) -> bool:
    """Whether the stack is so already."""
    return (
        not stack.status.endswith("_FAILED")
        and bool(stack.template_dict == template)
        and dict(stack.parameters) == parameters
        and dict(stack.tags) == tags
    )


def changes(
    stack: Stack, template: Mapping[str, Any], parameters: Mapping[str, str]
) -> list[PlannedChange]:
    """The changes of resources, in the order of moto's diff."""
    there = stack.resource_map
    if stack.status == "REVIEW_IN_PROGRESS":
        by_action = {"Add": list(template["Resources"])}
    else:
        by_action = there.differences(template, parameters)
    found = []
    for action, names in by_action.items():
        for name in names:
            old = there._resource_json_map.get(name, {})
            new = template["Resources"].get(name, {})
            resource = there._parsed_resources.get(name)
            change = PlannedChange(
                action=action,
                logical_resource_id=name,
                resource_type=(new or old)["Type"],
                physical_resource_id=getattr(resource, "physical_resource_id", None),
            )
            if action == "Modify":
                _explain(change, old, new, stack.parameters, parameters)
            elif action == "Remove":
                change.policy_action = old.get("DeletionPolicy", "Delete")
            found.append(change)
    return found


def _explain(
    change: PlannedChange,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    """Which properties differ, why, and whether a new resource is needed, as far as that is known
    (``Conditional`` where it is not)."""
    changed = {key for key in after if before.get(key) != after[key]}
    old_properties, new_properties = old.get("Properties") or {}, new.get("Properties") or {}
    for name in sorted({*old_properties, *new_properties}):
        was, written = old_properties.get(name), new_properties.get(name)
        causes = sorted(mentioned(written) & changed)
        if was == written and not causes:
            continue
        recreated = _RECREATED.get(change.resource_type)
        recreation = "Conditionally" if recreated is None else "Never"
        if name in (recreated or ()):
            recreation = "Always"
        detail: dict[str, Any] = {
            "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification" if was != written else "ParameterReference",
        }
        if was == written:
            detail["CausingEntity"] = causes[0]
        change.details.append(detail)
    needs = {detail["Target"]["RequiresRecreation"] for detail in change.details}
    change.scope = ["Properties"] if change.details else ["Metadata"]
    change.replacement = "Conditional" if "Conditionally" in needs else "False"
    if "Always" in needs or old["Type"] != new["Type"]:
        change.replacement = "True"
        change.policy_action = "ReplaceAndDelete"


def summary(template: Mapping[str, Any]) -> dict[str, Any]:
    """What GetTemplateSummary says."""
    needed, types = _capabilities(template)
    transforms = template.get("Transform") or []
    answer: dict[str, Any] = {
        "Parameters": [
            {
                "ParameterKey": key,
                "ParameterType": one.get("Type", "String"),
                "NoEcho": key in hidden(template),
                "ParameterConstraints": {"AllowedValues": one.get("AllowedValues", [])},
            }
            | ({"DefaultValue": str(one["Default"])} if "Default" in one else {})
            for key, one in (template.get("Parameters") or {}).items()
        ],
        "ResourceTypes": sorted({one["Type"] for one in template["Resources"].values()}),
        "DeclaredTransforms": transforms if isinstance(transforms, list) else [transforms],
    }
    if "Description" in template:
        answer["Description"] = template["Description"]
    if needed is not None:
        answer["Capabilities"] = [needed]
        answer["CapabilitiesReason"] = (
            f"The following resource(s) require capabilities: [{', '.join(types)}]"
        )
    return answer


def change_set_id(name: str, stack_id: str) -> str:
    """A new ARN."""
    account = stack_id.partition(":stack/")[0]
    return f"{account}:changeSet/{name}/{uuid.uuid4()}"
