"""The search for a launcher: order, trace, pins, fallback, and what it says when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from calamari_py.credentials import (
    ACCOUNT_TYPES,
    SOURCES,
    AccountType,
    Resolution,
    profile_credential_source,
    resolve_launcher,
)
from calamari_py.credentials.base import Absent, Deferred, Found, Presence, SourceContext
from calamari_py.errors import (
    CloudError,
    IdentityError,
    LauncherNotFound,
    PartialCredentials,
    SourceBroken,
    Temporary,
    exit_code_of,
)
from calamari_py.identity import LauncherCredentials
from tests.credentials.fakes import (
    KEY_ID,
    ROLE,
    SECRET_KEY,
    FakeAws,
    account,
    context,
    credentials,
)
from tests.fake_metadata import FakeContainer, FakeImds, Reply

AMBIENT = ["environment", "profile", "web-identity", "container", "imds"]
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
NO_IMDS = {"AWS_EC2_METADATA_DISABLED": "true"}


@dataclass
class Scripted:
    """A source that does what its outcome says, and counts how often."""

    name: str
    outcome: Found | Absent | Exception
    calls: list[SourceContext] = field(default_factory=list)

    def resolve(self, context: SourceContext) -> Found | Absent:
        self.calls.append(context)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def look(self, context: SourceContext) -> Presence:
        raise AssertionError("the search looks at nothing: it asks")


def works(name: str, *, asked: bool = True, warnings: tuple[str, ...] = ()) -> Scripted:
    """A source that is found."""
    launcher = LauncherCredentials(
        credentials=credentials(), source=name, description=f"the {name}"
    )
    return Scripted(name, Found(launcher=launcher, why="here", asked=asked, warnings=warnings))


def lacks(name: str, *, asked: bool = False) -> Scripted:
    """A source that is absent."""
    return Scripted(name, Absent(why=f"no {name}", hint=f"set {name}", asked=asked))


def breaks(name: str) -> Scripted:
    """A source that is there and does not work."""
    return Scripted(name, SourceBroken(f"{name} is dead", hint="mend it", evidence=("seen",)))


def search(*sources: Scripted, **fields: Any) -> Resolution:
    """The resolution among `sources` as type ``ambient``, on a clock of 7 ms a look."""
    ticks: Iterator[int] = count()
    return resolve_launcher(
        account(**fields),
        context(),
        types={fields.get("type", "ambient"): AccountType(sources=sources)},
        clock=lambda: next(ticks) * 0.007,
    )


def rows(trace: Any) -> list[tuple[str, str, str]]:
    """Source, result and reason of each row."""
    return [(row.source, row.result, row.why) for row in trace]


def test_the_registries() -> None:
    """The sources stand in the SDKs' order under their names, and each type has its own."""
    assert list(SOURCES) == AMBIENT
    assert all(name == source.name for name, source in SOURCES.items())
    names = {name: [one.name for one in kind.sources] for name, kind in ACCOUNT_TYPES.items()}
    assert names == {
        "ambient": AMBIENT,
        "access-key": ["access-key"],
        "oidc": ["oidc"],
        "profile": ["profile"],
        "auto": [*AMBIENT, "access-key"],
        "none": [],
    }  # fmt: skip


@pytest.mark.parametrize("kind", sorted(ACCOUNT_TYPES))
def test_every_deferred_source_exists(kind: str) -> None:
    """A deferred source is the one of its module, and has its name."""
    for source in ACCOUNT_TYPES[kind].sources:
        assert isinstance(source, Deferred)
        module = __import__(f"calamari_py.credentials.{source.module}", fromlist=["SOURCE"])
        assert module.SOURCE.name == source.name


def test_the_first_that_is_found_wins() -> None:
    """Absent ones are passed over, the rest is not tried, and every one has its row."""
    last = works("c")
    resolution = search(lacks("a"), works("b"), last)
    assert resolution.launcher
    assert resolution.launcher.source == "b"
    assert rows(resolution.trace) == [
        ("a", "absent", "no a"),
        ("b", "found", "here"),
        ("c", "not tried", "b was found"),
    ]
    assert [row.used for row in resolution.trace] == [False, True, False]
    assert [row.present for row in resolution.trace] == [False, True, False]
    assert [row.tried for row in resolution.trace] == [False, True, False]
    assert last.calls == []


