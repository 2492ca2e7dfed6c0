"""run_step(): one manifest in, one result out."""

from calamari_py.runner.corridor import Doors, RunOptions, run_step

__all__ = ["Doors", "RunOptions", "run_step"]
