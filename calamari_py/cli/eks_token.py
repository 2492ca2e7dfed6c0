"""``calamari eks-token``, for people: `__main__` answers kubectl without loading any of this."""

from __future__ import annotations

import sys

import click

from calamari_py.__main__ import print_eks_token
from calamari_py.aws.eks_token import CLUSTER_NAME, MOST_OFFSET, REGION
from calamari_py.cli._answer import require_stdout
from calamari_py.errors import UsageError


@click.command(short_help="Print a token for an EKS cluster, as kubectl asks for it.")
@click.option("--cluster-name", metavar="NAME", required=True, help="The cluster's name.")
@click.option("--region", metavar="REGION", required=True, help="The region it is in.")
@click.option(
    "--clock-offset",
    metavar="SECONDS",
    type=click.IntRange(-MOST_OFFSET, MOST_OFFSET),
    default=0,
    help="How far AWS's clock is ahead of this machine's.",
)
@click.option("--show", is_flag=True, help="Print the token even where stdout is a terminal.")
def command(cluster_name: str, region: str, clock_offset: int, *, show: bool) -> None:
    """Print a token for an EKS cluster as the JSON that kubectl takes from an exec plugin.

    In a kubeconfig:

    \b
    users:
    - name: deploy
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1beta1
          command: calamari
          args: [eks-token, --cluster-name, prod, --region, eu-west-1]
          interactiveMode: Never

    It is signed here, with the credentials of the step around it, or of calamari exec and shell.
    The cluster learns from it who asks, and nothing else. Secrets go to stdout and nowhere else.
    """
    require_stdout()
    if not CLUSTER_NAME.fullmatch(cluster_name):
        raise UsageError(
            "--cluster-name is no name of an EKS cluster",
            hint="name it as 'aws eks list-clusters' does: letters, digits, - and _",
        )
    if not REGION.fullmatch(region):
        raise UsageError("--region is no region", hint="write one such as eu-west-1")
    if sys.stdout.isatty() and not show:
        raise UsageError(
            "stdout is a terminal, and this prints a secret",
            hint="let kubectl read it; with --show it is printed all the same",
        )
    print_eks_token(cluster_name, region, float(clock_offset))
