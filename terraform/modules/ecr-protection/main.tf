# What keeps pins where they are: a first rule that claims them (A51), and tags that cannot be overwritten (A52).

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

# The exclusion modes are younger than the resource in some versions of the provider (it refuses their names), and there
# is no resource for mutability alone. So the setting is given as the command that makes it, to be run where it is wanted.
output "mutability_commands" {
  description = "Commands that make pins immutable and leave other tags as they are, one for each repository."
  value = [
    for repository in var.repositories :
    "aws ecr put-image-tag-mutability --repository-name ${repository} --image-tag-mutability MUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters filterType=WILDCARD,filter=prod-pinned-*"
  ]
}

output "lifecycle_policy" {
  description = "The policy, to be tried with `prodpin forecast --lifecycle` before it is applied."
  value       = jsonencode({ rules = concat([local.claim], local.below) })
}
