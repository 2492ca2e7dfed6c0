"""Step kinds ``kubectl`` and ``helm``: what a cluster is told, as the step's role."""
