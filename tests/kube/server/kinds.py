"""Which types there are, and how their lists and mappings are put together."""

from __future__ import annotations

from dataclasses import dataclass

from tests.kube.server.failures import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """One resource type in one version; `statused`: its status is a subresource."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    statused: bool = False
    scaled: bool = False
    custom: bool = False
    create_only: bool = False
    schema: Body | None = None

    @property
    def api_version(self) -> str:
        """``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """``apis/apps/v1``, ``api/v1``."""
        return f"apis/{self.api_version}" if self.group else "api/v1"


# group version kind plural short flags; flags: c cluster, s status, x scale, a in `all`,
# o only created
_TABLE = """
- v1 Namespace namespaces ns cs
- v1 Pod pods po sa
- v1 Service services svc sa
- v1 ConfigMap configmaps cm -
- v1 Secret secrets - -
- v1 ServiceAccount serviceaccounts sa -
- v1 PersistentVolumeClaim persistentvolumeclaims pvc s
- v1 PersistentVolume persistentvolumes pv cs
- v1 Event events ev -
- v1 Node nodes no cs
- v1 Endpoints endpoints ep -
- v1 ResourceQuota resourcequotas quota s
- v1 LimitRange limitranges limits -
- v1 ReplicationController replicationcontrollers rc sxa
apps v1 Deployment deployments deploy sxa
apps v1 ReplicaSet replicasets rs sxa
apps v1 StatefulSet statefulsets sts sxa
apps v1 DaemonSet daemonsets ds sa
apps v1 ControllerRevision controllerrevisions - -
batch v1 Job jobs - sa
batch v1 CronJob cronjobs cj sa
autoscaling v2 HorizontalPodAutoscaler horizontalpodautoscalers hpa sa
autoscaling v1 HorizontalPodAutoscaler horizontalpodautoscalers hpa sa
policy v1 PodDisruptionBudget poddisruptionbudgets pdb s
networking.k8s.io v1 Ingress ingresses ing s
networking.k8s.io v1 IngressClass ingressclasses - c
networking.k8s.io v1 NetworkPolicy networkpolicies netpol -
rbac.authorization.k8s.io v1 Role roles - -
rbac.authorization.k8s.io v1 RoleBinding rolebindings - -
rbac.authorization.k8s.io v1 ClusterRole clusterroles - c
rbac.authorization.k8s.io v1 ClusterRoleBinding clusterrolebindings - c
storage.k8s.io v1 StorageClass storageclasses sc c
apiextensions.k8s.io v1 CustomResourceDefinition customresourcedefinitions crd,crds cs
apiregistration.k8s.io v1 APIService apiservices - cs
discovery.k8s.io v1 EndpointSlice endpointslices - -
coordination.k8s.io v1 Lease leases - -
admissionregistration.k8s.io v1 MutatingWebhookConfiguration mutatingwebhookconfigurations - c
admissionregistration.k8s.io v1 ValidatingWebhookConfiguration validatingwebhookconfigurations - c
scheduling.k8s.io v1 PriorityClass priorityclasses pc c
authentication.k8s.io v1 SelfSubjectReview selfsubjectreviews - co
authorization.k8s.io v1 SelfSubjectAccessReview selfsubjectaccessreviews - co
authorization.k8s.io v1 SelfSubjectRulesReview selfsubjectrulesreviews - co
"""


def _row(line: str) -> Type:
    group, version, kind, plural, short, flags = line.split()
    return Type(
        group="" if group == "-" else group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced="c" not in flags,
        short=() if short == "-" else tuple(short.split(",")),
        categories=("all",) if "a" in flags else (),
        statused="s" in flags,
        scaled="x" in flags,
        create_only="o" in flags,
    )


BUILT_IN: tuple[Type, ...] = tuple(_row(line) for line in _TABLE.strip().splitlines())


def defined_by(crd: Body) -> tuple[Type, ...]:
    """The types of an established CustomResourceDefinition, the stored version first."""
    conditions = (crd.get("status") or {}).get("conditions") or ()
    if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
        return ()
    spec = crd["spec"]
    names = spec["names"]
    versions = sorted(spec["versions"], key=lambda version: not version.get("storage"))
    return tuple(
        Type(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            namespaced=spec.get("scope") == "Namespaced",
            short=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            statused="status" in (version.get("subresources") or {}),
            scaled="scale" in (version.get("subresources") or {}),
            custom=True,
            schema=(version.get("schema") or {}).get("openAPIV3Schema"),
        )
        for version in versions
        if version.get("served", True)
    )


_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
}
_ATOMIC = {
    "selector",
    "nodeSelector",
    "labelSelector",
    "podSelector",
    "namespaceSelector",
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "roleRef",
}
KEY_DEFAULTS = {"protocol": "TCP"}
"""What stands in for a key that an item leaves out."""

Fields = tuple[str, ...]
"""The names of the fields on the way to a value, items of lists left out."""


def keys_of(type_: Type, fields: Fields) -> tuple[str, ...]:
    """The keys of a list whose items are told apart by them; () for an atomic list or a set."""
    if fields == ("metadata", "ownerReferences"):
        return ("uid",)
    if type_.custom:
        return ("type",) if fields == ("status", "conditions") else ()
    if fields[-1] == "ports":
        if type_.kind == "Service" and fields == ("spec", "ports"):
            return ("port", "protocol")
        in_container = fields[-2:-1] and fields[-2].lower().endswith("containers")
        return ("containerPort", "protocol") if in_container else ()
    if fields == ("secrets",) and type_.kind == "ServiceAccount":
        return ("name",)
    return _KEYS.get(fields[-1], ())


def is_set(fields: Fields) -> bool:
    """Whether a list is a set of words."""
    return fields == ("metadata", "finalizers")


def is_atomic(type_: Type, fields: Fields) -> bool:
    """Whether a mapping is owned and replaced as a whole."""
    return not type_.custom and fields[-1] in _ATOMIC and fields[0] != "metadata"
