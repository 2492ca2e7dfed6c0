"""What is refused before any call: each check says where, what and how to cure it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from calamari_py.errors import Findings, Problem
from calamari_py.manifest.nodes import Place
from calamari_py.manifest.report import Report
from calamari_py.steps.base import AwsCalls
from calamari_py.steps.cloudformation.parsing.addresses import climbs
from calamari_py.steps.cloudformation.sections import ImportSection, RollbackTriggersSection
from calamari_py.steps.cloudformation.spec import StackSpec

_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}", re.ASCII)
_STACK_ARN = re.compile(r"arn:[a-z-]+:cloudformation:[a-z0-9-]+:\d{12}:stack/[^/\s]+/\S+", re.ASCII)
_TOKEN = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}", re.ASCII)
_TOPIC = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[-\w]{1,256}(\.fifo)?", re.ASCII)
_ALARM = re.compile(r"arn:[a-z-]+:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}", re.ASCII)
_RESOURCE_TYPE = re.compile(r"\w+::\w+::\w+(::\w+)?", re.ASCII)
MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256
MAX_TOPICS = 5
MAX_ALARMS = 5
MAX_IMPORTS = 200
MAX_MONITORING = 180 * 60
MAX_PREFIX = 900
"""Characters of an S3 key before the name of the template."""


class Checks:
    """Collects what is wrong and what is odd with one section.

    `section` is its place in the manifest. `refuse` adds a problem at a field; `warnings` are
    sentences. No value that was made from a secret (`sensitive`, by its place) is shown.
    """

    def __init__(self, section: str, sensitive: Callable[[str], bool] = lambda _: False) -> None:
        self.found = Findings()
        self.warnings: list[str] = []
        self.section = section
        self._sensitive = sensitive
        self._words = Report("")

    def path(self, field: str) -> str:
        """The place of `field` in the manifest."""
        return f"{self.section}.{field}"

    def refuse(
        self, field: str, message: str, hint: str | None = None, at: Place | None = None
    ) -> None:
        """One problem, at the field or at a place in a file that the section names."""
        if at is not None:
            problem = at.problem(message, field, hint)
        else:
            problem = Problem(path=self.path(field), message=message, hint=hint)
        self.found.problems.append(problem)

    def warn(self, field: str, message: str) -> None:
        """Something odd at a field."""
        self.warnings.append(f"{self.path(field)} {message}")

    def is_secret(self, field: str) -> bool:
        """Whether the text there was made from a secret."""
        return self._sensitive(self.path(field))

    def shown(self, field: str, text: str) -> str:
        """`text` as a message may show it."""
        if self.is_secret(field):
            return "its value"
        return f"'{text}'" if len(text) <= 100 else f"'{text[:100]}…'"

    def near(self, word: str, known: Collection[str]) -> str | None:
        """The known word that was meant, as a clause."""
        found = self._words.suggest(word, known)
        return f"did you mean '{found}'?" if found else None

    def public(self, field: str, shown_where: str) -> None:
        """A text that others see must not be a secret."""
        if self.is_secret(field):
            self.refuse(
                field,
                f"is made from a sensitive variable; it is shown in clear {shown_where}",
                "use a value that may be seen",
            )


def check_name(checks: Checks, field: str, name: str, *, arn: bool = False) -> None:
    """The name of a stack, a stack set or a change set; `arn` lets a stack's ARN pass."""
    if _NAME.fullmatch(name) or (arn and _STACK_ARN.fullmatch(name)):
        return
    hint = "use 1 to 128 letters, digits and hyphens, a letter first"
    if _STACK_ARN.fullmatch(name):
        hint = "write the stack's name, not its ARN: a stack is made by its name"
    checks.refuse(field, f"{checks.shown(field, name)} is no name that AWS takes", hint)


def check_resume(checks: Checks, handle: str | None, name: str, action: str) -> None:
    """``--resume``: the ARN of the stack and the token of the operation, for `watch` alone."""
    if handle is None:
        return
    stack, _, token = handle.rpartition("#")
    message, hint = None, "paste the whole command that the lost step printed"
    if action != "watch":
        message, hint = f"is for action 'watch', not '{action}'", "write --action watch, too"
    elif not (_STACK_ARN.fullmatch(stack) and _TOKEN.fullmatch(token)):
        message = f"'{handle}' is no operation, which is written STACK_ARN#TOKEN"
    elif name not in (stack, stack.split("/")[1]):
        message = f"names stack '{stack.split('/')[1]}', and the manifest stack '{name}'"
    if message is not None:
        checks.found.problems.append(Problem(path="--resume", message=message, hint=hint))


def check_home(spec: StackSpec, aws: AwsCalls) -> None:
    """A stack that is named by its ARN is one of the step's own partition, region and account:
    elsewhere it would not be found, or another one would. Raises ManifestError."""
    checks = Checks("cloudformation")
    stack = spec.resume.rpartition("#")[0] if spec.resume else spec.stack_name
    if not stack.startswith("arn:"):
        return
    _, partition, _, region, account, *_ = stack.split(":")
    for what, there, here in (
        ("partition", partition, aws.partition),
        ("region", region, aws.region),
        ("account", account, aws.account),
    ):
        if here is not None and there != here:
            message = f"is in {what} {there}, and this step works in {what} {here}"
            hint = "run it as a role of that account, in that region, or correct the ARN"
            checks.refuse("stack_name", message, hint)
    checks.found.raise_if_any()


