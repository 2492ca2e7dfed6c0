"""The state's safety: its lock, and a state that could not be saved."""
