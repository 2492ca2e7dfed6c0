removed {
  from = terraform_data.left
  lifecycle { destroy = false }
}
moved {
  from = terraform_data.old_name
  to   = terraform_data.new_name
}
resource "terraform_data" "new_name" { input = "moved" }
resource "terraform_data" "fresh" { input = "n" }
import {
  to = terraform_data.imported
  id = "7c1d2f9e-0000-4000-8000-000000000001"
}
resource "terraform_data" "imported" {}
