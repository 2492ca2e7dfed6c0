"""``delivery: profile``: a config file whose ``credential_process`` asks the server.

For programs that know profiles and processes but no container endpoint.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from calamari_py.channel import write_private
from calamari_py.delivery._request import TOKEN_NAME, URI_NAME
from calamari_py.delivery._server import serving
from calamari_py.delivery.base import DeliveryContext

PROFILE = "calamari"


@contextmanager
def deliver(context: DeliveryContext) -> Iterator[Mapping[str, str]]:
    """The names that lead to the file, and what the process in it reads from its environment.

    The file holds neither keys nor the token, and is gone with the private folder.
    """
    with serving(context) as served:
        path = context.private / "aws-config"
        write_private(path, config_text(sys.executable, context.region).encode())
        yield {
            "AWS_CONFIG_FILE": str(path),
            "AWS_PROFILE": PROFILE,
            "AWS_SDK_LOAD_CONFIG": "1",
            URI_NAME: served.uri,
            TOKEN_NAME: served.token,
        }


def config_text(python: str, region: str | None) -> str:
    """The config file, which says the same under its two names. `python` is an absolute path."""
    # botocore splits this line as a POSIX shell does; the other SDKs give it to `sh -c`.
    process = shlex.join([python, "-P", "-m", "calamari_py", "credentials", "--from-step"])
    settings = f"credential_process = {process}\n" + (f"region = {region}\n" if region else "")
    return f"[default]\n{settings}\n[profile {PROFILE}]\n{settings}"
