"""Access keys that the manifest's account section names."""

from __future__ import annotations

from dataclasses import dataclass

from calamari_py.credentials._keys import build_credentials
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import PartialCredentials
from calamari_py.identity import LauncherCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKeySource:
    """``account.access_key_id``, ``secret_access_key`` and ``session_token``, already rendered."""

    name: str = "access-key"

    def resolve(self, context: SourceContext) -> Found | Absent:
        """The keys; half a pair raises PartialCredentials."""
        account = context.account
        fields = {
            "access_key_id": (account.access_key_id or "").strip(),
            "secret_access_key": (account.secret_access_key or "").strip(),
        }
        token = (account.session_token or "").strip()
        missing = [name for name, value in fields.items() if not value]
        if len(missing) == len(fields):
            return Absent(
                why="account.access_key_id is not set",
                hint="set account.access_key_id and account.secret_access_key in the manifest",
            )
        if missing:
            for value in filter(None, (fields["secret_access_key"], token)):
                context.registry.add(value, name="AWS key material of the launcher")
            there = next(name for name in fields if name not in missing)
            raise PartialCredentials(
                f"'account.{there}' is set and 'account.{missing[0]}' is empty",
                hint=f"give account.{missing[0]} a value; is the variable it uses empty?",
            )
        credentials = build_credentials(
            context.registry,
            access_key_id=fields["access_key_id"],
            secret_access_key=fields["secret_access_key"],
            session_token=token,
            where="the account section",
        )
        return Found(
            launcher=LauncherCredentials(
                credentials=credentials, source=self.name, description="access key"
            ),
            why=f"access key {credentials.access_key_id}",
            asked=False,
        )

    def look(self, context: SourceContext) -> Presence:
        """Whether there are keys."""
        names = ("access_key_id", "secret_access_key")
        there = [name for name in names if (getattr(context.account, name) or "").strip()]
        if not there:
            return Presence(state="absent", why="account.access_key_id is not set")
        if len(there) == 1:
            return Presence(state="broken", why=f"account.{there[0]} alone is set")
        return Presence(state="present", why="account.access_key_id and its secret are set")


SOURCE = AccessKeySource()
