"""How a cluster is reached: whom it is asked as, and what is written for kubectl and helm."""
