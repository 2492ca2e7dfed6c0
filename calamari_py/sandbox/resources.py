"""The resources of one stack: moto's, made, changed and deleted one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.cloudformation.parsing import ResourceMap, parse_and_update_resource
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

BUCKET = "AWS::S3::Bucket"
_REFUSED = (ServiceException, HTTPException, UnformattedGetAttTemplateException)
# What moto ends in where it does not know a property, or cannot change a resource at all.
_LOST = (AttributeError, KeyError, NotImplementedError, TypeError, ValueError)
_NOT_EMPTY = (
    "The bucket you tried to delete is not empty (Service: S3, Status Code: 409, "
    "HandlerErrorCode: GeneralServiceException)"
)


class Resources(ResourceMap):
    """moto's resources of a stack, by logical id. `broken` are those that could not be changed."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.broken: set[str] = set()

    def made(self) -> list[str]:
        """The logical ids of what is there, first made first."""
        return [one for one in self._parsed_resources if one in self._resource_json_map]

    def type_of(self, logical_id: str) -> str:
        """AWS's name of its type."""
        return str(self._resource_json_map[logical_id]["Type"])

    def physical_id(self, logical_id: str) -> str:
        """Empty when it is not there."""
        resource = self._parsed_resources.get(logical_id)
        return str(getattr(resource, "physical_resource_id", None) or "")

    def is_wanted(self, logical_id: str) -> bool:
        """Whether its condition holds, if it has one."""
        condition = self._resource_json_map[logical_id].get("Condition")
        return condition is None or bool(self.lazy_condition_map[condition])

    def is_kept(self, logical_id: str) -> bool:
        """Whether it stays when it leaves the stack."""
        return bool(self._resource_json_map[logical_id].get("DeletionPolicy") == "Retain")

    def make(self, logical_id: str) -> str | None:
        """Make it; why it cannot be made."""
        return attempt(lambda: self[logical_id])

    def redesign(self, template: dict[str, Any], parameters: dict[str, str]) -> str | None:
        """Take another template; nothing is changed by that. Why it is none."""

        def load() -> None:
            self._template = template
            self._resource_json_map = template["Resources"]
            self.input_parameters = parameters
            self.resolved_parameters = {}
            self.load()

        return attempt(load)

    def change(self, logical_id: str) -> str | None:
        """Make it what the template says now; why it cannot be changed."""
        written = self._resource_json_map[logical_id]
        if written["Type"] == BUCKET:
            # moto needs the name to find the bucket whose tags change
            properties = {"BucketName": self.physical_id(logical_id)}
            written = {**written, "Properties": properties | (written.get("Properties") or {})}

        def update() -> None:
            changed = parse_and_update_resource(
                logical_id, written, self, self._account_id, self._region_name
            )
            if changed is None:
                raise NotImplementedError(f"{written['Type']} cannot be changed")
            self._parsed_resources[logical_id] = changed

        reason = attempt(update)
        if reason is None:
            self.broken.discard(logical_id)
        else:
            self.broken.add(logical_id)
        return reason

    def delete_one(self, logical_id: str, written: dict[str, Any]) -> str | None:
        """Delete it, as it was `written`; why it cannot be deleted."""
        resource = self._parsed_resources[logical_id]
        if written["Type"] == BUCKET and resource.keys:
            return _NOT_EMPTY  # moto keeps it and says that it was deleted
        reason = attempt(lambda: self._delete_resource(resource, written))
        if reason is None:
            del self._parsed_resources[logical_id]
        return reason

    def differences(
        self, template: Mapping[str, Any], parameters: Mapping[str, str]
    ) -> dict[str, list[str]]:
        """Logical ids by what is to be done with them: ``Add``, ``Modify``, ``Remove``."""
        new, before = template["Resources"], self.input_parameters
        # What a failed creation has left out is written in the template, and not there.
        old = {
            name: body
            for name, body in self._resource_json_map.items()
            if name in self._parsed_resources or not self.is_wanted(name)
        }
        changed = {key for key in parameters if before.get(key) != parameters[key]}
        return {
            "Add": [name for name in new if name not in old],
            "Modify": [
                name
                for name, body in new.items()
                if name in old
                and (
                    body != old[name]
                    or name in self.broken
                    or mentioned(body.get("Properties")) & changed
                )
            ],
            "Remove": [name for name in old if name not in new],
        }


def order(template: Mapping[str, Any]) -> list[str]:
    """The resources of `template`, each after those it needs."""
    resources = template["Resources"]
    found: dict[str, None] = {}

    def visit(logical_id: str, above: tuple[str, ...]) -> None:
        if logical_id in found or logical_id in above:
            return
        written = resources[logical_id]
        after = written.get("DependsOn", [])
        names = {after} if isinstance(after, str) else set(after)
        names |= mentioned(written.get("Properties"))
        for name in sorted(names & set(resources)):
            visit(name, (*above, logical_id))
        found[logical_id] = None

    for one in resources:
        visit(one, ())
    return list(found)


def mentioned(written: Any) -> set[str]:
    """The names that `written` refers to, in whatever way."""
    if isinstance(written, list):
        return {name for item in written for name in mentioned(item)}
    if not isinstance(written, dict):
        return {one.split(".")[0] for one in re.findall(r"\$\{([^!}]+)\}", str(written))}
    found: set[str] = set()
    for key, value in written.items():
        if key == "Ref":
            found.add(str(value))
        elif key == "Fn::GetAtt":
            found.add(value[0] if isinstance(value, list) else str(value).split(".")[0])
        else:
            found |= mentioned(value)
    return found


def attempt(work: Callable[[], object]) -> str | None:
    """Why `work` cannot be done; None when it is done."""
    try:
        work()
    except _REFUSED as error:
        return str(getattr(error, "message", None) or error)
    except _LOST as error:
        return f"The sandbox cannot do this ({type(error).__name__}: {error})"
    return None
