# Planned by the real provider, without an account.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  assume_role_policy  = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/shop/*"]
  buckets             = ["acme-deployments"]
}

run "who_looks_cannot_pin_and_who_pins_cannot_delete" {
  command = plan
  assert {
    condition     = toset(keys(aws_iam_role_policy.this)) == toset(["audit", "enforce"])
    error_message = "release is a role that must be asked for"
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.this["audit"].policy).Statement : [
        for action in flatten([statement.Action]) : !can(regex(":(Put|Delete|BatchDelete|Update|Set)", action)) if statement.Effect == "Allow"
      ]
    ]))
    error_message = "audit is allowed to change nothing"
  }
  assert {
    condition = contains(flatten([
      for statement in jsondecode(aws_iam_role_policy.this["enforce"].policy).Statement : flatten([statement.Action]) if statement.Effect == "Allow"
    ]), "ecr:PutImage")
    error_message = "enforce pins"
  }
  assert {
    condition = alltrue([
      for action in ["ecr:BatchDeleteImage", "ecr:PutLifecyclePolicy", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"] :
      contains(flatten([
        for statement in jsondecode(aws_iam_role_policy.this["enforce"].policy).Statement : flatten([statement.Action]) if statement.Effect == "Deny"
      ]), action)
    ])
    error_message = "what would undo a pin is denied, whatever another policy allows"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this["enforce"].policy, "BUCKET") && !strcontains(aws_iam_role_policy.this["enforce"].policy, "ACCOUNT")
    error_message = "no placeholder is left"
  }
}

run "a_role_for_nothing_is_refused" {
  command = plan
  variables {
    ecr_repository_arns = []
    buckets             = []
  }
  expect_failures = [aws_iam_role_policy.this]
}

run "there_are_three_roles" {
  command = plan
  variables {
    roles = ["administrator"]
  }
  expect_failures = [var.roles]
}
