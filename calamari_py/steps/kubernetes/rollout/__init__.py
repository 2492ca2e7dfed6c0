"""Whether what was told to a cluster has come about, and why not."""
