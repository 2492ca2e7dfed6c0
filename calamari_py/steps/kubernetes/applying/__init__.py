"""Objects are handed to a cluster, in order, and what became of each is known."""
