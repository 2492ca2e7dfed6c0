"""What the tools find in their environment."""

from __future__ import annotations

from pathlib import Path

from calamari_py.steps.kubernetes.access.environment import kind_environment
from tests.steps.kubernetes.world import KubeWorld

OWN = {
    "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HELM_CONFIG_HOME",
    "HELM_DATA_HOME", "HELM_CACHE_HOME",
}  # fmt: skip


def test_tools_have_folders_of_their_own(tmp_path: Path) -> None:
    """Home, caches and kubeconfig: nothing of the user's is read, and no two are the same."""
    access = KubeWorld(tmp_path).access()
    found = {name: access.environment[name] for name in (*OWN, "KUBECACHEDIR", "KUBECONFIG")}
    assert all(path.startswith(str(tmp_path)) for path in found.values())
    assert len(set(found.values())) == len(found)
    assert (access.environment["KUBERC"], access.environment["KUBECTL_KUBERC"]) == ("off", "false")


def test_what_is_said_of_it_before() -> None:
    """The names that come later are known: a script has those that lead to the cluster alone."""
    script = kind_environment(is_read=False).later
    assert set(script) == {"KUBECONFIG", "KUBECACHEDIR", "KUBERC", "KUBECTL_KUBERC"}
    assert set(kind_environment().later) == {*script, *OWN}
    assert kind_environment().names == {}
