output "mutability" {
  description = "Arguments for the repositories' own `aws_ecr_repository`. With them pins cannot be moved, and other tags stay as they are. The exclusion needs AWS provider 6.8. Before that, only IMMUTABLE protects pins, together with all other tags."
  value = {
    image_tag_mutability                  = "MUTABLE_WITH_EXCLUSION"
    image_tag_mutability_exclusion_filter = [{ filter = "prod-pinned-*", filter_type = "WILDCARD" }]
  }
}

output "movable_pins" {
  description = "Repositories in which anybody who pushes can move a pin."
  value       = local.movable
}

output "lifecycle_policy" {
  description = "The lifecycle policy. Try it with `prodpin forecast --lifecycle FILE` before you apply it."
  value       = jsonencode({ rules = concat([local.claim], local.below) })
}
