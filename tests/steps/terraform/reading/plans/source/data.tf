data "terraform_remote_state" "other" {
  backend    = "local"
  config     = { path = terraform_data.fresh.output }
  depends_on = [terraform_data.fresh]
}
