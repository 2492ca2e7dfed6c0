"""Reading a manifest's bytes: what is refused before anything is parsed."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from calamari_py.errors import FileMissing, ManifestError
from calamari_py.manifest import read_source


def read(path: str, cwd: Path, data: bytes = b"") -> str:
    """The text of the source at `path`; `data` is standard input."""
    return read_source(path, stdin=io.BytesIO(data), cwd=cwd).text


def test_a_file_is_read_and_its_folder_known(tmp_path: Path) -> None:
    """A source keeps the name it was given, its text and its folder."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_bytes(b"\xef\xbb\xbfname: \xc3\xa9\r\n")
    source = read_source("sub/a.yaml", stdin=io.BytesIO(), cwd=tmp_path)
    assert (source.name, source.folder) == ("sub/a.yaml", tmp_path / "sub")
    assert source.text == "\ufeffname: é\r\n"


def test_a_dash_reads_standard_input(tmp_path: Path) -> None:
    """``-`` reads standard input; relative paths then start at the working directory."""
    source = read_source("-", stdin=io.BytesIO(b"name: x\n"), cwd=tmp_path)
    assert (source.name, source.text, source.folder) == ("(standard input)", "name: x\n", tmp_path)


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        pytest.param(b"a: \xff\n", "-:1:4", "is not valid UTF-8", id="latin-1"),
        pytest.param(b"a: 1\nb: \xc3(\n", "-:2:4", "is not valid UTF-8", id="second-line"),
        pytest.param("name: x\n".encode("utf-16"), "-:1:1", "is UTF-16", id="utf-16"),
        pytest.param(b"a: 1\nb\0: 2\n", "-:2:2", "holds a NUL character", id="nul"),
        pytest.param(b"a: \x1b[0m", "-:1:4", "holds the control character '\\x1b'", id="escape"),
        pytest.param(b"x" * 1_000_001, "-", "is larger than 1 MB", id="large"),
    ],
)
def test_content_that_is_no_text_is_65(
    tmp_path: Path, data: bytes, place: str, message: str
) -> None:
    """Bytes that are no text of at most 1 MB are refused with their place, from any source."""
    (tmp_path / "m.yaml").write_bytes(data)
    for path, name in (("-", "(standard input)"), ("m.yaml", "m.yaml")):
        with pytest.raises(ManifestError) as caught:
            read(path, tmp_path, data)
        (problem,) = caught.value.problems
        assert caught.value.exit_code == 65
        assert problem.place == place.replace("-", name)
        assert message in problem.message or "MB" in problem.message


def test_what_is_no_readable_file_is_66(tmp_path: Path) -> None:
    """A missing file, a folder, a FIFO and a bad name are exit code 66, without waiting."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    expected = {
        "gone.yaml": "does not exist",
        "folder": "is a folder",
        "fifo": "is no regular file",
        "gone.yaml/x": "does not exist",
        "": "has no name",
        "a\0b": "has no name",
        "x" * 300: "cannot be read",
    }
    for path, message in expected.items():
        with pytest.raises(FileMissing) as caught:
            read(path, tmp_path)
        assert message in caught.value.problems[0].message
        assert caught.value.problems[0].hint
