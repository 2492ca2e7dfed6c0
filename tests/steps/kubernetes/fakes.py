"""A kubectl and a helm that say what they are told to, an EKS that is asked, and a step's context.

    tool = FakeTools()
    tool.on("kubectl get", Answer(stdout=to_json(items=[…])))      # any ``kubectl … get …``
    tool.on("kubectl get deployments", gone, there)                # more words win; in order
    tool.on("helm upgrade", lambda call: Answer(code=1))           # or made of the call
    context = kube_context(tmp_path, tool)                         # a StepContext
    …
    assert tool.words() == ["kubectl get deployments -o json"]
    assert tool.called("kubectl apply")[0].files == {"0.yaml": b"kind: …"}

`tests.steps.kubernetes.world.KubeWorld` puts a step kind before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calamari_py.identity import AwsCredentials
from calamari_py.masking.secret import Secret
from calamari_py.process.base import Command, ProcessExit, StopReason
from calamari_py.steps.base import Captured, LineReader, StepContext
from tests.fake_cloudformation import JumpingClock
from tests.steps.terraform.fakes import ToolReport

KUBECTL = Path("/opt/bin/kubectl")
HELM = Path("/opt/bin/helm")
ACCOUNT = "111111111111"
REGION = "eu-west-1"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/deploy/web-deploy"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/web-deploy/step-web"
CLIENT_VERSION = b'{"clientVersion": {"major": "1", "minor": "32", "gitVersion": "v1.32.3"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one command ends. `stopped` and `signum` are as in `ProcessExit`. `act` is done while the
    command runs, after its output, and may raise; then its reader hears of `silences`."""

    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    stopped: StopReason | None = None
    signum: int | None = None
    act: Callable[[], object] | None = None
    silences: int = 0

    @property
    def exit(self) -> ProcessExit:
        """Its end."""
        return ProcessExit(code=self.code, stopped=self.stopped, signum=self.signum)


@dataclass(slots=True, kw_only=True)
class Call:
    """One command that was run.

    `way` is the door it came by. `files` are the contents, at that moment, of the private files
    that its arguments name, by file name, and `modes` their modes. `last_words` is None but for a
    look after the end. `interrupted` says that its reader raised something.
    """

    command: Command
    way: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    last_words: float | None = None
    interrupted: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """The program's name, and its arguments."""
        return (Path(self.command.argv[0]).name, *self.command.argv[1:])

    @property
    def words(self) -> str:
        """The same as a text."""
        return " ".join(self.argv)

    def fits(self, words: Sequence[str]) -> bool:
        """Whether it has all of `words` among its own, in this order; the program comes first."""
        rest = iter(self.argv)
        return next(rest) == words[0] and all(word in rest for word in words[1:])


Reply = Answer | Callable[[Call], Answer]


