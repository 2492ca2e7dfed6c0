"""What each action of a ``terraform`` step does, in terms of the other rooms."""
