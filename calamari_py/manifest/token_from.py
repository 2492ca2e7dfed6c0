"""``account.token_from``: what fits together in it, and what ``octopus`` is short for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from calamari_py.manifest.nodes import Entry, Mapping, Node, Scalar
from calamari_py.manifest.types import TokenFrom
from calamari_py.templates import is_template

_WAYS = ("from_env", "command", "ci")
_OPTIONS = {"audience": ("github-actions", "buildkite"),
            "service_connection": ("azure-devops",)}  # fmt: skip
"""Which CI systems can be asked for what; with the others it is decided elsewhere."""
_VARIABLE = "{}.OpenIdConnect.Jwt"


def token_from_problems(asked: TokenFrom) -> Iterator[tuple[str, str, str]]:
    """What is wrong with `asked`: field (or ``""``), message and hint."""
    ways = [name for name in _WAYS if getattr(asked, name) is not None]
    if len(ways) != 1:
        found = " and ".join(f"'{name}'" for name in ways) if ways else "no origin of a token"
        yield "", f"has {found}", f"write exactly one of {', '.join(_WAYS)}"
        return
    for name in ("from_env", *_OPTIONS):
        value = getattr(asked, name)
        if value is not None and not value.strip():
            yield name, "is empty", "see where its value comes from"
    for name, systems in _OPTIONS.items():
        if getattr(asked, name) is not None and asked.ci not in systems:
            yield (
                name,
                f"is for {' and '.join(systems)}, not for '{asked.ci or ways[0]}'",
                "remove it; whoever issues the token decides that",
            )
    if asked.command is not None and not (asked.command and os.path.isabs(asked.command[0])):
        yield (
            "command",
            "does not begin with the absolute path of a program",
            "a name would be looked for in a PATH that others may set: write /usr/bin/NAME",
        )
    if asked.ci == "octopus":
        yield (
            "",
            "'octopus' needs account.name: the name of the account variable in Octopus",
            "write it out, for example name: AWS Account",
        )


def with_octopus_token(root: Mapping) -> Mapping:
    """`root`, where ``account.token_from`` is octopus with the ``token`` that it is short for.

    Done before anything is rendered, so that the variable is treated as what ``account`` uses:
    a secret of the launcher, which the step does not get. Without a plain ``account.name`` nothing
    changes, and the checks say what is missing.
    """
    account = root.entries.get("account")
    if account is None or not isinstance(account.value, Mapping):
        return root
    section = account.value
    asked, name = section.entries.get("token_from"), section.get("name")
    if asked is None or "token" in section.entries or not _is_octopus(asked.value):
        return root
    if not isinstance(name, Scalar) or not name.text.strip() or is_template(name.text):
        return root
    variable = json.dumps(_VARIABLE.format(name.text.strip()), ensure_ascii=False)
    token = Scalar(asked.value.place, f"{{{{ variables[{variable}] }}}}", quoted=True)
    entries = {key: entry for key, entry in section.entries.items() if key != "token_from"}
    entries["token"] = Entry(asked.key, token)
    changed = Entry(account.key, Mapping(section.place, entries))
    return Mapping(root.place, {**root.entries, "account": changed})


def _is_octopus(node: Node) -> bool:
    if isinstance(node, Mapping) and list(node.entries) == ["ci"]:
        node = node.entries["ci"].value
    return isinstance(node, Scalar) and node.text == "octopus"