class FakeTools:
    """kubectl and helm, as `StepContext.run`, `read` and `capture` run them.

    What is asked decides by the words that a command has, in their order: flags between them do
    not matter. The pattern with the most words wins, of equal ones the newest. The last of several
    answers is given again and again. A command that nobody wrote an answer for is a success without
    a word, but for ``kubectl version``.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.private: Path | None = None
        self._answers: dict[tuple[str, ...], list[Reply]] = {}
        self.on("kubectl version", Answer(stdout=CLIENT_VERSION))

    def on(self, words: str, *answers: Reply) -> None:
        """Answer so, in this order, whatever fits `words`."""
        pattern = tuple(words.split())
        self._answers.pop(pattern, None)
        self._answers[pattern] = list(answers)

    def run(self, command: Command) -> ProcessExit:
        """A `StepContext.run`."""
        answer, _ = self._answer(command, "run")
        if answer.act is not None:
            answer.act()
        return answer.exit

    def read(self, command: Command, reader: LineReader) -> ProcessExit:
        """A `StepContext.read`."""
        answer, call = self._answer(command, "read")
        try:
            for line in answer.stdout.splitlines():
                reader.line("stdout", line)
            for line in answer.stderr.splitlines():
                reader.line("stderr", line)
            if answer.act is not None:
                answer.act()
            for _ in range(answer.silences):
                reader.idle()
        except BaseException:
            call.interrupted = True
            raise
        return answer.exit

    def capture(self, command: Command, *, last_words: float | None = None) -> Captured:
        """A `StepContext.capture`."""
        answer, _ = self._answer(command, "capture", last_words)
        if answer.act is not None:
            answer.act()
        return Captured(exit=answer.exit, stdout=answer.stdout, stderr=answer.stderr)

    def words(self) -> list[str]:
        """All commands, in order."""
        return [call.words for call in self.calls]

    def called(self, words: str) -> list[Call]:
        """The commands that fit `words`."""
        return [call for call in self.calls if call.fits(words.split())]

    def _answer(
        self, command: Command, way: str, last_words: float | None = None
    ) -> tuple[Answer, Call]:
        given = [word.rpartition("=")[2] for word in command.argv[1:]]
        paths = [path for path in map(Path, given) if self._is_private(path)]
        call = Call(
            command=command,
            way=way,
            files={path.name: path.read_bytes() for path in paths},
            modes={path.name: path.stat().st_mode & 0o777 for path in paths},
            last_words=last_words,
        )
        self.calls.append(call)
        fitting = [pattern for pattern in reversed(self._answers) if call.fits(pattern)]
        if not fitting:
            return Answer(), call
        answers = self._answers[max(fitting, key=len)]
        reply = answers.pop(0) if len(answers) > 1 else answers[0]
        return reply(call) if callable(reply) else reply, call

    def _is_private(self, path: Path) -> bool:
        return self.private is not None and path.is_relative_to(self.private) and path.is_file()


@dataclass
class FakeEks:
    """An ``AwsCalls`` that knows a cluster.

    `answers` holds what ``eks:DescribeCluster`` and the like are answered with: fields, an error,
    or a list of those, of which the last one stays. `calls` are what came, with the parameters.
    """

    region: str = REGION
    account: str | None = ACCOUNT
    partition: str = "aws"
    arn: str | None = SESSION_ARN
    role: str | None = ROLE_ARN
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers.setdefault("eks:DescribeCluster", {"cluster": cluster_body()})

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """See ``AwsCalls``."""
        name = f"{service}:{operation}"
        self.calls.append((name, dict(params)))
        assert name in self.answers, f"nobody told FakeEks.answers what to say to {name}"
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, BaseException):
            raise answer
        found: Mapping[str, Any] = answer
        return found


def cluster_body(name: str = "blue", **changes: Any) -> dict[str, Any]:
    """``cluster`` of what DescribeCluster answers; `changes` of its fields."""
    body = {
        "name": name,
        "arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{name}",
        "version": "1.32",
        "endpoint": "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
        "status": "ACTIVE",
        "certificateAuthority": {"data": "LS0tLS1CRUdJTg=="},
        "resourcesVpcConfig": {"endpointPublicAccess": True, "endpointPrivateAccess": False},
    }
    return {**body, **changes}


def kube_context(
    folder: Path,
    tool: FakeTools,
    *,
    report: ToolReport | None = None,
    clock: JumpingClock | None = None,
    aws: FakeEks | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> StepContext:
    """What a kind is given: `tool` runs all commands; private and temp folders are in `folder` and
    are made."""
    private, temp = folder / "private", folder / "temp"
    for each in (private, temp):
        each.mkdir(mode=0o700, exist_ok=True, parents=True)
    tool.private = private
    report = report or ToolReport()
    return StepContext(
        environment=environment or {"PATH": "/usr/bin:/bin", "HOME": "/home/user"},
        private=private,
        temp=temp,
        run=tool.run,
        read=tool.read,
        capture=tool.capture,
        warn=report.warn,
        credentials=credentials,
        aws=aws or FakeEks(),
        report=report,
        clock=clock or JumpingClock(),
        timeout=timeout,
    )


def credentials() -> AwsCredentials:
    """The step's: no real ones."""
    return AwsCredentials(
        access_key_id="ASIAFAKEFAKEFAKEFAKE",
        secret_access_key=Secret("fake/secret+key0123456789abcdefghijklmno"),
        session_token=Secret("fake-session-token=="),
        expires_at=datetime(2036, 3, 1, tzinfo=UTC),
    )


def to_json(document: Any) -> bytes:
    """As a command writes it."""
    return json.dumps(document).encode()


def list_of(*bodies: Mapping[str, Any]) -> bytes:
    """What ``kubectl get … -o json`` writes of these objects."""
    return to_json({"apiVersion": "v1", "kind": "List", "items": [*bodies], "metadata": {}})


def body_of(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """A small object as the API server gives it, in namespace ``app``. ``apiVersion``, ``metadata``
    (its fields join the ones here), ``spec``, ``status`` and whatever else as `more`."""
    metadata = {"name": name, "namespace": "app", "uid": f"uid-{name}", "resourceVersion": "1"}
    version = "apps/v1" if kind in {"Deployment", "StatefulSet", "DaemonSet"} else "v1"
    return {
        "apiVersion": more.pop("apiVersion", version),
        "kind": kind,
        "metadata": {**metadata, **more.pop("metadata", {})},
        **more,
    }
