"""What a template says of itself, read from its text: no call is needed for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from calamari_py.errors import Problem
from calamari_py.manifest.nodes import (
    Malformed,
    Mapping,
    Node,
    Place,
    Scalar,
    Sequence,
    describe,
    parse_document,
    unprintable,
)
from calamari_py.manifest.report import Report
from calamari_py.steps.cloudformation.spec import TemplateFacts, TemplateParameter, TemplateResource

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"
AUTO_EXPAND = "CAPABILITY_AUTO_EXPAND"
TRANSFORM = "transform "
"""How a reason begins that is no resource."""

# The list in the API reference of CreateChangeSet, `Capabilities`; the names are those under
# "IAM name type" of the user guide. The name of an AWS::IAM::Policy is no name of its own in IAM.
_IAM_NAMES = {
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": "",
}
_LOOP = "Fn::ForEach::"
_NEEDED = "Resources"
_FALSE = ("false", "no", "off", "n", "null", "~", "")
_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
# What YAML 1.1, which CloudFormation reads, may make another value of than the text that is there.
_CHANGED_BY_YAML = re.compile(r"(?i)yes|no|on|off|y|n|0[xb].*|[-+.0-9][-+.:_0-9ETZ ]*")


class TemplateFault(ValueError):
    """A text that is no template; `problems` say why and where in it."""

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        where = f"line {first.line}: " if first.line else ""
        what = f"'{first.path}' {first.message}" if first.path else first.message
        super().__init__(f"{where}{what}")
        self.problems = tuple(problems)


def read_facts(text: str, *, file: str = "") -> TemplateFacts:
    """The facts of a YAML or JSON template, whose file messages call `file`.

    Raises TemplateFault, a ValueError of one clause.
    """
    root = _document(text, file)
    resources = _section(root, _NEEDED)
    outputs = _section(root, "Outputs")
    transforms = tuple(dict.fromkeys(_transforms(root)))
    found = list(_iam_resources(resources))
    capabilities = {capability for capability, _ in found}
    # The one that covers the other comes first.
    reasons = [reason for _, reason in sorted(found, key=lambda pair: pair[0] != NAMED_IAM)]
    if transforms:
        capabilities.add(AUTO_EXPAND)
        reasons += [f"{TRANSFORM}{name}" for name in transforms]
    return TemplateFacts(
        parameters=_parameters(_section(root, "Parameters")),
        capabilities=frozenset(capabilities),
        reasons=tuple(reasons),
        transforms=transforms,
        outputs=tuple(name for name in outputs.entries if not name.startswith("Fn::")),
        resources=_count(resources, outputs, transforms),
        named={name: _resource(node) for name, node in _each(resources)},
    )


def _document(text: str, file: str) -> Mapping:
    """The template's own mapping, with resources in it."""
    start = Place(file, 1, 1)
    if not text.strip("\ufeff \t\r\n"):
        raise TemplateFault([Place(file).problem("is empty", hint="name the template's file")])
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        message = "is an HTML or XML page, and a template is YAML or JSON"
        hint = "see what was saved there: a login or an error page, perhaps"
        raise TemplateFault([start.problem(message, hint=hint)])
    if wrong := unprintable(text, file):
        raise TemplateFault([wrong])
    problems: list[Problem] = []
    try:
        root = parse_document(text, file, problems, functions=True)
    except Malformed as error:
        raise TemplateFault([*problems, *error.problems]) from None
    if root is not None and not isinstance(root, Mapping):
        message = f"is {describe(root)}, and a template is a mapping with '{_NEEDED}'"
        problems.append(root.place.problem(message, hint="name the template's file"))
    elif root is None or not _is_complete(root):
        problems.append(_no_resources(root, start))
    if problems:
        raise TemplateFault(problems)
    assert isinstance(root, Mapping)
    return root


def _is_complete(root: Mapping) -> bool:
    # `Fn::Transform` at the top puts whole sections in.
    resources = root.get(_NEEDED)
    return (isinstance(resources, Mapping) and bool(resources.entries)) or (
        resources is None and "Fn::Transform" in root.entries
    )


def _no_resources(root: Mapping | None, start: Place) -> Problem:
    entry = root.entries.get(_NEEDED) if root else None
    if entry is not None:
        message = "must be a mapping of at least one resource"
        return entry.key.problem(message, _NEEDED, "name a resource and its Type")
    near = Report("").suggest(_NEEDED, root.entries) if root else None
    if root and near:
        message = f"unknown key; did you mean '{_NEEDED}'?"
        return root.entries[near].key.problem(message, near)
    hint = "a template names its resources under 'Resources'; is this the right file?"
    return start.problem(f"has no '{_NEEDED}'", hint=hint)


def _section(root: Mapping, name: str) -> Mapping:
    """A section of the template, empty where it is not there. Raises TemplateFault."""
    node = root.get(name)
    if node is None or (isinstance(node, Scalar) and node.kind == "null" and not node.quoted):
        return Mapping(root.place, {})
    if not isinstance(node, Mapping):
        raise TemplateFault([node.place.problem(f"must be a mapping, is {describe(node)}", name)])
    return node


