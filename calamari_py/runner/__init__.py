"""run_step(): one manifest in, one result out."""

from calamari_py.runner.corridor import run_step
from calamari_py.runner.options import Doors, RunOptions

__all__ = ["Doors", "RunOptions", "run_step"]
