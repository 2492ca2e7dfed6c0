"""What Terraform says while it works."""
