"""Terraform's own log (``log_level``): kept, masked, of a run that ended badly."""

from __future__ import annotations

from calamari_py.steps.base import StepReport
from calamari_py.steps.terraform.commands.files import PrivateFiles

_NAME = "terraform.log"


def keep_log(files: PrivateFiles, report: StepReport) -> None:
    """Keep it as an artifact. One that is not kept goes with the folder that it is in."""
    if files.log is None or not files.log.is_file() or not files.log.stat().st_size:
        return
    if not report.artifact(files.log, _NAME):
        report.warn(
            "Terraform's own log is not kept",
            hint="name a folder with --artifacts: the log of a run that fails is put there, masked",
        )