def check_tags(checks: Checks, tags: Mapping[str, str], places: Mapping[str, Place]) -> None:
    """Number, lengths, reserved keys. Source: API reference, type Tag."""
    if len(tags) > MAX_TAGS:
        checks.refuse("tags", f"has {len(tags)} tags, and AWS takes {MAX_TAGS}", "remove some")
    for key, value in tags.items():
        place = places.get(f"Tags.{key}")
        field = f"Tags.{key}" if place else f"tags.{key}"
        for message, hint in _tag_faults(key, value):
            checks.refuse(field, message, hint, place)


def _tag_faults(key: str, value: str) -> Iterator[tuple[str, str]]:
    if not 1 <= len(key) <= MAX_KEY:
        yield f"has a key of {len(key)} characters", f"use 1 to {MAX_KEY}"
    if key.lower().startswith("aws:"):
        yield "begins with 'aws:', which AWS keeps for itself", "choose another key"
    if not 1 <= len(value) <= MAX_VALUE:
        yield f"has a value of {len(value)} characters", f"use 1 to {MAX_VALUE}"


def check_topics(checks: Checks, arns: Sequence[str]) -> None:
    """Where CloudFormation sends notifications."""
    if len(arns) > MAX_TOPICS:
        message = f"names {len(arns)} topics, and CloudFormation takes {MAX_TOPICS}"
        checks.refuse("notification_arns", message, "remove some")
    for index, arn in enumerate(arns):
        field = f"notification_arns[{index}]"
        if not _TOPIC.fullmatch(arn):
            message = f"{checks.shown(field, arn)} is no ARN of an SNS topic"
            checks.refuse(field, message, "write arn:aws:sns:REGION:ACCOUNT:NAME")


def check_triggers(checks: Checks, triggers: RollbackTriggersSection) -> None:
    """Alarms, and how long they are watched: whole minutes, 3 hours at most."""
    count = len(triggers.alarms) + len(triggers.composite_alarms)
    if count > MAX_ALARMS:
        message = f"names {count} alarms, and CloudFormation takes {MAX_ALARMS}"
        hint = "join them in a composite alarm, and name that under 'composite_alarms'"
        checks.refuse("rollback_triggers.alarms", message, hint)
    for name in ("alarms", "composite_alarms"):
        for index, arn in enumerate(getattr(triggers, name)):
            field = f"rollback_triggers.{name}[{index}]"
            if not _ALARM.fullmatch(arn):
                message = f"{checks.shown(field, arn)} is no ARN of a CloudWatch alarm"
                checks.refuse(field, message, "write arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME")
    seconds = triggers.monitoring_time
    if seconds is not None and (seconds > MAX_MONITORING or seconds % 60):
        field = "rollback_triggers.monitoring_time"
        checks.refuse(field, "must be whole minutes from 0 to 180m", "write 15m, for example")


def check_imports(checks: Checks, imports: Sequence[ImportSection], *, template: bool) -> None:
    """What becomes the stack's: what it is, and which one."""
    if not imports:
        return
    if not template:
        checks.refuse("import", "needs a template that describes what is imported", "name it")
    if len(imports) > MAX_IMPORTS:
        message = f"names {len(imports)} resources, and CloudFormation takes {MAX_IMPORTS}"
        checks.refuse("import", message, "import in several steps")
    seen: set[str] = set()
    for index, item in enumerate(imports):
        field = f"import[{index}]"
        if not _RESOURCE_TYPE.fullmatch(item.resource_type):
            message = f"{checks.shown(f'{field}.resource_type', item.resource_type)} is no type"
            checks.refuse(f"{field}.resource_type", message, "write one like AWS::S3::Bucket")
        if not _LOGICAL_ID.fullmatch(item.logical_id):
            message = f"{checks.shown(f'{field}.logical_id', item.logical_id)} is no logical id"
            checks.refuse(f"{field}.logical_id", message, "write its name in the template")
        elif item.logical_id in seen:
            message = f"'{item.logical_id}' is there twice"
            checks.refuse(f"{field}.logical_id", message, "remove one of them")
        seen.add(item.logical_id)
        if not item.identifier or not all(item.identifier.values()):
            hint = "name the resource, as in identifier: {BucketName: my-bucket}"
            checks.refuse(f"{field}.identifier", "does not say which one", hint)


def is_importable(item: ImportSection) -> bool:
    """Whether what it names can be the name and the type of a resource at all."""
    return bool(_LOGICAL_ID.fullmatch(item.logical_id)) and bool(
        _RESOURCE_TYPE.fullmatch(item.resource_type)
    )


def check_bucket(checks: Checks, bucket: str | None, prefix: str) -> None:
    """Where a large template goes. Source: S3 user guide, bucket naming rules."""
    if bucket is not None and not is_bucket(bucket):
        message = f"{checks.shown('artifact_bucket', bucket)} is no name of a bucket"
        hint = "use 3 to 63 lower-case letters, digits and hyphens; write no s3://"
        checks.refuse("artifact_bucket", message, hint)
    if len(prefix) > MAX_PREFIX or not prefix.isprintable():
        message = f"must be printable text of at most {MAX_PREFIX} characters"
        checks.refuse("artifact_prefix", message)
    elif climbs(prefix):
        message = "has a '.' or '..' between its slashes"
        checks.refuse("artifact_prefix", message, "write it as S3 is to list it")


def is_bucket(name: str) -> bool:
    """Whether `name` may be a bucket's."""
    return bool(
        _BUCKET.fullmatch(name)
        and ".." not in name
        and not _IP_ADDRESS.fullmatch(name)
    )  # fmt: skip


def check_times(checks: Checks, poll_interval: float) -> None:
    """AWS throttles those who ask too often."""
    if poll_interval < 1:
        checks.refuse("poll_interval", "must be at least 1s", "CloudFormation throttles more")