def _parameters(section: Mapping) -> dict[str, TemplateParameter]:
    found = {}
    for name, entry in section:
        path = f"Parameters.{name}"
        if not isinstance(entry.value, Mapping):
            message = f"must be a mapping, is {describe(entry.value)}"
            raise TemplateFault([entry.value.place.problem(message, path, "begin with its Type")])
        found[name] = _parameter(name, entry.value)
    return found


def _parameter(name: str, node: Mapping) -> TemplateParameter:
    type_, default = node.get("Type"), node.get("Default")
    allowed = node.get("AllowedValues")
    given = default.text if isinstance(default, Scalar) else ""
    return TemplateParameter(
        name=name,
        type=type_.text if isinstance(type_, Scalar) else "String",
        default=None if default is None else given,
        no_echo=_is_hidden(node.get("NoEcho")),
        allowed_values=_texts(allowed.items) if isinstance(allowed, Sequence) else (),
    )


def _is_hidden(node: Node | None) -> bool:
    """NoEcho; what nobody can read here hides the value, to be safe."""
    if isinstance(node, Scalar):
        return node.text.strip().lower() not in _FALSE
    return node is not None


def _texts(items: tuple[Node, ...]) -> tuple[str, ...]:
    """The values that CloudFormation compares with; none where it may read one otherwise."""
    texts = []
    for item in items:
        if not isinstance(item, Scalar):
            return ()
        text = item.text
        if not item.quoted:
            changed = _CHANGED_BY_YAML.fullmatch(text) and not _WHOLE_NUMBER.fullmatch(text)
            if item.kind == "null" or changed:
                return ()
            text = text.lower() if item.kind == "bool" else text
        texts.append(text)
    return tuple(texts)


def _transforms(root: Mapping) -> Iterator[str]:
    """Names of all macros, those of the whole template first."""
    top = root.get("Transform")
    for node in top.items if isinstance(top, Sequence) else (top,):
        yield from _macro(node)
    for mapping in _mappings(root):
        yield from _macro(mapping.get("Fn::Transform"))


def _macro(node: Node | None) -> Iterator[str]:
    named = node.get("Name") if isinstance(node, Mapping) else node
    if isinstance(named, Scalar) and named.text:
        yield named.text


def _mappings(root: Node) -> Iterator[Mapping]:
    """Every mapping of the document, once."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        inner: list[Node] = []
        if isinstance(node, Mapping):
            yield node
            inner = [entry.value for _, entry in node]
        elif isinstance(node, Sequence):
            inner = list(node.items)
        # Reversed, so that they are taken in the order of the file.
        for child in reversed(inner):
            if not isinstance(child, Scalar) and id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)


def _count(resources: Mapping, outputs: Mapping, transforms: tuple[str, ...]) -> int | None:
    """How many resources there are; None where a macro or a loop decides."""
    if any(name.startswith("Fn::") for name in (*resources.entries, *outputs.entries)):
        return None
    if set(transforms) - {"AWS::LanguageExtensions"}:
        return None
    return len(resources.entries)


def _resource(node: Mapping) -> TemplateResource:
    type_ = node.get("Type")
    written = type_.text if isinstance(type_, Scalar) else ""
    return TemplateResource(type=written, has_policy="DeletionPolicy" in node.entries)


def _iam_resources(resources: Mapping) -> Iterator[tuple[str, str]]:
    """The capability that each resource needs, and which resource that is."""
    for name, resource in _each(resources):
        type_ = resource.get("Type")
        if not isinstance(type_, Scalar) or type_.text not in _IAM_NAMES:
            continue
        properties = resource.get("Properties")
        naming = _IAM_NAMES[type_.text]
        custom = properties.get(naming) if naming and isinstance(properties, Mapping) else None
        shown = f"{name} ({type_.text})"
        if custom is None or _may_be_absent(custom):
            yield IAM, shown
        else:
            yield NAMED_IAM, f"{shown} with a {naming}"


def _each(resources: Mapping) -> Iterator[tuple[str, Mapping]]:
    """The resources by their names, those inside of loops, too."""
    for name, entry in resources:
        value = entry.value
        if name.startswith(_LOOP):
            body = value.items[-1] if isinstance(value, Sequence) and value.items else None
            if isinstance(body, Mapping):
                yield from _each(body)
        elif isinstance(value, Mapping):
            yield name, value


def _may_be_absent(node: Node) -> bool:
    """Whether it is, or a condition may make it, ``AWS::NoValue``."""
    if not isinstance(node, Mapping):
        return False
    absent = node.get("Ref")
    if isinstance(absent, Scalar):
        return absent.text == "AWS::NoValue"
    branches = node.get("Fn::If")
    return isinstance(branches, Sequence) and any(_may_be_absent(item) for item in branches.items)
