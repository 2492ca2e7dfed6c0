"""Step kind ``kubectl``: objects of a cluster, by kubectl itself."""
