variable "secret" {
  type      = string
  sensitive = true
}
variable "n" { default = 2 }
resource "terraform_data" "worker" {
  count = var.n
  input = { token = var.secret, index = count.index }
}
output "ids" { value = terraform_data.worker[*].id }
