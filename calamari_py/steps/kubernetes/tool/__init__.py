"""kubectl: the program, bound to one cluster and one step."""
