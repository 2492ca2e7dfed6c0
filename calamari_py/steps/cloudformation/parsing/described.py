"""Template and parameters of a section: read together, and held against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from calamari_py.manifest.nodes import Place
from calamari_py.steps.base import ParseContext
from calamari_py.steps.cloudformation.parsing.addresses import secrets_in
from calamari_py.steps.cloudformation.parsing.guards import Checks
from calamari_py.steps.cloudformation.parsing.parameters import Given, read_given
from calamari_py.steps.cloudformation.parsing.template_checks import (
    ParameterChecks,
    check_capabilities,
    check_defaults,
    check_imported,
    check_outputs,
)
from calamari_py.steps.cloudformation.parsing.template_source import FIELD, read_template
from calamari_py.steps.cloudformation.sections import (
    CloudFormationSection,
    InstancesSection,
    StackSetSection,
)
from calamari_py.steps.cloudformation.spec import (
    Parameter,
    StackSetSpec,
    StackSpec,
    Template,
    TemplateFacts,
)
from calamari_py.templates import LATE_TEXT

_KEEP = "write '{name}: …', or '{name}: {use_previous: true}' for the value that the stack has"
_KEEP_SET = "write '{name}: …': AWS asks for it, also where every instance has its own"
_WhereIs = Callable[[str, int | None], tuple[str, Place | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What stands in files, or may. `complete` says that the names of all
    parameters are known."""

    template: Template | None
    given: Given
    tags: Mapping[str, str]
    complete: bool


def read_described(
    section: CloudFormationSection | StackSetSection,
    checks: Checks,
    context: ParseContext,
    *,
    needed: bool,
    required: bool = False,
) -> Described:
    """The template and the parameters. Where no action needs them, they are read as well as can
    be, and nothing is refused: what they say of secrets counts all the same. `required` is a
    template at all."""
    target = checks if needed else Checks(checks.section, context.sensitive)
    template, given = None, None
    if section.template is not None:
        with target.found:
            template = read_template(
                section.template,
                render=section.render,
                bucket=section.artifact_bucket,
                checks=target,
                context=context,
            )
    elif required:
        target.refuse(FIELD, "is missing", "write a path, s3://BUCKET/KEY or an https address")
    with target.found:
        given = read_given(section.parameters, context, target.found)
    tags = {**(given.tags if given else {}), **section.tags}
    complete = given is not None and given.complete
    return Described(template=template, given=given or Given(), tags=tags, complete=complete)


def check_stack_template(
    checks: Checks, section: CloudFormationSection, described: Described
) -> None:
    """The section of a stack against its template, when that could be read."""
    facts = described.template.facts if described.template else None
    if facts:
        check_capabilities(checks, section.capabilities, facts, by_change_set=True)
        check_defaults(checks, facts)
        _check_given(checks, facts, described, missing=_KEEP)
        check_imported(checks, section.import_, facts)
        check_outputs(checks, section.outputs, facts)


def check_set_template(checks: Checks, section: StackSetSection, described: Described) -> None:
    """The same of a stack set, with what its instances override."""
    facts = described.template.facts if described.template else None
    if facts is None:
        return
    check_capabilities(checks, section.capabilities, facts, by_change_set=False)
    check_defaults(checks, facts)
    _check_given(checks, facts, described, missing=_KEEP_SET)
    _check_overrides(checks, facts, section.instances)
    if facts.transforms and section.permission_model == "service-managed":
        # API reference, CreateStackSet, `Capabilities`.
        names = ", ".join(facts.transforms)
        message = f"uses {names}: AWS says that service-managed stack sets take no transforms"
        checks.warn(FIELD, message)


