terraform {
  required_version = ">= 1.4"
  backend "s3" {}
}

variable "stage" {
  type = string
  validation {
    condition     = contains(["dev", "staging", "prod"], var.stage)
    error_message = "The stage is dev, staging or prod."
  }
}

variable "replicas" {
  type    = number
  default = 1
}

# It stands in for what you deploy, and needs no provider from a registry.
resource "terraform_data" "service" {
  count = var.replicas
  input = "${var.stage}-${count.index}"
}

output "names" {
  value = terraform_data.service[*].output
}
