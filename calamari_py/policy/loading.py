"""A policy file to an `OperatorPolicy`: what is not understood, or limits nothing, is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calamari_py.errors import FileMissing, ManifestError, Problem
from calamari_py.identity import RoleArn, RoleRequest, request_violations
from calamari_py.manifest.convert import Converter, Leaf
from calamari_py.manifest.definitions import check_text
from calamari_py.manifest.nodes import Malformed, Node, Place, Scalar, parse_document
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.report import Report
from calamari_py.manifest.shapes import fields_of
from calamari_py.policy.operator import OperatorPolicy, as_text
from calamari_py.policy.rules import PolicyRules
from calamari_py.variables import SourceUnreadable, from_file

POLICY_LIMIT = 1_000_000
"""Bytes of one policy file."""
_KEYS = f"keys: {', '.join(fields_of(PolicyRules))}"


def load_policy(path: Path) -> OperatorPolicy:
    """The policy in the YAML or JSON file `path`.

    Raises ManifestError with every problem and its place, FileMissing for a file that is not
    there. A policy that limits nothing is refused like one that is not understood: somebody
    relies on it.
    """
    name = str(path)
    report = Report(name)
    root = _mapping(path, report)

    def read(node: Scalar, at: str, _body: bool) -> Leaf | None:
        return Leaf(node.text) if check_text(node, at, report) else None

    converter = Converter(report, read)
    rules = converter.convert(root, PolicyRules, "")
    if isinstance(rules, PolicyRules):
        if not any(_limits(rules, key) for key in root.entries):
            report.add(root.place, "", "the policy limits nothing", _KEYS)
        _check_session_policy(rules, converter.places, report)
    report.raise_if_any()
    return OperatorPolicy(name=name, rules=rules)


def _mapping(path: Path, report: Report) -> MappingNode:
    """The keys of the file at `path`."""
    name = str(path)
    root: Node | None
    try:
        root = parse_document(
            from_file(path, shown=name, limit=POLICY_LIMIT), name, report.problems
        )
    except SourceUnreadable as error:
        problem = Problem(message=error.message, hint=error.hint, file=name)
        kind = FileMissing if error.missing else ManifestError
        raise kind([problem], subject=name) from None
    except Malformed as error:
        report.problems.extend(error.problems)
        raise report.error() from None
    if isinstance(root, MappingNode):
        return root
    place = Place(name) if root is None else root.place
    message = "the policy is empty" if root is None else "must be a mapping of keys"
    report.add(place, "", message, _KEYS)
    raise report.error()


def _limits(rules: PolicyRules, key: str) -> bool:
    """Whether what is written under `key` forbids anything."""
    return key != "version" and getattr(rules, key) is not True


def _check_session_policy(rules: PolicyRules, places: Mapping[str, Place], report: Report) -> None:
    """STS would refuse every role under a session policy that it cannot take."""
    if rules.session_policy is not None and "Statement" not in rules.session_policy:
        report.add(places["session_policy"], "session_policy", "has no 'Statement'",
                   "write an IAM policy document")  # fmt: skip
    sample = RoleRequest(
        role=RoleArn(partition="aws", account="0" * 12, path="/", name="any"),
        session_name="calamari",
        policy=as_text(rules.session_policy),
        policy_arns=rules.session_policy_arns or (),
    )
    for field, message in request_violations(sample):
        path = f"session_{field}"
        report.add(places[path], path, message)
