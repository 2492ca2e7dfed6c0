"""One file an action."""