def check_against(spec: StackSpec | StackSetSpec, facts: TemplateFacts) -> None:
    """What `parse_stack` and `parse_stack_set` check of a template that is a file, for one that
    only AWS could read. Raises ManifestError with all problems."""
    is_set = isinstance(spec, StackSetSpec)
    checks = Checks("stack_set" if is_set else "cloudformation")
    capabilities = (
        spec.section.capabilities if isinstance(spec, StackSetSpec) else spec.capabilities
    )
    check_capabilities(checks, capabilities, facts, by_change_set=not is_set)
    against = ParameterChecks(checks, facts, _at("parameters"))
    against.check(spec.parameters, ())
    given = {item.key for item in spec.parameters}
    against.check_missing(given, hint=_KEEP_SET if is_set else _KEEP)
    if isinstance(spec, StackSetSpec):
        _check_overrides(checks, facts, spec.instances)
    checks.found.raise_if_any()


def secrets_of(
    spec: StackSpec | StackSetSpec, facts: TemplateFacts | None = None
) -> Iterator[tuple[str, str]]:
    """Names and values of what the template hides (NoEcho), and of its own signed address.

    `facts` are those that only AWS knew: of a template that is no file.
    """
    if spec.template is not None and spec.template.url is not None:
        yield from secrets_in(spec.template.url)
    facts = facts or (spec.template.facts if spec.template else None)
    if facts is None:
        return
    values = list(_values(spec))
    # The value that a stack keeps may be the default.
    given = {item.key for item in spec.parameters if item.value is not None}
    values += [(name, found.default) for name, found in facts.parameters.items()
               if name not in given and found.default]  # fmt: skip
    for key, value in values:
        declared = facts.parameters.get(key)
        if not declared or not declared.no_echo or not value or LATE_TEXT in value:
            continue
        yield f"parameter {key}", value
        if "List" in declared.type and "," in value:
            # A template may take one item out of the list.
            yield from ((f"parameter {key}", item.strip()) for item in value.split(","))


def possible_secrets(spec: StackSpec | StackSetSpec) -> Iterator[tuple[str, str]]:
    """Names and values of all parameters: of a template that nobody could read any may be one."""
    for key, value in _values(spec):
        if LATE_TEXT in value:
            continue
        yield f"parameter {key}", value
        if "," in value:
            yield from ((f"parameter {key}", item.strip()) for item in value.split(","))


def _values(spec: StackSpec | StackSetSpec) -> Iterator[tuple[str, str]]:
    """Every parameter that has a value, those that instances override, too."""
    yield from ((item.key, item.value) for item in spec.parameters if item.value is not None)
    if isinstance(spec, StackSetSpec):
        for _, overrides in _overrides(spec.instances):
            yield from ((key, _joined(value)) for key, value in overrides.items())


def _check_given(
    checks: Checks, facts: TemplateFacts, described: Described, *, missing: str
) -> None:
    given = described.given
    against = ParameterChecks(checks, facts, _at("parameters", given))
    against.check(given.parameters, given.lists)
    if described.complete:
        against.check_missing({item.key for item in given.parameters}, hint=missing)


def _check_overrides(
    checks: Checks, facts: TemplateFacts, instances: Sequence[InstancesSection]
) -> None:
    for field, overrides in _overrides(instances):
        lists = {key for key, value in overrides.items() if not isinstance(value, str)}
        values = [Parameter(key=key, value=_joined(value)) for key, value in overrides.items()]
        ParameterChecks(checks, facts, _at(field)).check(values, lists)


def _overrides(
    instances: Sequence[InstancesSection],
) -> Iterator[tuple[str, Mapping[str, str | tuple[str, ...]]]]:
    """Every set of overridden parameters with its place in the section."""
    for index, group in enumerate(instances):
        yield f"instances[{index}].parameters", group.parameters
        for account, overrides in group.account_parameters.items():
            yield f"instances[{index}].account_parameters.{account}", overrides


def _at(field: str, given: Given | None = None) -> _WhereIs:
    """Where a parameter stands: in the file that was `given`, or under `field` of the section."""

    def place(key: str, index: int | None) -> tuple[str, Place | None]:
        at = given.places.get(f"Parameters.{key}") if given else None
        if given is not None and at is not None:
            return f"{given.prefix}{key}", at
        return f"{field}.{key}" + ("" if index is None else f"[{index}]"), None

    return place


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)