def test_milliseconds_are_of_what_was_asked() -> None:
    """A time stands only in rows of sources that asked somebody."""
    trace = search(lacks("a"), lacks("b", asked=True), works("c", asked=False)).trace
    assert [row.milliseconds for row in trace] == [None, 7, None]


def test_a_broken_source_stops_the_step() -> None:
    """What comes after a broken source is not tried, and the error carries the whole trace."""
    last = works("c")
    with pytest.raises(SourceBroken, match="credential source 'b' is broken: b is dead") as caught:
        search(lacks("a"), breaks("b"), last)
    assert rows(caught.value.trace) == [
        ("a", "absent", "no a"),
        ("b", "broken", "b is dead"),
        ("c", "not tried", "b is broken"),
    ]
    assert caught.value.trace[1].milliseconds == 7
    assert (caught.value.hint, caught.value.evidence) == ("mend it", ("seen",))
    assert exit_code_of(caught.value) == 77
    assert last.calls == []


def test_fallback_goes_on_aloud() -> None:
    """With fallback a broken source is passed over, and a warning says so."""
    resolution = search(breaks("a"), lacks("b"), works("c", warnings=("old",)), fallback=True)
    assert resolution.launcher
    assert resolution.launcher.source == "c"
    assert [row.result for row in resolution.trace] == ["broken", "absent", "found"]
    assert resolution.warnings == (
        "account.fallback is true: the broken credential source 'a' was passed over (a is dead)",
        "old",
    )


def test_fallback_to_nothing() -> None:
    """When nothing later works the first broken source is what went wrong."""
    with pytest.raises(SourceBroken, match="'b' is broken: b is dead") as caught:
        search(lacks("a"), breaks("b"), breaks("c"), fallback=True)
    assert [row.result for row in caught.value.trace] == ["absent", "broken", "broken"]


def test_half_a_pair_keeps_its_class() -> None:
    """PartialCredentials stays PartialCredentials, with the trace."""
    half = Scripted("a", PartialCredentials("half", hint="set the other"))
    with pytest.raises(PartialCredentials, match="half") as caught:
        search(half, works("b"))
    assert len(caught.value.trace) == 2


@pytest.mark.parametrize("fallback", [False, True])
def test_a_lost_connection_keeps_its_class(fallback: bool) -> None:
    """Temporary stays Temporary (75), is stopped at or passed over like a broken source."""
    lost = Scripted("a", Temporary("STS is gone", service="sts", operation="x", code="T"))
    if fallback:
        assert search(lost, works("b"), fallback=True).warnings
        return
    with pytest.raises(Temporary, match="STS is gone") as caught:
        search(lost, works("b"))
    assert caught.value.evidence == ("a: broken, STS is gone", "b: not tried, a is broken")
    assert exit_code_of(caught.value) == 75


def test_nothing_anywhere() -> None:
    """With every source absent the error says so, with the trace and what to do."""
    with pytest.raises(LauncherNotFound, match="no launcher credentials were found") as caught:
        search(lacks("a"), lacks("b"))
    assert rows(caught.value.trace) == [("a", "absent", "no a"), ("b", "absent", "no b")]
    assert "account" in (caught.value.hint or "")


def test_a_pinned_source_is_the_only_one_asked() -> None:
    """``source: imds`` asks no other, and the rows of the others say why."""
    other = works("environment")
    resolution = search(other, works("imds"), source="imds")
    assert resolution.launcher
    assert resolution.launcher.source == "imds"
    assert rows(resolution.trace) == [
        ("environment", "not tried", "account.source is imds"),
        ("imds", "found", "here"),
    ]
    assert other.calls == []


def test_a_pinned_source_that_is_absent() -> None:
    """Its absence is an error whose hint says what would make it present."""
    with pytest.raises(LauncherNotFound, match="'imds' is absent: no imds") as caught:
        search(works("environment"), lacks("imds"), source="imds")
    assert caught.value.hint == "set imds"
    assert len(caught.value.trace) == 2


def test_a_source_is_given_the_account() -> None:
    """Whatever the context held before, sources see the account that is resolved."""
    source = works("a")
    search(source, name="AWS Account")
    assert source.calls[0].account.name == "AWS Account"


