"""Why it failed, and what can be done about it."""
