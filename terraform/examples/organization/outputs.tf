output "function" {
  description = "The function's name. Invoke it by hand with {\"mode\": \"audit\"}."
  value       = module.function.function_name
}

output "function_role" {
  description = "The function's role, which the roles in the accounts trust."
  value       = module.roles.role_arns[var.mode]
}

output "policy" {
  description = "The function's policy."
  value       = local.policy
}
