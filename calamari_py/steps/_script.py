"""A script as kinds run it: a text or a file, by bash, sh, python, pwsh or any argv."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from calamari_py.channel import write_private
from calamari_py.errors import FileMissing, Findings, ManifestError, Problem
from calamari_py.manifest.shapes import About
from calamari_py.process import Command, resolve_tool
from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepOutcome,
)

_SUPPORT = Path(__file__).parent / "support"
_FUNCTIONS = _SUPPORT / "functions.sh"
_SHELLS = {"bash": ".sh", "sh": ".sh", "python": ".py", "pwsh": ".ps1"}
_BY_SUFFIX = {".py": "python", ".ps1": "pwsh"}
_LIMIT = 10 * 1024 * 1024


class ScriptSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``script``: a text (`run`) or a file (`file`) that an interpreter runs."""

    run: Annotated[
        str | None, About("The script itself; not a template unless render is true.")
    ] = None
    file: Annotated[str | None, About("The path of a script, relative to the manifest.")] = None
    shell: Annotated[
        str | tuple[str, ...] | None,
        About("bash, sh, python, pwsh, or the argv of an interpreter. Default: by the file."),
    ] = None
    args: Annotated[
        tuple[str, ...], About("The script's arguments. No secret may be among them.")
    ] = ()
    working_directory: Annotated[
        str | None,
        About("Where it runs, relative to the manifest. Default: the manifest's folder."),
    ] = None
    render: Annotated[bool, About("true renders the script as a template.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSpec:
    """A script that can be run.

    `interpreter` is a shell's name or ``custom``; `argv` begins with an absolute path and may hold
    ``{file}``. `text` is what has to be written to a private file first; None when `file` is run
    as it is. `origin` is the file the script calls itself by (``$0``).
    """

    interpreter: str
    argv: tuple[str, ...]
    args: tuple[str, ...]
    directory: Path
    suffix: str
    text: bytes | None = field(repr=False)
    file: Path | None
    crlf: bool = False


def parse_script(section: str | ScriptSection, context: ParseContext) -> ScriptSpec:
    """A spec whose file was read and whose interpreter was found."""
    if isinstance(section, str):
        section = ScriptSection(run=section)
    text, file, directory = b"", None, context.folder
    found = Findings()
    with found:
        text, file = _script_source(section, context)
    with found:
        _check_shell(section.shell, context)
    with found:
        directory = _directory(section, context)
    found.raise_if_any()
    shell = section.shell or _BY_SUFFIX.get(file.suffix if file else "", "bash")
    interpreter, argv = _interpreter(shell, context)
    crlf = interpreter in {"bash", "sh"} and b"\r\n" in text
    if crlf:
        text = text.replace(b"\r\n", b"\n")
    return ScriptSpec(
        interpreter=interpreter,
        argv=argv,
        args=section.args,
        directory=directory,
        suffix=_SHELLS.get(interpreter, file.suffix if file else ""),
        text=text if file is None or section.render or crlf else None,
        file=file,
        crlf=crlf,
    )


def script_environment() -> KindEnvironment:
    """Python finds `calamari_step` whatever starts it, a shell the functions;
    ``CALAMARI_PYTHON`` has boto3."""
    return KindEnvironment(
        names={"CALAMARI_PYTHON": sys.executable, "CALAMARI_FUNCTIONS": str(_FUNCTIONS)},
        prepend={"PYTHONPATH": str(_SUPPORT / "python")},
    )


def planned_command(spec: ScriptSpec) -> PlannedCommand:
    """What `run_script` runs. Pure."""
    written = f"{{private}}/script{spec.suffix}"
    run = str(spec.file) if spec.text is None else written
    return PlannedCommand(argv=_argv(spec, run), directory=spec.directory)


def run_script(
    spec: ScriptSpec, context: StepContext, *, names: Mapping[str, str] | None = None
) -> StepOutcome:
    """Write the script where it has no file of its own, and run it. `names` join its
    environment."""
    if spec.crlf:
        name = spec.file.name if spec.file else "the script"
        context.warn(f"{name} has Windows line ends (CRLF); it is run with Unix ones")
    command, text = build_command(spec, context, names or {})
    if text is not None:
        write_private(Path(text[0]), text[1])
    ended = context.run(command)
    return StepOutcome(code=ended.code, exit=ended)


def build_command(
    spec: ScriptSpec, context: StepContext, names: Mapping[str, str]
) -> tuple[Command, tuple[Path, bytes] | None]:
    """What to run, and the file to write before. Pure."""
    written = None
    if spec.text is not None:
        written = (context.private / f"script{spec.suffix}", spec.text)
    argv = _argv(spec, str(written[0] if written else spec.file))
    return Command(
        argv=argv, environment={**context.environment, **names}, directory=spec.directory
    ), written


def _argv(spec: ScriptSpec, run: str) -> tuple[str, ...]:
    """The command that runs the script in the file `run`."""
    called = str(spec.file or run)
    if spec.interpreter in {"bash", "sh"}:
        # Sourced, so that the functions are there, line numbers are the script's own, and $0 and
        # BASH_SOURCE name it as if it had been started directly.
        body = '. "$CALAMARI_FUNCTIONS"; . "$0"'
        if run != called:
            body = f'. "$CALAMARI_FUNCTIONS"; . "{_in_double_quotes(run)}"'
        return (*spec.argv, "-c", body, called, *spec.args)
    return (*(part.replace("{file}", run) for part in spec.argv), *spec.args)


def _in_double_quotes(text: str) -> str:
    for char in '\\"$`':
        text = text.replace(char, "\\" + char)
    return text


def _script_source(section: ScriptSection, context: ParseContext) -> tuple[bytes, Path | None]:
    """The script's bytes, and its file when it has one; ManifestError when it has no body."""
    if (section.run is None) == (section.file is None):
        what = "needs 'run' or 'file'" if section.run is None else "has both 'run' and 'file'"
        raise _problem(context, "", f"{what}; write one of them")
    file = None
    if section.file is not None:
        file = (context.folder / section.file).resolve()
        text = _read_script(file, section.file, context)
    else:
        text = (section.run or "").encode("utf-8", "surrogateescape")
    where = "file" if file else "run"
    if not text.strip():
        raise _problem(context, where, "is empty; a step that does nothing is ':' in bash")
    if b"\0" in text:
        raise _problem(context, where, "holds NUL bytes: this is no script but a binary file")
    if section.render and file is not None:
        # Text that the manifest wrote (`run`) was rendered with the manifest.
        text = _rendered(text, context)
    return text, file


def _rendered(text: bytes, context: ParseContext) -> bytes:
    try:
        template = text.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (byte {error.start}), so it cannot be rendered"
        raise _problem(context, "file", message) from None
    return context.render(template, f"{context.path}.file").encode("utf-8", "surrogateescape")


def _read_script(file: Path, written: str, context: ParseContext) -> bytes:
    try:
        if file.is_dir():
            raise _problem(context, "file", f"'{written}' is a folder, not a file")
        if not file.is_file():
            raise _missing(context, "file", f"there is no file '{written}' in {context.folder}")
        if file.stat().st_size > _LIMIT:
            raise _problem(context, "file", f"'{written}' is larger than 10 MB")
        return file.read_bytes()
    except OSError as error:
        message = f"'{written}' cannot be read ({error.strerror})"
        raise _missing(context, "file", message) from None


def _directory(section: ScriptSection, context: ParseContext) -> Path:
    directory = (context.folder / (section.working_directory or ".")).resolve()
    if not directory.is_dir():
        message = f"'{section.working_directory}' is not a folder"
        raise _missing(context, "working_directory", message)
    return directory


def _check_shell(shell: str | tuple[str, ...] | None, context: ParseContext) -> None:
    if isinstance(shell, str):
        if shell not in _SHELLS:
            legal = ", ".join(_SHELLS)
            message = f"'{shell}' is no shell; write one of {legal}, or [argv0, \"{{file}}\"]"
            raise _problem(context, "shell", message)
    elif shell is not None:
        if not shell or not shell[0]:
            raise _problem(context, "shell", 'is empty; write [argv0, "{file}"]')
        if not any("{file}" in part for part in shell):
            raise _problem(context, "shell", 'names no "{file}", so the script would not be run')


def _interpreter(
    shell: str | tuple[str, ...], context: ParseContext
) -> tuple[str, tuple[str, ...]]:
    """The interpreter's name and the argv it is started with."""
    if not isinstance(shell, str):
        tool = str(resolve_tool(shell[0], context.search_path, folder=context.folder))
        return "custom", (tool, *shell[1:])
    if shell == "python":
        return shell, (sys.executable, "-u", "{file}")
    tool = str(resolve_tool(shell, context.search_path))
    if shell == "pwsh":
        return shell, (tool, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", "{file}")
    return shell, (tool,)


def _problem(context: ParseContext, field: str, message: str) -> ManifestError:
    path = f"{context.path}.{field}" if field else context.path
    return ManifestError([Problem(path=path, message=message)])


def _missing(context: ParseContext, field: str, message: str) -> FileMissing:
    return FileMissing([Problem(path=f"{context.path}.{field}", message=message)])
