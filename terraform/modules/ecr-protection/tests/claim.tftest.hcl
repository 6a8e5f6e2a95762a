mock_provider "aws" {}

variables {
  repositories = ["shop/api"]
}

run "the_claim_comes_first_and_your_rules_follow_in_their_order" {
  command = plan
  variables {
    check_mutability = false
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
    condition     = output.mutability.image_tag_mutability_exclusion_filter[0].filter == "prod-pinned-*"
    error_message = "pins are excluded from mutability (A52)"
  }
}

run "a_repository_whose_pins_can_be_moved_is_told" {
  command = plan
  override_data {
    target = data.aws_ecr_repository.this["shop/api"]
    values = { image_tag_mutability = "MUTABLE" }
  }
  assert {
    condition     = output.movable_pins == ["shop/api"]
    error_message = "it is named"
  }
  expect_failures = [check.pins_cannot_be_moved]
}

run "the_modes_that_keep_pins_where_they_are_pass_a18" {
  command = plan
  variables {
    repositories = ["shop/api", "shop/web", "shop/job"]
  }
  override_data {
    target = data.aws_ecr_repository.this["shop/api"]
    values = { image_tag_mutability = "IMMUTABLE" }
  }
  override_data {
    target = data.aws_ecr_repository.this["shop/web"]
    values = { image_tag_mutability = "IMMUTABLE_WITH_EXCLUSION" }
  }
  override_data {
    target = data.aws_ecr_repository.this["shop/job"]
    values = { image_tag_mutability = "MUTABLE_WITH_EXCLUSION" }
  }
  assert {
    condition     = length(output.movable_pins) == 0
    error_message = "an exclusion's filters are prodpin's to look at"
  }
}
