resource "terraform_data" "removed" { input = "gone soon" }
resource "terraform_data" "left" { input = "left alone" }
resource "terraform_data" "old_name" { input = "moved" }
output "old" { value = "x" }
