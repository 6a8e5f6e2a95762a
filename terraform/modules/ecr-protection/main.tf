# What keeps pins where they are: a first rule that claims them (A51), and tags that cannot be overwritten (A52).
# Where this module owns the lifecycle policy, leave `lifecycle: manage` out of prodpin's policy.

locals {
  claim = {
    rulePriority = 1
    description  = "Claim prodpin's pins so that no rule below expires them"
    selection = {
      tagStatus      = "tagged"
      tagPatternList = ["prod-pinned-*"]
      countType      = "imageCountMoreThan"
      countNumber    = 9999
    }
    action = { type = "expire" }
  }

  # The rules given move down by one, in their own order: the claim must come first (A32).
  below = [
    for index, rule in var.lifecycle_rules : merge(rule, { rulePriority = index + 2 })
  ]
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each   = toset(var.repositories)
  repository = each.key
  policy     = jsonencode({ rules = concat([local.claim], local.below) })
}

# A repository's mutability is part of the repository, which is somebody else's resource: two owners would undo each
# other's work with every apply. So this reads it, and every plan says which repositories let pins be moved. Any version of
# the provider reads the exclusion modes, though 5.x cannot set them; which tags the filters name prodpin looks at itself.
data "aws_ecr_repository" "this" {
  for_each = var.check_mutability ? toset(var.repositories) : []
  name     = each.key
}

locals {
  modes   = ["IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"]
  movable = [for name, repository in data.aws_ecr_repository.this : name if !contains(local.modes, repository.image_tag_mutability)]
}

check "pins_cannot_be_moved" {
  assert {
    condition     = length(local.movable) == 0
    error_message = "In these repositories anybody who pushes can move a pin: ${join(", ", local.movable)}. Set this module's output `mutability` on their aws_ecr_repository, or create them with the module ecr-repository."
  }
}
