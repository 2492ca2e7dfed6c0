"""Plans and states as ``show -json`` tells them: what changes, what is secret, what is allowed."""
