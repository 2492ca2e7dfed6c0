"""``python -m calamari_py`` and the ``calamari`` command."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def print_step_credentials() -> NoReturn:
    """Print what the credential server of the step around us gives, and exit.

    The one command that calamari itself writes into a config file. SDKs start it for every
    process: it imports nothing that it does not need.
    """
    from calamari_py.delivery.fetch import fetch_process_document
    from calamari_py.errors import IdentityError

    if sys.stdout is None:
        sys.stderr.write("calamari: stdout is closed, and the answer goes there\n")
        sys.exit(1)
    try:
        document = fetch_process_document(os.environ)
    except IdentityError as error:
        sys.stderr.write(f"calamari: {error.message}; {error.hint}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(f"{document}\n")
    sys.exit(0)


def print_eks_token(cluster: str, region: str, offset: float) -> NoReturn:
    """Print the answer of an exec plugin of kubectl's, signed as the step around us, and exit.

    What a kubeconfig of ours starts, for every command of kubectl and helm. `offset` is how many
    seconds AWS's clock is ahead.
    """
    import time

    from calamari_py.aws.eks_token import API_VERSIONS, api_version, exec_credential
    from calamari_py.delivery.fetch import step_keys
    from calamari_py.errors import EX_IDENTITY, EX_USAGE, IdentityError

    version = api_version(os.environ.get("KUBERNETES_EXEC_INFO", ""))
    if version is None:
        spoken = " and ".join(API_VERSIONS)
        _refuse(
            f"KUBERNETES_EXEC_INFO asks for a version that is not spoken; {spoken} are", EX_USAGE
        )
    try:
        keys = step_keys(os.environ)
        document = exec_credential(
            cluster, region, keys, version=version, now=time.time(), offset=offset
        )
    except IdentityError as error:
        _refuse(f"{error.message}; {error.hint}", error.exit_code)
    except ValueError as error:
        hint = "write 'credentials: {delivery: endpoint}', which renews them"
        _refuse(f"{error}; {hint}", EX_IDENTITY)
    sys.stdout.write(f"{document}\n")
    sys.exit(0)


def _refuse(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"calamari: {message}\n")
    sys.exit(code)


def _plain_token_request(words: list[str]) -> tuple[str, str, float] | None:
    """The cluster, the region and AWS's clock of ``eks-token`` as our kubeconfigs call it; None for
    any other form, which the command line proper looks at."""
    from calamari_py.aws.eks_token import CLUSTER_NAME, MOST_OFFSET, REGION

    options = dict(zip(words[1::2], words[2::2], strict=False))
    offset = options.pop("--clock-offset", "0")
    cluster, region = options.pop("--cluster-name", ""), options.pop("--region", "")
    digits = offset.removeprefix("-")
    is_number = digits.isascii() and digits.isdecimal() and int(digits[:12]) <= MOST_OFFSET
    is_plain = len(words) % 2 and not options and is_number
    if not is_plain or not CLUSTER_NAME.fullmatch(cluster) or not REGION.fullmatch(region):
        return None
    return cluster, region, float(offset)


def main() -> NoReturn:
    """What the command ``calamari`` and ``python -m calamari_py`` do."""
    try:
        if sys.argv[1:] == ["credentials", "--from-step"]:
            print_step_credentials()
        if sys.argv[1:2] == ["eks-token"] and sys.stdout is not None and not sys.stdout.isatty():
            asked = _plain_token_request(sys.argv[1:])
            if asked is not None:
                print_eks_token(*asked)
        from calamari_py import cli

        cli.main()
    except KeyboardInterrupt:  # before anybody listens: imports take most of the start
        sys.exit(130)


if __name__ == "__main__":
    main()
