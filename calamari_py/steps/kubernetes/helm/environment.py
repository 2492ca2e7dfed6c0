"""What Helm gets beside what every child gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calamari_py.steps.base import KindEnvironment
from calamari_py.steps.kubernetes.access.environment import kind_environment
from calamari_py.steps.kubernetes.helm.files import helm_files
from calamari_py.steps.kubernetes.spec import HelmSpec

_OFFLINE = ("KUBECONFIG", "HOME")
"""What says of no cluster that there is none."""


def environment(spec: HelmSpec) -> KindEnvironment:
    """Nothing of the caller's that decides which cluster is meant, and folders of its own. Pure."""
    found = kind_environment()
    of_helm = helm_files(spec, private=Path(), temp=Path()).names
    around = _OFFLINE if spec.action == "template" else found.later
    return replace(found, later=tuple(dict.fromkeys((*around, *of_helm))))
