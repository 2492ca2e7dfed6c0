"""Unmasked: what `--no-mask` puts in a masker's place."""

from __future__ import annotations

from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.unmasked import Unmasked


def test_it_has_what_a_masker_has() -> None:
    """Who holds one need not know which it is."""
    public = {name for name in dir(Masker(SecretRegistry())) if not name.startswith("_")}
    assert public <= set(dir(Unmasked()))


def test_everything_passes_at_once() -> None:
    """Nothing is held, changed, added or withheld."""
    stream = Unmasked()
    assert [stream.feed(data) for data in (b"a", b"", b"s3cr\xff\0")] == [b"a", b"", b"s3cr\xff\0"]
    assert (stream.held, stream.withheld, stream.fault) == (0, 0, None)
    assert (stream.idle(), stream.close(), stream.close()) == (b"", b"", b"")
