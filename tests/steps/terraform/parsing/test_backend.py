"""Backend configuration: secrets, and whose identity the state is reached as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.terraform.kind import TerraformKind
from tests.steps.terraform.parsing.sections import parse, said

ARN = "arn:aws:iam::111111111111:role/State"


@pytest.mark.parametrize(
    ("backend", "secrets"),
    [
        pytest.param({"secret_key": "a"}, {"secret_key": "a"}, id="secret_key"),
        pytest.param({"access_key": "AKIAIOSFODNN7EXAMPLE"}, {}, id="an access key's id"),
        pytest.param({"access_key": "azure=="}, {"access_key": "azure=="}, id="access_key"),
        pytest.param({"token": "t"}, {"token": "t"}, id="token"),
        pytest.param({"sas_token": "t"}, {"sas_token": "t"}, id="sas_token"),
        pytest.param({"password": "p", "username": "u"}, {"password": "p"}, id="password"),
        pytest.param({"client_secret": "c"}, {"client_secret": "c"}, id="client_secret"),
        pytest.param({"encryption_key": "e"}, {"encryption_key": "e"}, id="encryption_key"),
        pytest.param({"sse_customer_key": "s"}, {"sse_customer_key": "s"}, id="sse_customer_key"),
        pytest.param({"client_private_key_pem": "k"}, {"client_private_key_pem": "k"}, id="pem"),
        pytest.param(
            {"conn_str": "postgres://u:p%40w@h/db"},
            {"conn_str": "postgres://u:p%40w@h/db", "password": "p%40w", "meant": "p@w"},
            id="a connection",
        ),
        pytest.param({"address": "https://u:pw@h/s"}, {"address": "pw"}, id="within an address"),
        pytest.param(
            {"address": "https://h/s?ref=main&private_token=a%2Fb+c&x=1#f"},
            {"address": "a%2Fb+c", "meant": "a/b c"},
            id="a parameter of an address",
        ),
        pytest.param({"endpoint": "https://h/?sv=1&sig=Zz9"}, {"endpoint": "Zz9"}, id="sig"),
        pytest.param({"lock_address": "https://h?access_token=t"}, {"lock_address": "t"}, id="t"),
        pytest.param({"http_auth": "u:p"}, {"http_auth": "u:p"}, id="http_auth"),
        pytest.param(
            {"a": {"b": [{"token": "deep"}]}}, {"a.b[0].token": "deep"}, id="nested"
        ),
        pytest.param({"tokens": ["x"], "token": ["y"]}, {"token[0]": "y"}, id="in a list"),
        pytest.param({"token": "", "password": None, "secret": 1}, {}, id="nothing to hide"),
        pytest.param(
            {"bucket": "b", "key": "k", "kms_key_id": "i", "skip_credentials_validation": True,
             "shared_credentials_file": "f", "web_identity_token_file": "f", "region": "r",
             "workspace_key_prefix": "w", "endpoint": "http://h:1/@"},
            {},
            id="what may be seen",
        ),
    ],
)  # fmt: skip
def test_what_is_a_secret(folder: Path, backend: dict[str, Any], secrets: dict[str, str]) -> None:
    """Arguments that are made for one, and passwords within addresses; nothing else."""
    found = parse(folder, backend=backend).secrets
    assert [value for _, value in found] == list(secrets.values())
    assert all(name.startswith("backend.") for name, _ in found)


def test_what_was_made_from_a_secret_is_one(folder: Path) -> None:
    """Whatever it is called: no line that people are told to paste has it."""
    spec = parse(folder, backend={"bucket": "b", "key": "k"}, secret=("terraform.backend.bucket",))
    assert spec.secrets == (("backend.bucket", "b"),)


@pytest.mark.parametrize(
    ("backend", "said_of"),
    [
        pytest.param({"profile": "p"}, ["profile"], id="profile"),
        pytest.param({"shared_credentials_files": ["f"]}, ["shared_credentials_files"], id="files"),
        pytest.param(
            {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "s"},
            ["access_key", "secret_key"],
            id="a key pair",
        ),
        pytest.param({"role_arn": ARN}, ["role_arn"], id="role_arn"),
        pytest.param({"assume_role": {"role_arn": ARN}}, ["assume_role"], id="assume_role"),
        pytest.param({"profile": "", "assume_role": None}, [], id="nothing in it"),
        pytest.param({"bucket": "b", "region": "eu-west-1"}, [], id="the step's own role"),
    ],
)
def test_another_identity_is_told(
    folder: Path, backend: dict[str, Any], said_of: list[str]
) -> None:
    """Where the backend works as somebody else than the step, the log says so."""
    warned = parse(folder, backend=backend).warnings
    assert [text.split()[0] for text in warned] == [f"terraform.backend.{key}" for key in said_of]
    assert not any("AKIA" in text or "111111111111" in text for text in warned)


def test_roles_of_the_backend_are_known(folder: Path) -> None:
    """The operator's policy may forbid them."""
    spec = parse(folder, backend={"role_arn": ARN, "assume_role": {"role_arn": ARN + "2"},
                                  "bucket": ARN})  # fmt: skip
    assert list(TerraformKind().roles(spec)) == [
        ("terraform.backend.role_arn", ARN),
        ("terraform.backend.assume_role.role_arn", ARN + "2"),
    ]


def test_what_has_no_form_in_json(folder: Path) -> None:
    """It is refused with its place."""
    assert said(folder, backend={"assume_role": {"tags": {1, 2}}}) == {
        "terraform.backend.assume_role.tags": "has no form in JSON"
    }
