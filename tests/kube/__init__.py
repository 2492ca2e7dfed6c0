"""A Kubernetes cluster for tests: a server that kubectl and helm accept, and what runs on it."""
