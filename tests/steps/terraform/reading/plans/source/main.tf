variable "password" {
  type      = string
  sensitive = true
  default   = "S3cr3t-default"
}
variable "users" {
  sensitive = true
  default   = { alice = "alices-password", "ghp_16C7e42F292c6912E7" = "key-holder" }
}
variable "step" { default = 1 }
variable "throwaway" {
  type      = string
  ephemeral = true
  default   = "ephemeral-value"
}
locals { three = { a = 1, "b.c" = 2 } }
resource "terraform_data" "kept" { input = "constant" }
resource "terraform_data" "web" {
  input            = { password = var.password, port = var.step }
  triggers_replace = [var.step]
}
resource "terraform_data" "config" {
  input = { name = "x", users = var.users, version = var.step, tags = { Owner = "a", "kubernetes.io/name" = "v${var.step}" } }
}
resource "terraform_data" "each" {
  for_each = var.step == 1 ? local.three : { a = 1 }
  input    = each.value
}
resource "terraform_data" "cbd" {
  input            = 1
  triggers_replace = var.step
  lifecycle { create_before_destroy = true }
}
resource "terraform_data" "follower" {
  input = "f"
  lifecycle { replace_triggered_by = [terraform_data.cbd] }
}
module "workers" {
  source = "./mod"
  secret = "module-const-secret"
  n      = 3 - var.step
}
module "copies" {
  source   = "./mod"
  for_each = { "eu.west" = 1 }
  secret   = var.password
  n        = 1
}
output "password" {
  value     = var.password
  sensitive = true
}
output "step" { value = var.step }
output "ids" { value = module.workers.ids }
