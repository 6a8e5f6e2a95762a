output "bucket" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "The bucket's ARN."
  value       = local.arn
}

output "location" {
  description = "The value for the policy's `ledger:`."
  value       = "s3://${aws_s3_bucket.this.id}/${trimsuffix(var.prefix, "/")}"
}
