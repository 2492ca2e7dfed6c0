"""A certificate, and kubeconfigs of somebody else's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from calamari_py.steps.kubernetes.access.access import Access, open_access
from calamari_py.steps.kubernetes.spec import ClusterSpec
from tests.steps.kubernetes.world import KubeWorld

PEM = """\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUbFgc9BegZRSWlW5u+KQhIBe/C9IwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZmFrZS1jYTAgFw0yNjExMjIyMTQ3MjdaGA8yMTI2MTAyOTIx
NDcyN1owEjEQMA4GA1UEAwwHZmFrZS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABJWDVNmNzkoXq/+EBxpMzwktqI+gPptUGFQdh0yZbq5s4RMt4hX9bUzpWNqO
aRomPXHpCq4k5vhwKnondJXZfuujUzBRMB0GA1UdDgQWBBTsgeT6egRmKOfQZGPo
Oy8H7n9fdDAfBgNVHSMEGDAWgBTsgeT6egRmKOfQZGPoOy8H7n9fdDAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIEmIKMksbxGrPBkc4lsC4gVyJqfH
zYcgVVvihv06wMDVAiEAw2NWrhThm6YaQE9W25xigoR0JyQSV9CWI+RxVpFuL5k=
-----END CERTIFICATE-----
"""
PEM_BASE64 = base64.b64encode(PEM.encode()).decode()
SERVER = "https://api.example.test:6443"
EKS = ClusterSpec(way="eks", eks="blue")

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: prod
  cluster: {server: "https://prod.example.test", certificate-authority: ca/prod.crt}
- name: dev
  cluster: {server: "https://dev.example.test"}
- name: plain
  cluster: {server: "http://plain.example.test"}
- name: trusting
  cluster: {server: "https://x.example.test", insecure-skip-tls-verify: true}
contexts:
- name: prod
  context: {cluster: prod, user: pinned, namespace: shop}
- name: dev
  context: {cluster: dev, user: static}
- name: plain
  context: {cluster: plain, user: static}
- name: trusting
  context: {cluster: trusting, user: static}
- name: dangling
  context: {cluster: gone, user: static}
- name: certified
  context: {cluster: dev, user: certified}
users:
- name: pinned
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: bin/token
      args: [eks, get-token, --role-arn, "arn:aws:iam::222222222222:role/Other"]
      env:
      - {name: AWS_PROFILE, value: me}
      - {name: AWS_REGION, value: eu-west-1}
      - {name: API_KEY, value: plugin-s3cret}
- name: static
  user: {token: static-t0ken}
- name: certified
  user: {client-certificate: me.crt, client-key: /etc/me.key, tokenFile: run/token}
"""


def opened(world: KubeWorld, spec: ClusterSpec = EKS, **more: Any) -> Access:
    """The access to `spec`, by a clock that agrees with AWS's."""
    given = {"namespace": "app", "machine_time": world.clock.now, **more}
    return open_access(spec, context=world.context(), **given)


def written(access: Access) -> Any:
    """The kubeconfig."""
    return json.loads(access.kubeconfig.read_bytes())


def user_of(access: Access) -> Any:
    """Its only user."""
    (user,) = written(access)["users"]
    return user["user"]


def service_account(folder: Path) -> Path:
    """What the kubelet mounts."""
    folder.mkdir()
    (folder / "token").write_text("pod-t0ken-secret\n")
    (folder / "ca.crt").write_text(PEM)
    (folder / "namespace").write_text("pods-own\n")
    return folder
