"""``account.expose_to_step``: the launcher's own values as variables of the step.

The names are Octopus's: ``NAME``, ``NAME.AccessKey``, ``NAME.SecretKey``, ``NAME.RoleArn``,
``NAME.SessionDuration``, ``NAME.OpenIdConnect.Jwt``; and ``NAME.SessionToken``, which it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.identity import DEFAULT_DURATION
from calamari_py.manifest.convert import Converter
from calamari_py.manifest.definitions import Definition, VariableSource
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.nodes import Node, Place, child_path
from calamari_py.manifest.report import Report
from calamari_py.manifest.types import Account
from calamari_py.manifest.values import Values

_SECRET = frozenset({"SecretKey", "SessionToken", "OpenIdConnect.Jwt"})


def exposed_definitions(node: Node | None, values: Values) -> Iterator[Definition]:
    """The variables that the account section `node` makes; none unless it asks for them.

    `values` is spent on it; problems are left to those who render for good.
    """
    if not isinstance(node, MappingNode) or node.get("expose_to_step") is None:
        return
    account = Converter(Report(""), values.read).convert(node, Account, "account")
    if not isinstance(account, Account) or not account.expose_to_step:
        return
    name = (account.name or "").strip()
    if not name or account.type == "none":
        return
    yield _definition(name, "value", name, node.place)
    known, found = _parts(account)
    for part, text in known.items():
        yield _definition(f"{name}.{part}", "value", text, node.place)
    for part in found:
        yield _definition(f"{name}.{part}", "launcher", part, node.place)


def _parts(account: Account) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the manifest itself says, and what is known when the launcher is found."""
    if account.type == "oidc":
        duration = account.session_duration
        return {
            "RoleArn": str(account.role_arn or ""),
            "SessionDuration": str(int(DEFAULT_DURATION if duration is None else duration)),
        }, ("OpenIdConnect.Jwt",)
    if account.type == "access-key" and not account.session_token:
        return {}, ("AccessKey", "SecretKey")
    return {}, ("AccessKey", "SecretKey", "SessionToken")


def _definition(name: str, source: VariableSource, text: str, place: Place) -> Definition:
    return Definition(
        name=name,
        source=source,
        text=text,
        path=child_path("variables", name),
        place=place,
        text_place=place,
        sensitive=source == "launcher" and text in _SECRET,
    )
