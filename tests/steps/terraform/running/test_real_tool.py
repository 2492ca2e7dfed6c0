"""The same with the real binary, whose words decide all of it."""

from __future__ import annotations

import io
import subprocess
import threading
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import Command, ProcessExit
from calamari_py.steps.base import Captured
from calamari_py.steps.terraform.commands.files import write_private_files
from calamari_py.steps.terraform.running.tool import Terraform
from calamari_py.steps.terraform.spec import Workspace
from tests.fake_cloudformation import JumpingClock
from tests.steps.terraform.fakes import FakeTool, ToolReport, tool_context, tool_spec
from tests.tools import require_tool

pytestmark = pytest.mark.process

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TF_CLI_CONFIG_FILE": "/dev/null",
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "CHECKPOINT_DISABLE": "1",
}


class RealRoom:
    """A root module on the disk."""

    def __init__(self, folder: Path, configuration: str, *, rc: str = "") -> None:
        self.folder = folder
        self.directory = folder / "infra"
        self.directory.mkdir()
        (self.directory / "main.tf").write_text(configuration)
        self.report = ToolReport()
        self.clock = JumpingClock()
        environment = dict(ENVIRONMENT)
        if rc:
            (folder / "rc").write_text(rc)
            environment["TF_CLI_CONFIG_FILE"] = str(folder / "rc")
        context = tool_context(
            folder, FakeTool(), report=self.report, clock=self.clock, environment=environment
        )
        self.context = replace(context, capture=_capture)

    def tool(self, **changes: Any) -> Terraform:
        """Of a spec with these `changes`, all on one data folder."""
        spec = tool_spec(self.directory, **{"binary": Path(require_tool("terraform")), **changes})
        files = write_private_files(spec, private=self.context.private, temp=self.context.temp)
        return Terraform(spec, self.context, files)


def _capture(command: Command, *, last_words: float | None = None) -> Captured:
    done = subprocess.run(
        command.argv,
        env=dict(command.environment),
        cwd=command.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=last_words or 60,
    )
    return Captured(exit=ProcessExit(code=done.returncode), stdout=done.stdout, stderr=done.stderr)


def _refused(act: Callable[[], object]) -> ToolFailed:
    with pytest.raises(ToolFailed) as caught:
        act()
    return caught.value


def test_a_local_state_and_its_workspaces(tmp_path: Path) -> None:
    """Version, init, a missing workspace and one that is made, with what Terraform itself says."""
    room = RealRoom(tmp_path, 'output "x" { value = [true, 1] }\n')
    tool = room.tool()
    assert tool.version().product == "Terraform"
    tool.init()
    assert room.report.said("warning") == [
        f"the state lies in '{room.directory}', and is lost with it"
    ]

    missing = _refused(room.tool(workspace=Workspace(name="dev")).select_workspace)
    assert missing.message == "workspace 'dev' does not exist"
    assert (missing.hint or "").startswith("the workspaces are: default; to have it made")
    new = Workspace(name="dev", create=True)
    room.tool(workspace=new).select_workspace()
    room.tool(workspace=new).select_workspace()
    assert room.report.said("line") == ["workspace dev was made"]
    assert (room.directory / "terraform.tfstate.d" / "dev").is_dir()

    assert tool.show_state() == {"format_version": "1.0"}
    assert tool.outputs() == ()
    assert tool.probe_lock().exit.code == 0


def test_a_race_for_a_workspace(tmp_path: Path) -> None:
    """What `workspace new` says of one that is there is known for what it is."""
    room = RealRoom(tmp_path, "")
    room.tool().init()
    hidden: list[bool] = []

    def late(command: Command, *, last_words: float | None = None) -> Captured:
        # Another run makes it after we have looked.
        captured = _capture(command, last_words=last_words)
        if "select" in command.argv and not hidden:
            hidden.append(True)
            _capture(replace(command, argv=(command.argv[0], "workspace", "new", "dev")))
        return captured

    room.context = replace(room.context, capture=late)
    room.tool(workspace=Workspace(name="dev", create=True)).select_workspace()
    assert room.report.facts == {"workspace": "dev"}


def test_a_backend_without_its_block(tmp_path: Path) -> None:
    """Terraform initialises such a folder and exits with 0: it is refused here."""
    room = RealRoom(tmp_path, "")
    refused = _refused(room.tool(backend={"bucket": "b"}).init)
    assert "no backend block" in refused.message


def test_a_state_that_would_have_to_move(tmp_path: Path) -> None:
    """A local state beside another backend ends in the advice to move it by hand."""
    room = RealRoom(tmp_path, 'terraform {\n  backend "local" {}\n}\n')
    (room.directory / "terraform.tfstate").write_text(
        '{"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "a",'
        ' "outputs": {"x": {"value": "1", "type": "string"}}, "resources": []}'
    )
    refused = _refused(room.tool(backend={"path": str(tmp_path / "other.tfstate")}).init)
    assert "init -migrate-state" in (refused.hint or "")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param('required_version = ">= 99"', "(main.tf:2)", id="required-version"),
        pytest.param('required_version = "x"', "(main.tf:2)", id="no-constraint"),
    ],
)
def test_a_version_that_the_configuration_forbids(block: str, said: str, tmp_path: Path) -> None:
    """The failure names the line."""
    room = RealRoom(tmp_path, f"terraform {{\n  {block}\n}}\n")
    assert said in _refused(room.tool().init).message


@contextmanager
def _busy_registry(failures: Collection[int]) -> Iterator[tuple[int, list[str]]]:
    """A module registry on loopback that is too busy for the requests of these numbers, from 1
    on; its port, and the paths that were asked for."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("main.tf", 'output "x" { value = 1 }\n')
    asked: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if len(asked) in failures:
                self._answer(503)
            elif self.path.endswith("/versions"):
                self._answer(200, b'{"modules": [{"versions": [{"version": "1.0.0"}]}]}')
            elif self.path.endswith("/download"):
                host = self.headers["Host"]
                self._answer(204, headers={"X-Terraform-Get": f"http://{host}/m.zip"})
            else:
                self._answer(200, archive.getvalue())

        def _answer(
            self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()


@pytest.mark.socket
def test_a_busy_registry_is_asked_again(tmp_path: Path) -> None:
    """Terraform itself asks twice, and once for what the registry names: we begin anew."""
    with _busy_registry({1, 2, 5}) as (port, _):
        services = f'{{ "modules.v1" = "http://127.0.0.1:{port}/v1/modules/" }}'
        room = RealRoom(
            tmp_path,
            'module "m" {\n  source = "registry.local/a/b/c"\n}\n',
            rc=f'host "registry.local" {{\n  services = {services}\n}}\n',
        )
        room.tool().init()
    assert room.clock.slept == [4.0, 8.0]
    assert [text.partition(":")[0] for text in room.report.said("warning")[:2]] == [
        "init failed for now (503 Service Unavailable)",
        "init failed for now (code 503)",
    ]


@pytest.mark.socket
def test_a_registry_that_stays_busy(tmp_path: Path) -> None:
    """The failure says how often it was tried."""
    with _busy_registry(range(99)) as (port, asked):
        source = f"http://127.0.0.1:{port}/m.zip"
        room = RealRoom(tmp_path, f'module "m" {{\n  source = "{source}"\n}}\n')
        failed = _refused(room.tool().init)
    assert "tried\t4 times" in failed.evidence
    assert len(asked) == 4
