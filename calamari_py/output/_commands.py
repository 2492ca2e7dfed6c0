"""Commands of CI systems: text in them, and text that must not be one."""

from __future__ import annotations

import re
from base64 import b64encode

from calamari_py.masking.forms import to_bytes

# .NET passes over characters without width when it compares, so what is invisible counts as none.
_COMMAND_START = re.compile(r"\A([^!-~]*)::")


def escape_data(text: str) -> str:
    """`text` as the data of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """`text` as the value of a command's property."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def service_message(name: str, /, **attributes: str) -> bytes:
    """One message for Octopus Deploy, without a line end; values go as base64, so that none can end
    it."""
    written = (
        f" {key}='{b64encode(to_bytes(value)).decode()}'" for key, value in attributes.items()
    )
    return f"##octopus[{name}{''.join(written)}]".encode()


def harmless(line: str) -> str:
    """`line`, which is one, as no command of the runner."""
    return _COMMAND_START.sub(r"\1\\::", line).replace("##[", "##\\[")
