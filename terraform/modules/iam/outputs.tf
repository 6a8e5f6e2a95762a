output "role_arns" {
  description = "The roles' ARNs by name: audit, enforce, release."
  value       = { for role, resource in aws_iam_role.this : role => resource.arn }
}

output "role_names" {
  description = "The roles' names by name."
  value       = { for role, resource in aws_iam_role.this : role => resource.name }
}
