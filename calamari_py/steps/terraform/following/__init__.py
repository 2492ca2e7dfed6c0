"""What Terraform says while it works, told as it comes."""
