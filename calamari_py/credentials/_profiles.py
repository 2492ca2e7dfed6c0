"""Which profiles there are: the names of sections, and nothing of what they hold.

The rules are botocore's (``botocore.configloader``), whose reader keeps every value.
"""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Iterator, Mapping

from calamari_py.credentials._keys import setting
from calamari_py.errors import SourceBroken

_FILES = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}


def profile_files(environ: Mapping[str, str]) -> tuple[str, str]:
    """The config file and the credentials file, there or not."""
    home = environ.get("HOME") or "/"
    config, credentials = (
        _path(setting(environ, variable), home) or os.path.join(home, ".aws", name)
        for variable, name in _FILES.items()
    )
    return config, credentials


def profile_names(environ: Mapping[str, str]) -> frozenset[str]:
    """The profiles of both files; SourceBroken for a file that is no config file."""
    config, credentials = profile_files(environ)
    return frozenset((*_of_config(_sections(config)), *_sections(credentials)))


def _path(written: str, home: str) -> str:
    if written.startswith("~/"):
        written = home + written[1:]
    return os.path.expanduser(os.path.expandvars(written))


def _sections(path: str) -> list[str]:
    parser = configparser.RawConfigParser()
    try:
        # Not there or not to be read counts as empty, as it does for botocore.
        if os.path.isfile(path):
            parser.read([path])
    except (configparser.Error, UnicodeDecodeError):
        # Their messages quote the file.
        raise SourceBroken(
            f"'{path}' cannot be parsed as a config file", hint="correct it, or set another path"
        ) from None
    return parser.sections()


def _of_config(sections: list[str]) -> Iterator[str]:
    for section in sections:
        if section == "default":
            yield section
        elif section.startswith("profile"):
            try:
                words = shlex.split(section)
            except ValueError:
                continue
            if len(words) == 2:
                yield words[1]
