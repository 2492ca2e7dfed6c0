"""What only the launcher is for: variables that ``account`` and ``assume_role`` use.

`launcher_secrets` is asked before anything is rendered for good, `LauncherOnly` afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calamari_py.manifest.convert import Converter
from calamari_py.manifest.definitions import Definition
from calamari_py.manifest.launcher_files import environment_files, ids_of, lies_in
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.nodes import Node, Scalar
from calamari_py.manifest.report import Report
from calamari_py.manifest.types import Account, TokenFrom
from calamari_py.manifest.values import Origin, Values
from calamari_py.templates import is_template

SECRET_FIELDS = ("secret_access_key", "session_token", "token")
"""The fields of ``account`` that hold the launcher's secret; an access key id only names a key."""

AMBIENT_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "CI_JOB_JWT",
    "CI_JOB_JWT_V1",
    "CI_JOB_JWT_V2",
    "CIRCLE_OIDC_TOKEN",
    "CIRCLE_OIDC_TOKEN_V2",
    "BITBUCKET_STEP_OIDC_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "SYSTEM_ACCESSTOKEN",
)
"""Environment variables that hold an ambient launcher's secret."""

_WORDS = re.compile(r"""[A-Za-z_]\w*|"([^"]*)"|'([^']*)'""")
_ACCOUNT = ("account",)
_IDENTITY = ("account", "assume_role")


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherSecrets:
    """`names` are variables, `files` what the account's secret is read from, there or not."""

    names: frozenset[str]
    files: tuple[Path, ...]


def launcher_secrets(
    account: Node | None,
    values: Values,
    definitions: Mapping[str, Definition],
    environ: Mapping[str, str],
) -> LauncherSecrets:
    """What the launcher's secret is made of, whatever the manifest calls it: what the
    `SECRET_FIELDS` use, also through others, and what is read from where the secret is, be it an
    environment variable or a file, by any path.

    `values` is spent on it; problems are left to those who render for good.
    """
    converter = Converter(Report(""), values.read)
    found: set[str] = set()
    if isinstance(account, MappingNode):
        converter.convert(account, Account, "account")
        found |= _fed_by(account, values, definitions)
    origins = {values.origin_of(definitions[name]) for name in found}
    origins |= {values.origin("from_env", name) for name in AMBIENT_SECRETS}
    for source, field in (("from_env", "token_from.from_env"), ("from_file", "token_file")):
        text = converter.parsed.get(f"account.{field}")
        if text:
            origins.add(values.origin(source, text.strip() if source == "from_file" else text))
    if "gitlab" in {converter.parsed.get(f"account.token_from{end}") for end in ("", ".ci")}:
        origins.add(values.origin("from_env", "GITLAB_OIDC_TOKEN"))
    origins.discard(None)
    files = tuple(sorted(Path(origin[1]) for origin in origins if origin and _is_file(origin)))
    read = dict(_origins(values, definitions))
    found.update(name for name, origin in read.items() if origin in origins)
    of_files = {name: Path(origin[1]) for name, origin in read.items() if _is_file(origin)}
    if of_files:
        ids = ids_of((*environment_files(environ), *files))
        found.update(name for name, path in of_files.items() if lies_in(path, ids))
    return LauncherSecrets(names=frozenset(found), files=files)


def _origins(values: Values, definitions: Mapping[str, Definition]) -> Iterator[tuple[str, Origin]]:
    """Where each variable is read from that is read from anywhere."""
    for name, definition in definitions.items():
        if (origin := values.origin_of(definition)) is not None:
            yield name, origin


def _is_file(origin: Origin) -> bool:
    return origin[0] == "from_file"


def _fed_by(
    account: MappingNode, values: Values, definitions: Mapping[str, Definition]
) -> set[str]:
    """The variables that the secret fields of `account`, which was rendered, are made of."""
    found: set[str] = set()
    for field in SECRET_FIELDS:
        node, rendered = account.get(field), values.rendered.get(f"account.{field}")
        if rendered is not None:
            found |= rendered.sources
        elif isinstance(node, Scalar) and is_template(node.text):
            # It cannot be rendered, and the messages that say so must not show what it is made of.
            found |= _mentioned(node.text, definitions)
    return found


