"""The searchers find what they are for: a search that finds nothing would prove nothing."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.parse
import zipfile
from pathlib import Path

import pytest

from tests.real_terraform.search import ProcessWatch, files_below, forms, where

NEEDLE = "Pa55w0rd/with+odd=chars&\"quotes'"


def zipped(name: str, content: bytes) -> bytes:
    """A zip archive, compressed, that holds one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def tarred(name: str, content: bytes, mode: str = "w:gz") -> bytes:
    """A tar archive that holds one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


PLAIN = f'{{"x": {json.dumps(NEEDLE)}}}'.encode()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param(PLAIN, "f", id="as JSON"),
        pytest.param(NEEDLE.encode(), "f", id="plain"),
        pytest.param(base64.b64encode(b"user:" + NEEDLE.encode()), "f", id="base64"),
        pytest.param(NEEDLE.encode().hex().encode(), "f", id="hex"),
        pytest.param(urllib.parse.quote(NEEDLE, safe="").encode(), "f", id="url"),
        pytest.param(gzip.compress(NEEDLE.encode()), "f!gzip", id="gzip"),
        pytest.param(zipped("tfstate", PLAIN), "f!tfstate", id="zip"),
        pytest.param(
            tarred("a.zip", zipped("tfplan", PLAIN)), "f!gzip!a.zip!tfplan", id="zip in a tar.gz"
        ),
        pytest.param(tarred("b", PLAIN, "w"), "f!b", id="tar"),
    ],
)
def test_it_is_found(content: bytes, place: str) -> None:
    """Wherever it stands, and it is said where."""
    found = where(NEEDLE, {"f": content, "other": zipped("x", b"nothing")})
    assert found[-1] == place
    assert not [name for name in found if name.startswith("other")]


def test_a_broken_archive_is_a_file_like_any_other() -> None:
    """What only looks like an archive is searched as it stands."""
    assert where(NEEDLE, {"f": b"\x1f\x8b" + NEEDLE.encode(), "g": b"PK\x03\x04"}) == ["f"]


def test_long_lines_of_a_value_are_looked_for() -> None:
    """One line of a key is a leak; a short one is none."""
    wanted = forms("-----BEGIN KEY-----\nshort\nfirstlineofthekey1234\n")
    assert b"firstlineofthekey1234" in wanted
    assert not wanted & {b"short", b"-----BEGIN KEY-----"}


def test_files_are_found(tmp_path: Path) -> None:
    """Also in hidden folders, and no link is followed."""
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / ".terraform" / "a")
    assert files_below(tmp_path) == {str(tmp_path / ".terraform" / "a"): b"1"}


@pytest.mark.process
def test_processes_are_seen() -> None:
    """What a grandchild was given, as an argument and in its environment."""
    inner = "import sys; print(1, flush=True); sys.stdin.read()"
    argv = f"sys.executable, '-c', {inner!r}, 'in-argv-of-it'"
    code = f"import subprocess, sys; subprocess.run([{argv}])"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "CANARY": "in-environ"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with ProcessWatch(process.pid) as watch:
            process.stdout.readline()
            assert watch.has_seen(b"in-argv-of-it\0", within=10)
            process.stdin.close()
    assert where("CANARY=in-environ", watch.environments)
    assert where("in-argv-of-it", watch.arguments)
