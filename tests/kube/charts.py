"""A small chart, as a folder: a Deployment, a Secret, and a hook that may be left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kube.server import Store

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: app, image: {{ .Values.image | quote }}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}"}
stringData: {password: {{ .Values.password | quote }}}
"""
TEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: "{{ .Release.Name }}-test"
  annotations: {helm.sh/hook: test}
spec:
  restartPolicy: Never
  containers: [{name: test, image: "test:1"}]
"""


def write_chart(folder: Path, **values: Any) -> Path:
    """A chart in `folder`, whose values.yaml is `values` over its defaults."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    defaults = {"replicas": 1, "image": "web:1", "password": "x"}
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text(json.dumps({**defaults, **values}))
    (folder / "templates" / "web.yaml").write_text(WEB)
    (folder / "templates" / "test.yaml").write_text(TEST)
    return folder


def statuses(store: Store, namespace: str, release: str = "web") -> dict[int, str]:
    """The status of each revision, as helm keeps it in the labels of its Secrets."""
    return dict(sorted(_revisions(store, namespace, release)))


def _revisions(store: Store, namespace: str, release: str) -> Iterator[tuple[int, str]]:
    for body in store.list("Secret", namespace, {"owner": "helm", "name": release}):
        labels = body["metadata"]["labels"]
        yield int(labels["version"]), labels["status"]
