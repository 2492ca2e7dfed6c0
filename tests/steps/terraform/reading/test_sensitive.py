"""Sensitive values of plans and states."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.errors import ManifestError
from calamari_py.masking import SecretRegistry
from calamari_py.masking.registry import ShortSecrets
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from tests.steps.terraform.fakes import ToolReport
from tests.steps.terraform.reading.documents import document, recorded, resource


def found(value: Any, mark: Any) -> list[tuple[str, str]]:
    """The sensitive values of one resource's attribute ``x``, without the resource's name."""
    change = resource("a.b", "update", after={"x": value}, after_sensitive={"x": mark})
    return [(name.removeprefix("a.b."), text) for name, text in sensitive_values(document(change))]


class Masking(ToolReport):
    """A report that masks."""

    def __init__(self, short_secrets: ShortSecrets = "warn") -> None:
        super().__init__()
        self.registry = SecretRegistry(short_secrets)

    def hide(self, value: str, name: str) -> None:
        """As the runner does it."""
        self.registry.add_json(value, name=name)


@pytest.mark.parametrize(
    ("value", "mark", "expected"),
    [
        pytest.param("secret", True, [("x", "secret")], id="text"),
        pytest.param("secret", False, [], id="not-marked"),
        pytest.param("secret", None, [], id="no-mark"),
        pytest.param("a\nb", True, [("x", "a\nb")], id="lines"),
        pytest.param("", True, [], id="empty"),
        pytest.param(" \n", True, [], id="blank"),
        pytest.param(None, True, [], id="null"),
        pytest.param(True, True, [], id="true"),
        pytest.param(471108, True, [("x", "471108")], id="number"),
        pytest.param(-1234.75, True, [("x", "-1234.75")], id="fraction"),
        pytest.param(443, True, [], id="short-number"),
        pytest.param({"port": 54321}, True, [], id="short-number-in-something"),
        pytest.param({"port": 5432}, {"port": True}, [], id="short-number-of-something"),
        pytest.param(
            2**70, True, [("x", "1180591620717411303424")], id="number-larger-than-a-machine's"
        ),
        pytest.param(
            {"k": ["one", {"l": "two"}]},
            True,
            [("x.*[0]", "one"), ("x.*[1].*", "two")],
            id="mark-wider-than-the-value",
        ),
        pytest.param(
            {"k": ["one", "two"], "open": "three"},
            {"k": [False, True]},
            [("x.k[1]", "two")],
            id="mark-of-the-same-shape",
        ),
        pytest.param({"a": "x1", "b": "y1"}, {"b": True}, [("x.b", "y1")], id="one-key"),
        pytest.param(
            ["one", "two"], [True], [("x[0]", "one"), ("x[1]", "two")], id="list-longer-than-marks"
        ),
        pytest.param(["one"], [True, True], [("x[0]", "one")], id="list-shorter-than-marks"),
        pytest.param(["one", "two"], [False], [], id="unfit-and-nothing-marked"),
        pytest.param({"a": "one"}, [True], [("x.*", "one")], id="marks-of-another-shape"),
        pytest.param("one", {"a": {"b": True}}, [("x", "one")], id="marks-of-a-value-that-is-none"),
        pytest.param("one", {"a": {"b": False}}, [], id="empty-marks-of-another-shape"),
        pytest.param({}, {"a": True}, [], id="mark-of-what-is-not-there"),
        pytest.param({"a": ["b"]}, {"a": []}, [], id="empty-mark"),
        pytest.param(
            '{"pin": 471108, "rate": [0.00000123], "port": 22, "of": "{\\"n\\": 987654}"}',
            True,
            [
                (
                    "x",
                    '{"pin": 471108, "rate": [0.00000123], "port": 22, "of": "{\\"n\\": 987654}"}',
                ),
                ("x.*", "471108"),
                ("x.*[0]", "0.00000123"),
                ("x.*", '{"n": 987654}'),
                ("x.*.*", "987654"),
            ],
            id="text-that-is-json",
        ),
        pytest.param("{471108", True, [("x", "{471108")], id="text-that-is-no-json"),
    ],
)
def test_values_by_mark(value: Any, mark: Any, expected: list[tuple[str, str]]) -> None:
    """A mark that is true holds for all below; where value and mark do not fit, all is taken."""
    assert found(value, mark) == expected


@pytest.mark.parametrize(
    "key",
    ["password", "LOG_LEVEL", "tls.crt", ".dockerconfigjson", "Owner", "db-1", "a/b-c"],
)
def test_a_key_that_is_a_name_is_no_secret(key: str) -> None:
    """To mask ``password`` everywhere would make the output unreadable."""
    assert found({key: "value"}, True) == [("x.*", "value")]


@pytest.mark.parametrize(
    "key",
    [
        "ghp_16C7e42F292c6912E7",
        "alice@example.com",
        "two words",
        "1234567890",
        "a" * 21,
        "pä55",
        "hunter2",
        "Tr0ub4dor",
        "correctHorseBattery",
    ],
)
def test_a_key_that_is_no_name_is_a_secret(key: str) -> None:
    """The keys of a sensitive map are as secret as its values, and stand in no name."""
    pairs = found({key: "value"}, True)
    assert {text for _, text in pairs} == {key, "value"}
    assert not any(key in name for name, _ in pairs)


def test_a_secret_key_is_in_no_name_of_what_is_marked_by_itself() -> None:
    """A map whose values are marked one by one has names that show no odd key."""
    assert found({"ghp_16C7e42F292c6912E7": "value"}, {"ghp_16C7e42F292c6912E7": True}) == [
        ("x.*", "value")
    ]


@pytest.mark.parametrize("value", [7391, -0.391, "7391"])
def test_a_variable_that_is_a_number(value: Any) -> None:
    """A PIN that is written without quotes is a secret like one with them."""
    marked = {"root_module": {"variables": {"pin": {"sensitive": True}}}}
    document = {"variables": {"pin": {"value": value}}, "configuration": marked}
    assert list(sensitive_values(document)) == [("var.pin", str(value))]


def test_all_places_of_a_plan() -> None:
    """Variables, constants and defaults, changes before and after, drift, deferred changes,
    outputs, the state before and the values planned, in modules of any depth."""
    assert {text for _, text in sensitive_values(recorded("aws"))} == {
        "N3w-db-password",
        "svc-login-name",
        "471108",
        "host-one",
        "h2",
        "constant-api-key",
        "default-module-salt",
        "default-of-the-inner-module",
        "Dr1ft-before-password",
        "Pr10r-db-password",
        "old-lambda-token",
        "new-lambda-token",
        "verbose",
        "tok_9f8E7d6C5b4A39281706",
        "key-of-a-map",
        '{"user":"svc","password":"json-inner-password"}',
        "svc",
        "json-inner-password",
        "deferred-ssm-value",
        "postgres://orders:Pr10r-db-password@orders.c2x/orders",
        "postgres://orders:N3w-db-password@orders.c2x/orders",
        "prior-output-token",
        "read-by-a-data-source\nsecond line",
        "planned-ssm-value",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("create", {"S3cr3t-default"}, id="create"),
        pytest.param("change", {"S3cr3t-default", "S3cr3t-second"}, id="change"),
        pytest.param("destroy", {"S3cr3t-default"}, id="destroy"),
        pytest.param("nothing", {"S3cr3t-default"}, id="nothing-to-do"),
    ],
)
def test_all_places_of_a_real_plan(name: str, expected: set[str]) -> None:
    """Terraform 1.11.4 itself."""
    users = {"alices-password", "key-holder", "ghp_16C7e42F292c6912E7"}
    texts = {text for _, text in sensitive_values(recorded(name))}
    assert texts == expected | users | {"module-const-secret"}


def test_all_places_of_a_real_state() -> None:
    """Terraform 1.11.4 forgets the mark of what `terraform_data` returns, not of what it got."""
    assert set(sensitive_values(recorded("state"))) >= {
        ("output.password", "S3cr3t-default"),
        ("terraform_data.web.input.password", "S3cr3t-default"),
        ('module.copies["eu.west"].terraform_data.worker[0].input.token', "S3cr3t-default"),
        ("module.workers.terraform_data.worker[0].input.token", "module-const-secret"),
        ("terraform_data.config.input.users.*", "alices-password"),
    }


def _of_a_module(expression: dict[str, Any], **call: Any) -> set[str]:
    """The sensitive values of a plan whose innermost module alone calls ``token`` sensitive. The
    root hands `expression` to the outer one, which hands it on."""
    inner = {"variables": {"token": {"sensitive": True}}}
    handed = {"token": {"references": ["var.key"]}}
    outer = {
        "variables": {"key": {}},
        "module_calls": {"inner": {"expressions": handed, "module": inner}},
    }
    declared = {"given": {}, "other": {}, "kept": {"default": "by-default"}, "object": {}}
    called = {"expressions": {"key": expression}, "module": outer, **call}
    root = {"variables": declared, "module_calls": {"outer": called}}
    value = {"of": ["first", {"it": "the-part"}], "more": "the-rest"}
    given = {"given": "by-hand", "other": "another", "object": value}
    plan = {
        "variables": {name: {"value": each} for name, each in given.items()},
        "configuration": {"root_module": root},
    }
    return {text for _, text in sensitive_values(plan)}


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        pytest.param(["var.given"], {"by-hand"}, id="given"),
        pytest.param(["var.kept"], {"by-default"}, id="default"),
        pytest.param(["var.given", "var.other"], {"by-hand", "another"}, id="made-of-two"),
        pytest.param(["var.object.of[1].it", "var.object.of[1]", "var.object"], {"the-part"},
                     id="part"),
        pytest.param(['var.object["more"]', "var.object"], {"the-rest"}, id="part-by-key"),
        pytest.param(["var.object.gone", "var.object"], {"first", "the-part", "the-rest"},
                     id="part-that-is-not-there"),
        pytest.param(["local.x", "var.nobody", "terraform_data.a.output", "varied.given"], set(),
                     id="nothing-that-is-told"),
    ],
)  # fmt: skip
def test_what_only_a_module_calls_sensitive(references: list[str], expected: set[str]) -> None:
    """The variable of the root module that it is made of is masked, through any modules between."""
    assert _of_a_module({"references": references}) == expected


def test_what_only_a_module_that_is_made_for_each_calls_sensitive() -> None:
    """Then it comes from what the modules are made for."""
    each = {"references": ["var.object.more", "var.object"]}
    references = {"references": ["each.value"]}
    assert _of_a_module(references, for_each_expression=each) == {"the-rest"}
    assert _of_a_module({"constant_value": "written"}, for_each_expression=each) == {"written"}


def test_values_of_invoked_actions() -> None:
    """Terraform 1.14 tells the configuration of actions beside the changes."""
    action = {
        "address": "action.aws_lambda_invoke.warm",
        "config_values": {"payload": "the-payload", "function_name": "warm"},
        "config_sensitive": {"payload": True},
    }
    assert list(sensitive_values(document(action_invocations=[action]))) == [
        ("action.aws_lambda_invoke.warm.payload", "the-payload")
    ]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({}, id="empty"),
        pytest.param({"variables": None, "resource_changes": None, "values": []}, id="null"),
        pytest.param({"resource_changes": [None, "x", {"address": "a.b"}]}, id="odd-resources"),
        pytest.param({"output_changes": {"o": None}}, id="odd-output"),
        pytest.param({"values": {"outputs": {"o": 1}, "root_module": 2}}, id="odd-state"),
    ],
)
def test_an_odd_document_has_none(odd: dict[str, Any]) -> None:
    """What is not there is no secret; whether the document is a plan is told elsewhere."""
    assert list(sensitive_values(odd)) == []


def test_a_pair_is_told_once() -> None:
    """Before, after, prior state and planned values say the same four times."""
    pairs = list(sensitive_values(recorded("aws")))
    assert len(pairs) == len(set(pairs))


def test_no_depth_ends_the_walk() -> None:
    """Values nest as deep as they like, marked at the top or at the bottom."""
    value: Any = "deep-secret"
    mark: Any = True
    for number in range(5000):
        value, mark = ([value], [mark]) if number % 2 else ({"a": value}, {"a": mark})
    for marked in (True, mark):
        change = {"address": "a.b", "change": {"after": value, "after_sensitive": marked}}
        texts = [text for _, text in sensitive_values({"resource_changes": [change]})]
        assert texts == ["deep-secret"]


def test_a_large_plan_is_read_quickly() -> None:
    """Ten thousand values take well below a second."""
    resources = [
        resource(
            f"aws_ssm_parameter.p[{number}]",
            "create",
            after={"value": f"value-{number}", "tags": {"a": "b"}, "name": f"/p/{number}"},
            after_sensitive={"value": True, "tags": {}},
        )
        for number in range(10_000)
    ]
    began = time.process_time()
    assert len(list(sensitive_values(document(*resources)))) == 10_000
    assert time.process_time() - began < 1


_TEXTS = st.text("abcdefXYZ0123456789#!", min_size=5, max_size=12)
_VALUES = st.recursive(
    _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


def _texts_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_texts_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(_texts_of, value))
    return {value}


@given(_VALUES)
def test_everything_below_a_mark_is_found(value: Any) -> None:
    """Whatever a sensitive value is made of, each text in it is masked."""
    assert {text for _, text in found(value, True)} == _texts_of(value)


@given(
    _VALUES, st.recursive(st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
)
def test_no_mark_is_too_odd(value: Any, mark: Any) -> None:
    """Marks that do not fit end in more values, never in an error or in others."""
    assert {text for _, text in found(value, mark)} <= _texts_of(value)


def test_each_value_is_masked_under_its_first_name() -> None:
    """A value that is met in four places is one secret."""
    report = ToolReport()
    hide_all(report, [("a.b.p", "secret-one"), ("var.p", "secret-one"), ("c", "two-two")])
    assert report.told == [("hide", "a.b.p"), ("hide", "c")]


def test_short_values_are_warned_of_once() -> None:
    """A hundred ports and flags are one warning for each way to be unfit, and nothing is masked
    that would make the output unreadable."""
    report = Masking()
    values = [(f"a.b.x{number}", f"{number:03}") for number in range(100)]
    hide_all(report, [*values, ("a.c", "true"), ("a.d", "False"), ("a.e", "long-enough")])
    assert report.registry.take_warnings() == (
        "secret 'some sensitive values' is too short to be masked (3 bytes)",
        "secret 'some sensitive values' is a common word and not masked",
    )
    assert report.registry.mask_text("042 true long-enough") == "042 true ***"


def test_short_values_are_masked_where_that_is_asked_for() -> None:
    """``--short-secrets=mask`` counts for these, too."""
    report = Masking("mask")
    hide_all(report, [("a.b", "042")])
    assert report.registry.mask_text("it is 042") == "it is ***"


def test_short_values_are_refused_where_that_is_asked_for() -> None:
    """``--short-secrets=error`` counts for these, too."""
    with pytest.raises(ManifestError):
        hide_all(Masking("error"), [("a.b", "042")])


def test_a_json_text_is_masked_with_what_is_in_it() -> None:
    """A secret of AWS Secrets Manager is one text that holds several."""
    report = Masking()
    hide_all(report, sensitive_values(recorded("aws")))
    assert report.registry.mask_text("got json-inner-password") == "got ***"
