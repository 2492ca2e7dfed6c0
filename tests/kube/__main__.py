"""``python -m tests.kube``: an embedded AWS with a cluster `demo`, until Ctrl-C; see
docs/kubernetes.md. Its environment is printed as ``export`` lines."""

from __future__ import annotations

import shlex
import signal

from calamari_py.sandbox import Sandbox
from tests.kube.cluster import running_kube
from tests.kube.eks import FakeEks


def main() -> None:
    """Run until a signal says that it is enough."""
    enough = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, enough)
    with Sandbox() as sandbox, FakeEks() as eks, running_kube(sandbox, eks) as kube:
        for name, value in {**sandbox.environment, **kube.environment}.items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        signal.sigwait(enough)


if __name__ == "__main__":
    main()
