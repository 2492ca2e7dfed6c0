"""Step kind ``terraform``: Terraform or OpenTofu, run as the step's role."""
