output "function" {
  description = "The function, to be invoked by hand with {\"mode\": \"audit\"}."
  value       = module.function.function_name
}

output "function_role" {
  description = "The role that the roles of the accounts let in."
  value       = module.roles.role_arns[var.mode]
}

output "policy" {
  description = "The policy that it goes by."
  value       = local.policy
}
