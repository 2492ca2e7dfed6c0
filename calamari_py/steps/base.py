"""StepKind: what every step kind promises, and what it is given.

A kind starts processes (``script``: `StepContext.run`), or it starts processes whose output it
reads and tells itself (``terraform``: `StepContext.read`, `StepContext.capture`,
`StepContext.report`), or it works itself (``cloudformation``: `StepContext.aws`,
`StepContext.report`, `StepContext.clock`). None can show anything unmasked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from calamari_py.identity import AwsCredentials
from calamari_py.process.base import Command, ProcessExit, Stream

Tone = Literal["", "good", "warn", "bad"]
"""What a line of a step is like, for those who see colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """How a kind ended. `code` is the child's own when `exit` is there.

    `changed` is None where nobody can know. `pending` says that there is something to change which
    was only looked at.
    """

    code: int
    exit: ProcessExit | None = None
    changed: bool | None = None
    pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller asks for beside the manifest. `action` replaces the section's own (None: it
    stays), `dry_run` stops where something would be changed, `resume` is the operation to go on
    with, as a lost step has printed it. A kind is only handed an action of its `actions`, a dry run
    only where it `rehearses`, and an operation only where it `resumes`."""

    action: str | None = None
    dry_run: bool = False
    resume: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseContext:
    """What a kind may look at while its section is parsed, before any call is made.

    `folder` is what relative paths are relative to, `search_path` the PATH tools are looked up on,
    `path` the section's place in the manifest (``script``, ``finally``) for problems, and
    `render` turns a template text into its value (ManifestError when it cannot). `sensitive` says
    whether the text at a place (``cloudformation.tags.Owner``), or that of a file that was rendered
    for it, was made from a secret, `launchers` whether a file is the launcher's own, which no step
    may hand on. `title` are the parts that a session name is made of, for names that the kind makes
    up itself.
    """

    folder: Path
    search_path: str
    path: str
    render: Callable[[str, str], str]
    sensitive: Callable[[str], bool] = lambda _: False
    launchers: Callable[[Path], bool] = lambda _: False
    wishes: Wishes = field(default_factory=Wishes)
    title: str = "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEnvironment:
    """The names a kind gives its child. `prepend` goes before a list-like value of that name.
    `scrub` are patterns (``TF_VAR_*``) of inherited names that the child does not get, one with a
    ``!`` before it (``!TF_TOKEN_*``) of those that it gets all the same; `owned` are patterns of
    names that the manifest's ``env`` may not set, each with what to do instead. `later` are names
    that the kind gives it, too, with values that are only known in the run: for ``explain``."""

    names: Mapping[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()
    prepend: Mapping[str, str] = field(default_factory=dict)
    scrub: tuple[str, ...] = ()
    owned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommand:
    """A command as a kind would run it; ``{private}`` in `argv` is `StepContext.private`."""

    argv: tuple[str, ...]
    directory: Path


class AwsCalls(Protocol):
    """AWS, as the step's role. The credentials are renewed when they have to be; a call that AWS
    refuses because they have expired is made once more with new ones.

    `account` and `partition` are those of the step's role, None where nobody knows. `arn` is who
    STS says that the step is (``arn:aws:sts::…:assumed-role/NAME/SESSION``), None where nobody
    asked; `role` is the role's ARN as the manifest names it, with its path, None without a role.
    """

    region: str
    account: str | None
    partition: str
    arn: str | None
    role: str | None

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """The answer's fields, as botocore names and types them (times know their zone).

        `service` is botocore's name of it, `subject` says in a message what the call is about
        (``stack 'x'``), `budget` replaces the seconds that one call with all its attempts may take.
        Raises CloudError with AWS's own code; Temporary when throttled or unreachable for the whole
        budget; the CalamariError of a renewal that failed.
        """


class StepReport(Protocol):
    """How a kind says what it does. Everything is masked before it is shown or kept. Where nobody
    reads any more the first word raises Cancelled; later ones are lost."""

    def line(
        self,
        text: str,
        *,
        event: str = "",
        fields: Mapping[str, Any] | None = None,
        tone: Tone = "",
    ) -> None:
        """One line of the step's output. For programs it is an event of the type `event` with
        `fields` (JSON values), and for them alone where `text` is empty; without one, output like
        any other. `tone` is an emphasis where there is a terminal: the text says all without
        it."""

    def progress(self, percent: float | None, text: str, *, rows: Sequence[str] = ()) -> None:
        """Where the step is now, until the next one: for those who watch, not for a log. `rows` are
        a table below it, the most important first: who has no terminal does without."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Something may be wrong; the step goes on."""

    def note(self, text: str) -> None:
        """A line for ``--verbose``."""

    def hide(self, value: str, name: str) -> None:
        """Mask `value` from now on, under `name`."""

    def output(self, name: str, value: str, *, sensitive: bool = False) -> None:
        """Publish an output variable. One that holds a known secret is sensitive in any case."""

    def text(self, data: bytes, *, of: str = "") -> None:
        """Output of something else, as it comes. It is masked over its reads and lines like a
        child's. `of` names whose it is (``aws_instance.web (local-exec)``): each has an order of
        its own, and its lines begin with that name. What is held back comes at `settle`."""

    def settle(self) -> None:
        """Show what of all `text` is held back: nothing more comes, or not for a while."""

    def artifact(self, path: Path, name: str, *, as_it_is: bool = False) -> Path | None:
        """Keep the file `path`, of our own and no link, as an artifact, now, and say where; None
        where it was not kept: there may be no folder for artifacts, and why else is warned of. It
        is masked on its way unless `as_it_is`: for a file that people need whole."""

    def fact(self, name: str, value: Any) -> None:
        """Keep `value` (JSON values) under ``details`` of the result; a later one replaces it."""

    def changed(self, done: bool | None = True) -> None:
        """Something was changed at AWS: the result says so whatever ends the step from now on. For
        a kind that knows more, `done` False says that nothing was so far, None that nobody knows
        from now on; neither takes back that something was."""

    def ending(self, text: str) -> None:
        """What the closing line says of the step, ``my-stack: UPDATE_COMPLETE``."""

    def setback(self, text: str, hint: str | None = None) -> None:
        """Something went wrong after what the step is for was done: it has failed all the same."""


