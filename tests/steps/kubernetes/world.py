"""A Kubernetes step in a world of its own: a scripted kubectl and helm, an EKS, a clock that jumps,
a report that remembers. Nothing of the kind itself is replaced.

    world = KubeWorld(tmp_path)
    world.writes("k8s/web.yaml", "kind: Deployment …")
    world.tool.on("kubectl apply", Answer(stdout=b"deployment.apps/web serverside-applied\\n"))
    outcome = world.run("kubectl", {"cluster": {"eks": "blue"}, "files": ["k8s"]})
    error = world.fail("kubectl", {…}, action="diff", dry_run=True)
    assert "configured" in world.report.everything
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.process.base import ProcessExit
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import ParseContext, StepContext, StepOutcome, Wishes
from calamari_py.steps.kubernetes.spec import ClusterSpec
from tests.fake_cloudformation import JumpingClock
from tests.fakes import FakeRun, Running, prints
from tests.steps.kubernetes.fakes import CLIENT_VERSION, FakeEks, FakeTools, kube_context
from tests.steps.terraform.world import WorldReport

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.access.access import Access

TOKEN = "a-bearer-t0ken"
CLUSTER = ClusterSpec(way="server", server="https://127.0.0.1:6443", authority=b"PEM", token=TOKEN)
"""A cluster that nobody has to be asked about."""


class KubeWorld:
    """The folder of a step manifest, and all that a step of it meets. `bin` is the PATH, with a
    kubectl and a helm that are never run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = WorldReport()
        self.tool = FakeTools()
        self.clock = JumpingClock()
        self.aws = FakeEks()
        self.timeout: float | None = None
        self.bin = folder / "bin"
        for name in ("kubectl", "helm"):
            self.writes(f"bin/{name}", "never run\n").chmod(0o755)

    def writes(self, name: str, text: str | bytes) -> Path:
        """A file below the manifest's folder, with its folders."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def parse(self, kind: str, section: Mapping[str, Any], **more: Any) -> Any:
        """The spec of a section as it stands in a manifest. `more` are `Wishes`, or ``sensitive``
        (a function of a place), ``render`` and ``search_path`` of the `ParseContext`."""
        names = {"sensitive", "render", "search_path", "launchers"}
        given = {name: more.pop(name) for name in names & {*more}}
        context = self.parse_context(kind, wishes=Wishes(**more), **given)
        found = STEP_KINDS[kind]
        return found.parse(msgspec.convert(dict(section), found.section), context)

    def parse_context(self, place: str = "kubectl", **changes: Any) -> ParseContext:
        """What a section at `place` may look at; `changes` of its fields."""
        given: dict[str, Any] = {
            "folder": self.folder,
            "search_path": f"{self.bin}:/usr/bin:/bin",
            "path": place,
            "render": lambda text, _place: text,
        }
        return ParseContext(**{**given, **changes})

    def context(self) -> StepContext:
        """What the kind is given."""
        return kube_context(
            self.folder,
            self.tool,
            report=self.report,
            clock=self.clock,
            aws=self.aws,
            timeout=self.timeout,
        )

    def access(self, spec: ClusterSpec = CLUSTER, *, namespace: str = "app") -> Access:
        """The access to a cluster, its kubeconfig written."""
        from calamari_py.steps.kubernetes.access.access import open_access

        return open_access(spec, namespace=namespace, context=self.context())

    def run(self, kind: str, section: Mapping[str, Any], **wishes: Any) -> StepOutcome:
        """Carry a step out, as its section stands in a manifest."""
        spec = self.parse(kind, section, **wishes)
        for name, value in STEP_KINDS[kind].secrets(spec):
            self.report.hide(value, name)
        return STEP_KINDS[kind].execute(spec, self.context())

    def fail(self, kind: str, section: Mapping[str, Any], **wishes: Any) -> Any:
        """The error that `run` ends with."""
        try:
            outcome = self.run(kind, section, **wishes)
        except (CalamariError, Cancelled) as error:
            return error
        raise AssertionError(f"no error but {outcome}")

    def assert_hidden(self, secret: str) -> None:
        """`secret` is on no command line, in no message, and in no environment."""
        for call in self.tool.calls:
            assert secret not in call.words
            assert secret not in repr(call.command.environment)
        assert secret not in self.report.everything

    def files(self, among: Callable[[Path], bool] = lambda _: True) -> Iterator[Path]:
        """All private files that are there now."""
        private = self.folder / "private"
        return (path for path in private.rglob("*") if path.is_file() and among(path))


def acts_as_kubernetes(run: FakeRun) -> None:
    """Let a process door answer like a kubectl that applies what it is given, and a helm whose
    charts have nothing in them. Whatever else it answers stays."""
    terraform_applies = run.answers.get("apply")

    def apply(running: Running) -> ProcessExit | int:
        if Path(running.command.argv[0]).name == "kubectl":
            running.write(b"secret/db serverside-applied\n")
            return 0
        assert callable(terraform_applies)
        return terraform_applies(running)

    run.answers |= {
        "version --client": prints(CLIENT_VERSION),
        "version --template={{.Version}}": prints(b"v3.17.2"),
        "apply": apply,
    }
