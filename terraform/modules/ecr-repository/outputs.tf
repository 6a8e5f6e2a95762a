output "name" {
  description = "The repository's name, for the module ecr-protection."
  value       = aws_ecr_repository.this.name
}

output "arn" {
  description = "The repository's ARN, for the module iam."
  value       = aws_ecr_repository.this.arn
}

output "url" {
  description = "The repository's URL, for docker push."
  value       = aws_ecr_repository.this.repository_url
}
