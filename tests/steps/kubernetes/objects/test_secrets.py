"""What is secret in objects."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from calamari_py.steps.kubernetes.objects.secrets import secret_keys, secrets_of


def b64(text: str | bytes) -> str:
    """`text` in base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def secret(**fields: Any) -> dict[str, Any]:
    """The Secret ``app/db``."""
    metadata = {"name": "db", "namespace": "app", **fields.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **fields}


def applied(**fields: Any) -> dict[str, Any]:
    """Metadata that hold a Secret as it was applied."""
    key = "kubectl.kubernetes.io/last-applied-configuration"
    return {"annotations": {key: json.dumps(secret(**fields))}}


LOGINS = json.dumps(
    {"auths": {"r.test": {"auth": b64("me:s3cret-word"), "identitytoken": "an-identity"}}}
)
BINARY = b64(b"\xff\xfe\xfd\xfc")
WRAPPED = f"{b64('hunter2!')[:6]}\n{b64('hunter2!')[6:]}\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(secret(data={"k": b64("hunter2")}), ["hunter2", b64("hunter2")], id="data"),
        pytest.param(
            secret(stringData={"k": "hunter2"}), ["hunter2", b64("hunter2")], id="string-data"
        ),
        pytest.param(secret(data={"k": BINARY}), [BINARY], id="binary"),
        pytest.param(secret(data={"k": "no base64!"}), ["no base64!"], id="no-base64"),
        pytest.param(
            secret(data={"k": WRAPPED}), ["hunter2!", WRAPPED, b64("hunter2!")], id="wrapped"
        ),
        pytest.param(
            secret(stringData={"pin": 471108, "port": 22, "on": True}),
            ["471108", b64("471108")],
            id="numbers",
        ),
        pytest.param(
            secret(metadata=applied(data={"k": b64("before!")}, stringData={"l": "and this"})),
            ["before!", b64("before!"), "and this", b64("and this")],
            id="last-applied",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "List", "items": [secret(stringData={"k": "hunter2"})]},
            ["hunter2", b64("hunter2")],
            id="in-a-list",
        ),
        pytest.param(
            {"kind": "Template", "objects": [{"spec": secret(stringData={"k": "hunter2"})}]},
            ["hunter2", b64("hunter2")],
            id="in-another-object",
        ),
        pytest.param(
            secret(stringData={"a": "abc", "b": "true", "c": " "}, data={"d": b64("hunter2")}),
            ["hunter2", b64("hunter2"), b64("abc"), b64("true"), "IA==", "abc", "true"],
            id="too-short-ones-last",
        ),
        pytest.param(
            secret(
                metadata={"name": "sh.helm.release.v1.web.v1"}, type="helm.sh/release.v1",
                data={"release": "H4sI", "more": b64("hunter2")},
            ),
            ["hunter2", b64("hunter2")], id="helm",
        ),
        pytest.param(
            secret(type="helm.sh/release.v1", stringData={"release": "hunter2"}),
            ["hunter2", b64("hunter2")], id="called-a-release",
        ),
        pytest.param(
            secret(data={".dockerconfigjson": b64(LOGINS)}),
            [LOGINS, b64("me:s3cret-word"), "an-identity", "s3cret-word", b64(LOGINS)],
            id="logins-to-registries",
        ),
        pytest.param(
            secret(stringData={".dockercfg": '{"r.test": {"password": "s3cret-word"}}'}),
            ['{"r.test": {"password": "s3cret-word"}}',
             b64('{"r.test": {"password": "s3cret-word"}}'), "s3cret-word"],
            id="logins-of-old",
        ),
        pytest.param(secret(stringData={".dockercfg": "[1, {"}), ["[1, {", b64("[1, {")],
                     id="logins-that-are-none"),
        pytest.param(secret(data=None, stringData=["x"]), [], id="malformed"),
        pytest.param(secret(metadata={"annotations": {"a": "{no json"}}), [], id="annotation"),
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "in the clear"}},
            [],
            id="config-map",
        ),
        pytest.param(
            {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
             "spec": {"encryptedData": {"k": "AgBy3i4OJSWK"}}}, [], id="sealed",
        ),
        pytest.param(
            {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
             "spec": {"data": [{"secretKey": "password"}]}}, [], id="external",
        ),
    ],
)  # fmt: skip
def test_values_of_secrets(body: dict[str, Any], expected: list[str]) -> None:
    """As text and in base64, as written and as it should be; each once."""
    assert [value for _, value in secrets_of([body])] == expected


def test_values_have_names() -> None:
    """A short one has that of all: the mask's owner warns once for a name."""
    told = secrets_of([secret(stringData={"k": "hunter2", "l": "x"})])
    found = {value: name for name, value in told}
    assert (found["hunter2"], found["x"]) == ("Secret app/db k", "some values of Secrets")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            secret(data={"b": "", "a": ""}, stringData={"c": ""}), ("a", "b", "c"), id="all"
        ),
        pytest.param(secret(), (), id="empty"),
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}, None, id="other"
        ),
        pytest.param({"apiVersion": "x.org/v1", "kind": "Secret"}, None, id="another-groups"),
    ],
)
def test_keys_of_a_secret(body: dict[str, Any], expected: tuple[str, ...] | None) -> None:
    """They may be told."""
    assert secret_keys(body) == expected
