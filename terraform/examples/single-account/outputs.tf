output "function" {
  description = "The function, to be invoked by hand with {\"mode\": \"audit\"}."
  value       = module.function.function_name
}

output "policy" {
  description = "The policy that it goes by, to be tried with `prodpin check`."
  value       = local.policy
}

output "ledger" {
  description = "What `prodpin history --ledger` and `prodpin verify --ledger` take."
  value       = module.ledger.location
}

output "role" {
  description = "The function's role."
  value       = module.roles.role_arns[var.mode]
}
