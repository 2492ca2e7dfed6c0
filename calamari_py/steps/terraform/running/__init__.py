"""The tool itself: which one it is, how it is made ready, and its commands."""
