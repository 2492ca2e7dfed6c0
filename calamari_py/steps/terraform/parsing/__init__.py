"""A section becomes a spec, or every problem that can be told before anything is started."""