def test_a_context_shows_no_value() -> None:
    """Neither the environment nor the account section is in a context's repr."""
    shown = repr(context(KEYS, secret_access_key="configured-secret-0123"))
    assert SECRET_KEY not in shown
    assert "configured-secret-0123" not in shown


def test_type_none_looks_for_nothing() -> None:
    """``account: none`` has no launcher and no trace."""
    assert resolve_launcher(account(type="none"), context(KEYS)) == Resolution(launcher=None)


@pytest.mark.parametrize(
    ("environ", "winner"),
    [
        pytest.param(KEYS | {"AWS_PROFILE": "dev"}, "environment", id="keys before a profile"),
        pytest.param({"AWS_PROFILE": "dev"}, "profile", id="a profile that is named"),
    ],
)
def test_the_ambient_order(environ: dict[str, str], winner: str) -> None:
    """Environment keys come before AWS_PROFILE, and that before everything else."""
    profile = LauncherCredentials(
        credentials=credentials(), source="sso", description="SSO", region="eu-north-1"
    )
    with FakeImds() as imds, FakeContainer() as agent:
        environ = environ | {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}{agent.path}",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
            "AWS_ROLE_ARN": ROLE,
        }
        aws = FakeAws(profiles={"dev": profile})
        resolution = resolve_launcher(account(), context(environ, aws=aws))
        assert imds.connections + agent.connections == 0
    assert resolution.launcher
    assert resolution.launcher.source == winner
    results = [row.result for row in resolution.trace]
    assert results[AMBIENT.index(winner) + 1 :] == ["not tried"] * (4 - AMBIENT.index(winner))


def test_container_before_imds_and_never_after() -> None:
    """A pod's identity that fails never becomes the node's."""
    with FakeImds() as imds, FakeContainer() as agent:
        environ = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}{agent.path}",
        }
        resolution = resolve_launcher(account(), context(environ))
        assert resolution.launcher
        assert resolution.launcher.source == "container"
        agent.inject(agent.path, Reply(403))
        with pytest.raises(SourceBroken, match="'container' is broken"):
            resolve_launcher(account(), context(environ))
        assert imds.connections == 0
        agent.inject(agent.path, Reply(403))
        fallen = resolve_launcher(account(fallback=True), context(environ))
        assert fallen.launcher
        assert fallen.launcher.source == "imds"
        assert "'container' was passed over" in fallen.warnings[0]


@pytest.mark.parametrize(
    ("environ", "fields", "winner"),
    [
        pytest.param(NO_IMDS, {}, "access-key", id="nothing ambient"),
        pytest.param(KEYS, {}, "environment", id="ambient first"),
    ],
)
def test_type_auto(environ: dict[str, str], fields: dict[str, Any], winner: str) -> None:
    """Type auto adds the configured keys last, and says aloud which won."""
    given = account(
        type="auto", access_key_id="AKIACONFIGURED", secret_access_key="configured-secret-0123"
    )
    resolution = resolve_launcher(given, context(environ))
    assert resolution.launcher
    assert resolution.launcher.source == winner
    assert [row.source for row in resolution.trace] == [*AMBIENT, "access-key"]
    assert f"'{winner}' won" in resolution.notes[0]


def test_no_profile_is_opened_unless_one_is_named() -> None:
    """The ambient search leaves the config files alone."""
    aws = FakeAws()
    with pytest.raises(LauncherNotFound) as caught:
        resolve_launcher(account(), context(NO_IMDS | {"AWS_PROFILE": " "}, aws=aws))
    assert aws.asked_profiles == []
    assert [row.result for row in caught.value.trace] == ["absent"] * 5


@pytest.mark.parametrize(
    ("fields", "environ", "asked"),
    [
        ({"profile": "ops"}, {"AWS_PROFILE": "dev"}, "ops"),
        ({}, {"AWS_PROFILE": "dev"}, "dev"),
        ({}, {}, None),
        ({"profile": " "}, {"AWS_PROFILE": ""}, None),
    ],
)
def test_type_profile(fields: dict[str, Any], environ: dict[str, str], asked: str | None) -> None:
    """The manifest's profile, else AWS_PROFILE, else the default one."""
    launcher = LauncherCredentials(
        credentials=credentials(), source="x", description="profile", region="eu-north-1"
    )
    aws = FakeAws(profiles={asked: launcher})
    resolution = resolve_launcher(account(type="profile", **fields), context(environ, aws=aws))
    assert aws.asked_profiles == [asked]
    assert resolution.launcher
    assert (resolution.launcher.source, resolution.launcher.region) == ("profile", "eu-north-1")


