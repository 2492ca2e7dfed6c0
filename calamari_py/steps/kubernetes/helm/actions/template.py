"""Action ``template``: what the chart makes of the values. No cluster is asked."""

from __future__ import annotations

import re

from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.kubernetes.diffing.clean import without_values
from calamari_py.steps.kubernetes.diffing.lines import Numbers, lines_of
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.fetch import fetch_chart
from calamari_py.steps.kubernetes.helm.files import write_files
from calamari_py.steps.kubernetes.helm.tool import Helm
from calamari_py.steps.kubernetes.objects.load import objects_of
from calamari_py.steps.kubernetes.objects.secrets import secrets_of
from calamari_py.steps.kubernetes.spec import HelmSpec
from calamari_py.steps.kubernetes.values import KubeObject

_SOURCE = re.compile(r"# Source: .*")


def template(spec: HelmSpec, context: StepContext) -> StepOutcome:
    """Print the manifest, the values of its Secrets masked."""
    files = write_files(spec, private=context.private, temp=context.temp)
    helm = Helm(spec, context, files, access=None)
    context.report.fact("helm", helm.version())
    chart = fetch_chart(helm, context)
    doing = f"render chart '{spec.chart}'"
    manifest = helm.succeed("template", argv.template(spec, files, chart), doing=doing)
    objects = objects_of(manifest, origin="the chart")
    for name, value in secrets_of(each.body for each in objects):
        context.report.hide(value, name)
    context.report.text(b"".join(map(_shown, objects)))
    context.report.settle()
    return StepOutcome(code=0, changed=False)


def _shown(each: KubeObject) -> bytes:
    """The document as the chart wrote it. One with a Secret in it is written anew, for YAML has
    more ways to write a value than anybody searches for."""
    shown = without_values(each.body)
    text = each.text.decode().strip("\n")
    if shown is not each.body:
        source = _SOURCE.match(text)
        lines = (line.text for line in lines_of(shown, Numbers()))
        text = "\n".join([*([source[0]] if source else []), *lines])
    return f"---\n{text}\n".encode()
