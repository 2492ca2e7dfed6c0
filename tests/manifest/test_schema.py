"""The JSON Schema says what the parser accepts."""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonschema
import pytest
import yaml

from calamari_py.manifest import schema
from tests.manifest.support import FINALLY, ROLE, SECTIONS, load_text
from tests.manifest.test_load import ACCOUNT, FULL, LATE


@functools.cache
def validator() -> Any:
    """A validator of the schema that the test's sections make."""
    document = schema(SECTIONS, FINALLY)
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def errors(text: str) -> list[str]:
    """What the schema finds wrong with a YAML text."""
    data = json.loads(json.dumps(yaml.safe_load(text), default=str))
    return [error.message for error in validator().iter_errors(data)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(FULL, id="full"),
        pytest.param(LATE, id="late"),
        pytest.param(f"name: x\nscript: y\n{ACCOUNT}", id="account"),
        pytest.param(f"name: x\nassume_role: {ROLE}\nscript: y\n", id="short"),
        pytest.param(f"name: x\nassume_role: [{ROLE}]\nscript: y\n", id="chain"),
        pytest.param("name: x\nscript: y\naccount: none\n", id="account-word"),
        pytest.param(
            "name: x\nscript: y\naccount: '{{ A }}'\nvariables: {A: none}\n", id="template"
        ),
        pytest.param("name: x\nscript: y\ntimeout: 90\nproject: 1.1\n", id="numbers"),
        pytest.param("name: x\nscript: y\ntimeout: '{{ T }}'\nvariables: {T: 1m}\n", id="typed"),
        pytest.param("name: x\ncloudformation: {stack_name: s, wait: false}\nenv:\n", id="kind"),
        pytest.param("name: x\nscript: y\ninherit_env: [A_*]\noutput_limit: none\n", id="misc"),
    ],
)
def test_good_manifests_are_valid(text: str) -> None:
    """Whatever loads is valid by the schema."""
    assert errors(text) == []


def test_the_parser_takes_the_schemas_examples() -> None:
    """The texts above are manifests: the two sides cannot drift apart unnoticed."""
    loaded = load_text("name: x\nscript: y\naccount: '{{ A }}'\nvariables: {A: none}\n")
    assert loaded.manifest.account.type == "none"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("name: x\nscript: y\nasume_role: z\n", id="unknown"),
        pytest.param("name: x\nscript: {run: y, shel: z}\n", id="unknown-in-section"),
        pytest.param("name: x\nscript: y\naccount: {type: ambient, foo: 1}\n", id="in-account"),
        pytest.param("name: x\nscript: y\nvariables: {A: {valeu: 1}}\n", id="in-variable"),
        pytest.param("script: y\n", id="no-name"),
        pytest.param("name: x\n", id="no-kind"),
        pytest.param("name: x\nscript: y\ncloudformation: {stack_name: s}\n", id="two-kinds"),
        pytest.param("name: x\ncloudformation: {}\n", id="missing"),
        pytest.param("name: x\nscript: y\ntimeout: soon\n", id="duration"),
        pytest.param("name: x\nscript: y\nexpect: {account: 111111111111}\n", id="account-number"),
        pytest.param("name: x\nscript: y\nexpect: {account: null}\n", id="null-in-guard"),
        pytest.param("name: x\nscript: y\nexpect: {role: null}\n", id="null-text-in-guard"),
        pytest.param("name: x\nscript: y\nversion: 2\n", id="version"),
        pytest.param("name: x\nscript: y\naccount: ambiant\n", id="enum"),
        pytest.param("name: x\nscript: y\nretry: {attempts: many}\n", id="number"),
    ],
)
def test_bad_manifests_are_not(text: str) -> None:
    """An editor shows what the parser would refuse."""
    assert errors(text)


def test_every_key_has_a_description() -> None:
    """Each has a sentence for editors, the kinds' sections that of their type."""
    properties = schema(SECTIONS, FINALLY)["properties"]
    assert [k for k, v in properties.items() if not v.get("description")] == []
