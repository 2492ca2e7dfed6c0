"""calamari: runs one deployment step as exactly one AWS identity."""

__version__ = "0.1.0"
