mock_provider "aws" {}

run "the_claim_comes_first_and_your_rules_follow_in_their_order" {
  command = plan
  variables {
    repositories = ["shop/api"]
    lifecycle_rules = [
      { rulePriority = 7, selection = { tagStatus = "untagged", countType = "imageCountMoreThan", countNumber = 10 }, action = { type = "expire" } },
      { rulePriority = 3, selection = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 100 }, action = { type = "expire" } },
    ]
  }
  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["shop/api"].policy).rules[0].selection.tagPatternList == ["prod-pinned-*"]
    error_message = "pins are claimed before any other rule selects them (A51)"
  }
  assert {
    condition     = [for rule in jsondecode(output.lifecycle_policy).rules : rule.rulePriority] == [1, 2, 3]
    error_message = "the order is the list's, whatever numbers the rules had"
  }
  assert {
    condition     = strcontains(output.mutability_commands[0], "MUTABLE_WITH_EXCLUSION") && strcontains(output.mutability_commands[0], "filter=prod-pinned-*")
    error_message = "pins are excluded from mutability (A52)"
  }
}