def _mentioned(text: str, definitions: Mapping[str, Definition]) -> set[str]:
    """The variables that `text` names, also through others."""
    found: set[str] = set()
    texts = [text]
    while texts:
        for match in _WORDS.finditer(texts.pop()):
            definition = definitions.get(match[1] or match[2] or match[0])
            if definition is None or definition.name in found:
                continue
            found.add(definition.name)
            if definition.template and definition.source == "value":
                texts.append(definition.text)
    return found


class LauncherOnly:
    """Decides, after everything was rendered, what the child may not have.

    `account` is the parsed section; anything else counts as the default one. `secrets` are the
    `launcher_secrets`, which `definitions` call sensitive. `exposed` are the variables that
    ``expose_to_step`` made.
    """

    def __init__(
        self,
        values: Values,
        definitions: Mapping[str, Definition],
        account: Any,
        *,
        secrets: frozenset[str],
        exposed: tuple[str, ...] = (),
    ) -> None:
        self._exposed = exposed
        self._values = values
        self._definitions = definitions
        self._secrets = secrets
        self._account = account if isinstance(account, Account) else Account()
        self._of_account = self._reads_under(_ACCOUNT)
        self._of_identity = self._reads_under(_IDENTITY)
        open_handed = self._account.expose_to_step
        self.secrets = frozenset() if open_handed else self._sensitive(self._of_account)
        """The launcher's secrets and all sensitive variables that ``account`` uses, if the child
        may not have them."""

    def leaks(self) -> Iterator[tuple[str, list[str]]]:
        """Texts outside the two sections that use such a secret: path and names."""
        for path, rendered in self._values.rendered.items():
            used = sorted(self.secrets & rendered.reads)
            if used and not _is_under(path, _IDENTITY):
                yield path, used

    def withheld(self) -> frozenset[str]:
        """The variables that the child does not get: all that the two sections use, and all that
        are made from the sensitive ones among them."""
        if self._account.expose_to_step:
            return frozenset()
        secret = self._sensitive(self._of_identity)
        made = (name for name in self._definitions if self._values.reads_of(name) & secret)
        return self._of_identity | frozenset(made)

    def environment_names(self) -> frozenset[str]:
        """The environment variables that ``account`` and sensitive variables were read from."""
        names = {
            read
            for name, read in self._values.environment_reads.items()
            if name in self._of_account or self._definitions[name].sensitive
        }
        token_from = self._account.token_from
        if isinstance(token_from, TokenFrom) and token_from.from_env:
            names.add(token_from.from_env)
        return frozenset(names)

    def warnings(self) -> Iterator[str]:
        """What the log has to say of ``expose_to_step``."""
        given = self._of_identity | frozenset(self._exposed)
        if self._account.expose_to_step and not given:
            yield "account.expose_to_step has nothing to hand over: give the account a name"
        if self._account.expose_to_step and given:
            names = ", ".join(f"'{name}'" for name in sorted(given))
            yield f"account.expose_to_step: the step gets the launcher's own {names}"

    def _sensitive(self, names: frozenset[str]) -> frozenset[str]:
        return self._secrets | {name for name in names if self._definitions[name].sensitive}

    def _reads_under(self, keys: tuple[str, ...]) -> frozenset[str]:
        found: set[str] = set()
        for path, rendered in self._values.rendered.items():
            if _is_under(path, keys):
                found |= rendered.reads
        return frozenset(found)


def handed_over(names: list[str]) -> tuple[str, str]:
    """Message and hint of a text that uses secrets of the launcher."""
    shown = ", ".join(f"'{name}'" for name in names)
    return (
        f"would hand the launcher's secret {shown} to the step",
        "remove it, or set account.expose_to_step: true if the step really needs it",
    )


def _is_under(path: str, keys: tuple[str, ...]) -> bool:
    return any(path == key or path.startswith((f"{key}.", f"{key}[")) for key in keys)