class LineReader(Protocol):
    """What a kind makes of the output of a process."""

    def line(self, stream: Stream, line: bytes) -> None:
        """One line without its end, however long; at the end of a stream what has no end, too."""

    def idle(self) -> None:
        """Nothing came for a quarter of a second, once more after each further one. Not before the
        first output.

        It may `capture` (and `read`) something while the command runs on. Whoever or whatever ends
        that inner command ends the outer one, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """How a command ended and what it wrote: it may be secret."""

    exit: ProcessExit
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


class Capture(Protocol):
    """Runs a command and gives what it wrote, up to 512 MiB; nothing of it is shown."""

    def __call__(self, command: Command, *, last_words: float | None = None) -> Captured:
        """Its limits are those of `StepContext.read`. With `last_words` (seconds) it is a look
        after the end: it is given that time whatever the step's limit is and whatever signal came,
        and raises nothing for them."""


class StepClock(Protocol):
    """Time, as a kind that works itself may use it. A signal raises Cancelled in any call."""

    def now(self) -> datetime:
        """UTC by AWS's clock."""

    def monotonic(self) -> float:
        """Seconds of a clock that nobody sets."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def jitter(self) -> float:
        """A number from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """How the step is run once more, as it was run this time: what a hint prints.

    `words` are the command line without an ``--action``, unquoted and without any secret.
    `remarks` say what it needs beside: ``with the same manifest on standard input``.
    """

    words: tuple[str, ...] = ("calamari", "run", "step.yaml")
    remarks: tuple[str, ...] = ()

    def exec_words(self, *command: str) -> tuple[str, ...]:
        """The command line that runs `command` as the step's identity instead of the step."""
        program, _, *options = self.words
        return (program, "exec", *options, "--", *command)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a kind may touch. `run` is bound to the masked sink: a kind cannot print unmasked.

    `environment` is the child's complete mapping, empty for a kind that starts no process, and
    `run` is not for such a kind. `private` is a 0700 folder, in memory where there is such; `temp`
    is one on the disk, for what is large. Each attempt has both of them for itself, empty, and they
    are removed when the run is over. `kept` is what the kind remembers from one attempt to the
    next, by name: it lives as long as the run, and is told nobody. `warn` takes plain text and
    masks it. `credentials` gives the step's credentials, valid now and renewed when they
    have to be: ask before each call, keep none; it raises a CalamariError when there are none.
    `timeout` is the step's limit in seconds, None for none: `run` keeps it by itself, a kind
    without processes has to. `rerun` is how a hint runs the step once more: ask when it
    is printed, for what has become a secret meanwhile does not stand in it. `check_role` holds a
    role that only AWS knew of (its place and ARN) against the operator's policy: PolicyRefused.

    `read` runs a command whose output is the kind's to tell: each line goes to its reader, and
    nothing is shown by itself. What the reader raises stops the command, politely, and is raised
    when that has ended. `read` and `capture` are for kinds that read output, `run` for the others.
    They end a command as `run` does (`ProcessExit.stopped` says why). The step's time limit counts
    over all of them: TimedOut when nothing is left of it, Cancelled when a signal came before.
    """

    environment: Mapping[str, str] = field(repr=False)
    private: Path
    temp: Path
    run: Callable[[Command], ProcessExit]
    read: Callable[[Command, LineReader], ProcessExit]
    capture: Capture
    warn: Callable[[str], None]
    credentials: Callable[[], AwsCredentials]
    aws: AwsCalls
    report: StepReport
    clock: StepClock
    timeout: float | None = None
    kept: dict[str, str] = field(default_factory=dict, repr=False)
    rerun: Callable[[], Rerun] = Rerun
    check_role: Callable[[str, str], None] = lambda _place, _arn: None


class StepKind(Protocol):
    """One way to carry out a step: one file, one line in `STEP_KINDS`, one test.

    What has a value here is what a kind that says nothing else means.
    """

    name: str
    section: Any
    """The msgspec type of the manifest's section."""
    default_grace: float = 30.0
    """Seconds from the polite signal to SIGTERM, unless the manifest says otherwise."""
    default_delivery: str
    """How the child gets its credentials, unless the manifest says otherwise: `DELIVERIES`."""
    default_timeout: float | None = None
    """Seconds the step may take, unless the manifest says otherwise."""
    starts_processes: bool = True
    """Whether a child is started: without one nobody is handed credentials, and what the manifest
    says of a child (``idle_timeout``) is refused."""
    reads_output: bool = False
    """Whether it reads what its processes write and tells it itself: they have no terminal, no
    standard input, and no output that is shown as it is. Where that hangs on what is to be done,
    `reads` says it, and this holds for some of it."""
    actions: tuple[str, ...] = ()
    """The legal values of ``--action``."""
    rehearses: bool = False
    """Whether there is a ``--dry-run``."""
    resumes: bool = False
    """Whether there is a ``--resume``: what it is given is the kind's own to read."""
    knows_changes: bool = False
    """Whether its outcome says if anything was changed: what ``--fail-on-no-change`` needs."""
    argument_fields: tuple[str, ...] = ()
    """The section's fields that become arguments of a process. No secret may stand in them:
    the whole machine can read the arguments of a process."""

    def parse(self, section: Any, context: ParseContext) -> Any:
        """A valid spec of the section: files looked up, tools resolved. ManifestError,
        CommandNotFound or CommandNotExecutable when it cannot be carried out."""

    def secrets(self, spec: Any) -> Iterable[tuple[str, str]]:
        """Names and values of `spec` that are secrets though the manifest does not say so. Pure."""
        return ()

    def roles(self, spec: Any) -> Iterable[tuple[str, str]]:
        """Places and ARNs of further roles that `spec` hands to AWS. Pure."""
        return ()

    def warnings(self, spec: Any) -> Iterable[str]:
        """What is odd about `spec` and no error. Pure."""
        return ()

    def reads(self, spec: Any) -> bool:
        """Whether `spec` is carried out with `StepContext.read` and `capture`, not with `run`.
        `spec` is None where nobody knows it, a program being missing: False where that decides.
        Pure."""
        return self.reads_output

    def environment(self, spec: Any) -> KindEnvironment:
        """The names the child gets from this kind. Pure."""
        return KindEnvironment()

    def equip(self, spec: Any, context: StepContext) -> Mapping[str, str]:
        """Further names for the environment of a command that others wrote for this step: its
        ``finally``, and what ``exec`` and ``shell`` run. It may write private files below
        `StepContext.private` and call AWS; it starts no process."""
        return {}

    def octopus_name(self, name: str) -> str | None:
        """The name that Octopus's own step of this kind gives the output `name`: it is published
        under that one, too. None for no other. Pure."""
        return None

    def preview(self, spec: Any) -> tuple[PlannedCommand, ...]:
        """The commands that `execute` would run, in order; none for a kind that starts no process.
        Pure."""
        return ()

    def intentions(self, spec: Any) -> tuple[str, ...]:
        """What a kind that works itself would do, in sentences: ``deploy stack 'x' …``. Pure."""
        return ()

    def execute(self, spec: Any, context: StepContext) -> StepOutcome:
        """Carry the step out."""
