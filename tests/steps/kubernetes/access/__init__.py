"""Tests of how a cluster is reached."""
