"""Step kind ``helm``: a release, by helm itself."""
