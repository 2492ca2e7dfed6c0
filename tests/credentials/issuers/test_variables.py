"""CI systems that put their token into a variable: GitLab, CircleCI, Bitbucket."""

from __future__ import annotations

import pytest

from calamari_py.credentials.issuers import ISSUERS
from calamari_py.errors import SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import texts_of
from tests.credentials.issuers.support import TOKEN, request

CASES = [
    pytest.param("gitlab", ("GITLAB_OIDC_TOKEN", "CI_JOB_JWT_V2"), "id_tokens", id="gitlab"),
    pytest.param("circleci", ("CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"), "context", id="circle"),
    pytest.param("bitbucket", ("BITBUCKET_STEP_OIDC_TOKEN",), "oidc: true", id="bitbucket"),
]


@pytest.mark.parametrize(("system", "names", "hint"), CASES)
def test_found(system: str, names: tuple[str, ...], hint: str) -> None:
    """The first variable that is set wins, and all names are scrubbed later."""
    for index, name in enumerate(names):
        later = dict.fromkeys(names[index + 1 :], "older-token")
        registry = SecretRegistry()
        given = request({name: f"{TOKEN}\n", **later}, registry=registry)
        minted = ISSUERS[system].mint(given)
        assert minted.token.reveal() == TOKEN
        assert minted.environment_names == set(names)
        assert name in minted.where
        assert registry.holds_secret(TOKEN)
        assert ISSUERS[system].look(given).state == "present"


@pytest.mark.parametrize(("system", "names", "hint"), CASES)
@pytest.mark.parametrize("value", [None, "", " \n"], ids=["unset", "empty", "blank"])
def test_absent(system: str, names: tuple[str, ...], hint: str, value: str | None) -> None:
    """Without a token the CI's own setting is named that makes one."""
    given = request({} if value is None else dict.fromkeys(names, value))
    with pytest.raises(SourceBroken, match=f"'{names[0]}' is not set") as caught:
        ISSUERS[system].mint(given)
    assert hint in (caught.value.hint or "")
    assert ISSUERS[system].look(given).state == "absent"


@pytest.mark.parametrize(("system", "names", "hint"), CASES)
@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", "x" * 20_001], ids=["bearer", "huge"])
def test_lying(system: str, names: tuple[str, ...], hint: str, value: str) -> None:
    """What cannot be a token is refused here, and not shown."""
    with pytest.raises(SourceBroken) as caught:
        ISSUERS[system].mint(request({names[0]: value}))
    assert TOKEN not in texts_of(caught.value)
    assert value not in texts_of(caught.value)
