"""run_step() and, for those who look or work by hand, run_command() and visit()."""

from calamari_py.runner.adhoc import AdHocCommand
from calamari_py.runner.corridor import Corridor
from calamari_py.runner.options import Doors, RunOptions
from calamari_py.runner.supervise import run_command, run_step, visit

__all__ = ["AdHocCommand", "Corridor", "Doors", "RunOptions", "run_command", "run_step", "visit"]
