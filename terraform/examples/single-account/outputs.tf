output "function" {
  description = "The function's name. Invoke it by hand with {\"mode\": \"audit\"}."
  value       = module.function.function_name
}

output "policy" {
  description = "The function's policy. Try it with `prodpin check`."
  value       = local.policy
}

output "ledger" {
  description = "The ledger's location, for `prodpin history --ledger` and `prodpin verify --ledger`."
  value       = module.ledger.location
}

output "role" {
  description = "The function's role."
  value       = module.roles.role_arns[var.mode]
}
