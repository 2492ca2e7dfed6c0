"""One action of a kubectl step each."""
