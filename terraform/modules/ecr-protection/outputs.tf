output "mutability" {
  description = "What the repositories' own `aws_ecr_repository` is to say. Pins cannot be moved then, and other tags are as before. The exclusion needs version 6.8 of the provider; before it, IMMUTABLE is the mode that protects pins, with all other tags."
  value = {
    image_tag_mutability                  = "MUTABLE_WITH_EXCLUSION"
    image_tag_mutability_exclusion_filter = [{ filter = "prod-pinned-*", filter_type = "WILDCARD" }]
  }
}

output "movable_pins" {
  description = "Repositories in which whoever pushes can move a pin."
  value       = local.movable
}

output "lifecycle_policy" {
  description = "The policy, to be tried with `prodpin forecast --lifecycle` before it is applied."
  value       = jsonencode({ rules = concat([local.claim], local.below) })
}
