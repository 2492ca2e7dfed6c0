"""Whatever the bytes: a manifest, or a ManifestError. Never anything else."""

from __future__ import annotations

import io
import json
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from calamari_py.errors import ManifestError
from calamari_py.manifest import LoadedManifest, load, read_source
from tests.manifest.support import FINALLY, SECTIONS

QUICK = settings(database=None)
WORDS = st.sampled_from(
    ["name", "script", "account", "type", "assume_role", "expect", "env", "variables", "finally",
     "timeout", "run", "render", "value", "from_env", "{{ A }}", "{{ A", "{% if A %}", "true", "1",
     "012", "~", "", "A", "\u00e9", "none", "cloudformation", "stack_name", "retry", "attempts",
     "variable_files", "inherit_env", "{{ variables }}", "{{ A.b }}", "{{ name }}", "tags",
     "policy",
     "credentials", "min_validity", "mask", "region", "version", "role_arn", "token_from", "<<"]
)  # fmt: skip
TREES = st.recursive(
    st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, st.text(max_size=4)), inner, max_size=6),
    ),
    max_leaves=20,
)
TOP = st.sampled_from(
    ["name", "script", "account", "assume_role", "expect", "env", "variables", "finally", "timeout",
     "cloudformation", "retry", "variable_files", "inherit_env", "credentials", "region", "version",
     "project", "output_limit", "unknown"]
)  # fmt: skip


def attempt(data: bytes) -> LoadedManifest | ManifestError:
    """What `data` as a manifest on standard input becomes."""
    try:
        source = read_source("-", stdin=io.BytesIO(data), cwd=Path("/nowhere"))
        return load(
            source, sections=SECTIONS, finally_section=FINALLY, environ={}, cwd=Path("/nowhere")
        )
    except ManifestError as error:
        return error


def check(data: bytes) -> None:
    """The promise: a manifest, or problems that people can use."""
    result = attempt(data)
    if isinstance(result, LoadedManifest):
        assert result.manifest.name
        return
    assert result.problems
    assert all(problem.message for problem in result.problems)
    places = [(p.file, p.line or 0, p.column or 0) for p in result.problems]
    assert places == sorted(places)


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Bytes of any kind never end in another exception."""
    check(data)


@QUICK
@given(st.text(alphabet="{}[]:,-&*!|>'\"%@`#?~<\n \tab1\\{{}}%", max_size=60))
def test_any_yaml_like_text(text: str) -> None:
    """Texts of YAML's own characters never end in another exception."""
    check(text.encode())


@QUICK
@given(st.dictionaries(TOP, TREES, max_size=8))
def test_any_tree_as_json(tree: dict[str, object]) -> None:
    """Documents of the right words in the wrong places, as JSON."""
    check(json.dumps(tree).encode())


@QUICK
@given(st.dictionaries(TOP, TREES, max_size=8))
def test_any_tree_as_yaml(tree: dict[str, object]) -> None:
    """The same as YAML."""
    check(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace"))


@QUICK
@given(st.text(max_size=40))
def test_any_template(text: str) -> None:
    """A template of any characters renders, is no template, or is a problem."""
    check(json.dumps({"name": "x", "script": "y", "env": {"A": "{{" + text}}).encode())


@QUICK
@given(st.text(max_size=60))
def test_values_keep_their_text(text: str) -> None:
    """A literal value arrives exactly as it was written."""
    variables = {"A": {"value": text, "literal": True}}
    result = attempt(json.dumps({"name": "x", "script": "y", "variables": variables}).encode())
    if isinstance(result, LoadedManifest):
        assert result.variables["A"].text == text
    else:
        assert "\0" in text or any("\ud800" <= char <= "\udfff" for char in text)