@pytest.mark.parametrize(
    ("environ", "refusal", "error", "why"),
    [
        ({"AWS_PROFILE": "dev"}, None, SourceBroken, "'dev' is not in the AWS config files"),
        ({}, None, LauncherNotFound, "there is no profile 'default'"),
        (
            {},
            CloudError("SSO said no", service="sso", operation="x", code="Unauthorized"),
            SourceBroken,
            "SSO said no",
        ),
        ({}, Temporary("slow", service="sso", operation="x", code="T"), Temporary, "slow"),
    ],
)
def test_a_profile_that_gives_nothing(
    environ: dict[str, str],
    refusal: CloudError | None,
    error: type[IdentityError | CloudError],
    why: str,
) -> None:
    """A named profile that is not there is broken; a missing default one is an absence."""
    with pytest.raises(error, match=why):
        resolve_launcher(account(type="profile"), context(environ, aws=FakeAws(refusal=refusal)))


@pytest.mark.parametrize(
    ("section", "variables", "why", "hint"),
    [
        pytest.param("[default]\nregion = eu-west-1\n", {},
                     "profile 'default' holds no credentials", "or complete it", id="without keys"),
        pytest.param("[other]\n", {}, "there is no profile 'default'", "or make it", id="none"),
        pytest.param("[other]\n", {"AWS_DEFAULT_PROFILE": "other"},
                     "there is no profile 'default', and AWS_DEFAULT_PROFILE is not read",
                     "AWS_PROFILE", id="selected otherwise"),
    ],
)  # fmt: skip
def test_an_absent_default_profile(
    section: str, variables: dict[str, str], why: str, hint: str, tmp_path: Path
) -> None:
    """What is said of the default profile is true: it is not there, or it is empty."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(section)
    environ = {"HOME": str(tmp_path), **variables}
    with pytest.raises(LauncherNotFound) as caught:
        resolve_launcher(account(type="profile"), context(environ))
    assert caught.value.message == f"credential source 'profile' is absent: {why}"
    assert hint in (caught.value.hint or "")


def test_the_variable_that_is_not_read() -> None:
    """Whoever set AWS_DEFAULT_PROFILE alone finds it in the trace."""
    with pytest.raises(LauncherNotFound) as caught:
        resolve_launcher(account(), context({"AWS_DEFAULT_PROFILE": "ops"} | NO_IMDS))
    (row,) = [row for row in caught.value.trace if row.source == "profile"]
    assert row.why == "AWS_PROFILE is not set, and AWS_DEFAULT_PROFILE is not read"


def test_credential_source_of_a_profile() -> None:
    """A profile's credential_source is answered by our own sources, or refused."""
    given = context(KEYS | NO_IMDS)
    assert profile_credential_source("Environment", given).access_key_id == KEY_ID
    for name, why in (
        ("Ec2InstanceMetadata", "'Ec2InstanceMetadata' is absent"),
        ("EcsContainer", "'EcsContainer' is absent"),
        ("Elsewhere", "'Elsewhere' is no credential_source"),
    ):
        with pytest.raises(SourceBroken, match=why) as caught:
            profile_credential_source(name, given)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("type_", "fields", "expected"),
    [
        pytest.param("access-key", {}, ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"], id="keys"),
        pytest.param("profile", {"profile": "x"}, ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"], id="named"),
        pytest.param("profile", {}, ["AWS_ACCESS_KEY_ID"], id="AWS_PROFILE is used"),
        pytest.param("ambient", {}, [], id="ambient"),
    ],
)
def test_what_the_manifest_overrules_is_said(
    type_: str, fields: dict[str, str], expected: list[str]
) -> None:
    """Variables that would make other programs somebody else are named when they do not count."""
    name = "profile" if type_ == "profile" else "access-key"
    resolution = resolve_launcher(
        account(type=type_, **fields),
        context({**KEYS, "AWS_PROFILE": "ops", "AWS_ROLE_ARN": " "}),
        types={type_: AccountType(sources=(works(name),))},
    )
    wanted = f"account type {type_}: ignored {', '.join(expected)} of the environment"
    assert list(resolution.notes) == ([wanted] if expected else [])
