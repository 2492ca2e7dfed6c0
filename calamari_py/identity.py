"""Who a step runs as: pure values, their parsing, and the limits STS sets.

Source of every limit: the STS service model (``AssumeRole``, ``AssumeRoleWithWebIdentity``) and
what its documentation adds to it. Nothing here makes a call.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from calamari_py.masking.secret import Secret

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f",
              "aws-eusc")  # fmt: skip
MIN_DURATION = 900
MAX_DURATION = 43_200
MAX_CHAINED_DURATION = 3_600
DEFAULT_DURATION = 3_600
SESSION_NAME_LIMIT = 64
TAG_VALUE_LIMIT = 256
TAG_PREFIX = "calamari:"
"""Session tags whose keys begin so are calamari's own; no manifest may set one."""

_ROLE_ARN = re.compile(r"arn:([a-z-]+):iam::(\d{12}):role(/|/[!-~]+/)([\w+=,.@-]{1,64})", re.ASCII)
_ASSUMED_ARN = re.compile(
    r"arn:([a-z-]+):sts::(\d{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)", re.ASCII
)
_ANY_ARN = re.compile(r"arn:([a-z-]+):(?:iam|sts)::(\d{12}):(.+)", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_POLICY = re.compile(r"[\t\n\r -\xff]{1,2048}")
_POLICY_ARN = re.compile(r"arn:[a-z-]+:iam::(aws|\d{12}):policy/[!-~]+", re.ASCII)
_ASCII_TAG = re.compile(r"[A-Za-z0-9 _.:/=+\-@]*")
_REGIONS_OF = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
"""What the names of a partition's regions begin with."""
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", re.ASCII)
_NOT_IN_SESSION_NAME = re.compile(r"[^\w+=,.@-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleArn:
    """An IAM role's ARN in its parts; ``str()`` gives the whole back."""

    partition: str
    account: str
    path: str
    name: str

    @classmethod
    def parse(cls, text: str) -> RoleArn:
        """`text` as a role ARN, or ValueError that says what is wrong with it."""
        match = _ROLE_ARN.fullmatch(text)
        if not match or not 20 <= len(text) <= 2048 or match[1] not in PARTITIONS:
            raise ValueError(_why_no_role_arn(text))
        return cls(partition=match[1], account=match[2], path=match[3], name=match[4])

    def __str__(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role{self.path}{self.name}"


def _why_no_role_arn(text: str) -> str:
    """One sentence on what makes `text` no role ARN."""
    if assumed := _ASSUMED_ARN.fullmatch(text):
        role = f"arn:{assumed[1]}:iam::{assumed[2]}:role/{assumed[3]}"
        return (
            f"'{text}' is the ARN of a session, not of a role; write '{role}', "
            "with the role's path before its name if it has one"
        )
    parts = text.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        return f"'{text}' is not a role ARN; write arn:aws:iam::ACCOUNT:role/NAME"
    if parts[1] not in PARTITIONS:
        return f"'{text}' names the unknown partition '{parts[1]}'"
    if not re.fullmatch(r"\d{12}", parts[4], re.ASCII):
        return f"'{text}' needs an account id of 12 digits, not '{parts[4]}'"
    return f"'{text}' is not a role ARN; write arn:{parts[1]}:iam::{parts[4]}:role/NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """What an STS or IAM ARN says of its owner; `role` and `session` only for a role session."""

    arn: str
    partition: str
    account: str
    role: str | None = None
    session: str | None = None

    @classmethod
    def parse(cls, arn: str) -> Principal:
        """`arn` (a session, a user, a root, a role) in its parts, or ValueError."""
        if assumed := _ASSUMED_ARN.fullmatch(arn):
            return cls(
                arn=arn,
                partition=assumed[1],
                account=assumed[2],
                role=assumed[3],
                session=assumed[4],
            )
        if other := _ANY_ARN.fullmatch(arn):
            return cls(arn=arn, partition=other[1], account=other[2])
        raise ValueError(f"'{arn}' is not the ARN of a principal")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCredentials:
    """One key set. The access key id is an identifier, the other two are secrets."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherCredentials:
    """The identity calamari itself runs with; used to call STS and nothing else.

    `source` is the name of the credential source that won, `description` what people call it
    (``EKS Pod Identity``). `arn` is None where the source does not say. `region` is what the
    source knows of the region (a profile's, IMDS's). `environment_names` are the environment
    variables that held or led to it, beyond those that are always scrubbed. `token` is the web
    identity token that STS exchanged for them, `has_session_tags` says that the session carries
    tags of the source's own (EKS Pod Identity): every role assumed from it must allow
    sts:TagSession. `request_id` is STS's, where STS gave the credentials.
    """

    credentials: AwsCredentials
    source: str
    description: str
    arn: str | None = None
    region: str | None = None
    environment_names: frozenset[str] = frozenset()
    token: Secret | None = None
    has_session_tags: bool = False
    request_id: str | None = None

    @property
    def is_session(self) -> bool:
        """Whether these are temporary credentials: assuming a role from them is chaining."""
        return self.credentials.session_token is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRequest:
    """One hop, as STS is asked for it. `duration` is in seconds.

    `default_tags` are calamari's own: they go with `tags`, and are given up when STS refuses them.
    """

    role: RoleArn
    session_name: str
    duration: int = DEFAULT_DURATION
    external_id: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    default_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedRole:
    """What STS returned for a hop."""

    credentials: AwsCredentials
    principal: Principal
    duration: int
    request_id: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentCredentials:
    """The role a step runs as: all the child gets. `hops` holds every role on the way."""

    credentials: AwsCredentials
    principal: Principal | None
    hops: tuple[AssumedRole, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The guard of the manifest's ``expect`` section; None means "not checked"."""

    account: str | None = None
    role: str | None = None
    region: str | None = None
    partition: str | None = None

    def mismatches(self, principal: Principal, region: str | None) -> tuple[str, ...]:
        """What differs, one clause each; empty when everything is as expected."""
        found = {
            "account": (self.account, principal.account),
            "role": (self.role, principal.role),
            "region": (self.region, region),
            "partition": (self.partition, principal.partition),
        }
        return tuple(
            f"{name} is {is_ if is_ is not None else 'unknown'}, expected {wanted}"
            for name, (wanted, is_) in found.items()
            if wanted is not None and wanted != is_
        )


def build_session_name(*parts: str | None) -> str:
    """A role session name from `parts`: joined by ``-``, sanitised, at most 64 characters.

    An over-long one keeps its head and ends in a short hash of the whole, so that two long names
    with one head stay apart.
    """
    joined = "-".join(part for part in parts if part)
    return clean_session_name(joined or "calamari")


def clean_session_name(text: str) -> str:
    """`text` made fit for STS: ``[\\w+=,.@-]{2,64}``."""
    name = _NOT_IN_SESSION_NAME.sub("-", text)
    if len(name) > SESSION_NAME_LIMIT:
        # Imported here: most names are short, and hashlib loads OpenSSL.
        import hashlib

        digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]
        name = f"{name[: SESSION_NAME_LIMIT - 9]}-{digest}"
    return name if len(name) >= 2 else f"{name}--"[:2]


def is_region(text: str) -> bool:
    """Whether `text` has the form of a region name."""
    return _REGION.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """The partition that `region` lies in, by how AWS names its regions."""
    return next((name for start, name in _REGIONS_OF.items() if region.startswith(start)), "aws")


def clamp_chained(request: RoleRequest, chained: bool) -> tuple[RoleRequest, str | None]:
    """`request` within AWS's limit for role chaining, and a warning when it had to be changed."""
    if not chained or request.duration <= MAX_CHAINED_DURATION:
        return request, None
    return dataclasses.replace(request, duration=MAX_CHAINED_DURATION), (
        f"role chaining limits a session to 1h: '{request.role}' is assumed for 1h instead of "
        f"{duration_text(request.duration)}"
    )


def as_utc(moment: datetime) -> datetime:
    """`moment` in UTC, which one without a zone is taken for; ValueError where UTC has no such
    time: others write such moments (``0001-01-01T00:00:00+01:00``), and `datetime` overflows.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside of the years 1 to 9999") from None


def duration_text(seconds: int) -> str:
    """`seconds` the way a manifest writes them: ``1h30m``, ``15m``, ``3601s``."""
    if seconds % 60 or seconds == 0:
        return f"{seconds}s"
    hours, minutes = divmod(seconds // 60, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")


def elapsed_text(seconds: float) -> str:
    """How long something takes, for those who watch: ``45s``, ``2m10s``, ``1h05m``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m"


def count_text(number: int, noun: str) -> str:
    """``1 resource``, ``5 resources``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def request_violations(request: RoleRequest) -> tuple[tuple[str, str], ...]:
    """STS's input rules that `request` breaks: pairs of field name and sentence."""
    found: list[tuple[str, str]] = []
    if not _SESSION_NAME.fullmatch(request.session_name):
        found.append(("session_name", "must be 2 to 64 of letters, digits and _+=,.@-"))
    if not MIN_DURATION <= request.duration <= MAX_DURATION:
        found.append(("duration", "must be between 15m and 12h"))
    if request.external_id is not None and not _EXTERNAL_ID.fullmatch(request.external_id):
        found.append(("external_id", "must be 2 to 1224 of letters, digits and _+=,.@:/-"))
    if request.source_identity is not None and not _SESSION_NAME.fullmatch(request.source_identity):
        found.append(("source_identity", "must be 2 to 64 of letters, digits and _+=,.@-"))
    found.extend(_policy_violations(request.policy, request.policy_arns))
    found.extend(_tag_violations(request.tags, request.transitive_tags))
    return tuple(found)


def _policy_violations(policy: str | None, arns: Sequence[str]) -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if policy is not None and not _POLICY.fullmatch(policy):
        found.append(("policy", "must have 1 to 2048 characters, none above U+00FF"))
    elif sum(map(len, (policy or "", *arns))) > 2048:
        found.append(("policy_arns", "STS takes 2048 characters at most, inline policy included"))
    if len(arns) > 10:
        found.append(("policy_arns", "STS takes 10 at most"))
    found.extend(
        ("policy_arns", f"'{arn}' is not a policy ARN")
        for arn in arns
        if not _POLICY_ARN.fullmatch(arn)
    )
    return found


def _tag_violations(
    tags: Mapping[str, str], transitive: Sequence[str]
) -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if len(tags) > 50:
        found.append(("tags", "STS takes 50 at most"))
    seen: dict[str, str] = {}
    for key, value in tags.items():
        place = f"tags.{key}"
        if not 1 <= len(key) <= 128 or not _is_tag_text(key):
            found.append((place, "is no tag key: 1 to 128 letters, digits, spaces, _.:/=+-@"))
        if key.lower().startswith("aws:"):
            found.append((place, "begins with 'aws:', which AWS keeps for itself"))
        if key.lower().startswith(TAG_PREFIX):
            found.append((place, f"begins with '{TAG_PREFIX}', which calamari keeps for itself"))
        if len(value) > TAG_VALUE_LIMIT or not _is_tag_text(value):
            found.append((place, "needs a value of at most 256 letters, digits, spaces, _.:/=+-@"))
        if key.lower() in seen:
            found.append((place, f"differs from '{seen[key.lower()]}' in case only"))
        seen[key.lower()] = key
    found.extend(
        ("transitive_tags", f"'{key}' is not among the tags")
        for key in transitive
        if key not in tags
    )
    return found


def clean_tag_value(text: str) -> str:
    """`text` made fit for a session tag's value: other characters become ``-``, the rest is cut."""
    fit = "".join(char if _is_tag_text(char) else "-" for char in text)
    return fit[:TAG_VALUE_LIMIT]


def _is_tag_text(text: str) -> bool:
    """Whether STS takes `text` in a tag: ``[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*``."""
    if text.isascii():
        return _ASCII_TAG.fullmatch(text) is not None
    import unicodedata

    return all(char in "_.:/=+-@" or unicodedata.category(char)[0] in "LZN" for char in text)
