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

run "what_is_not_named_is_not_allowed" {
  command = plan
  assert {
    condition = alltrue([
      for word in ["kms:", "sns:", "events:", "ecs:", "lambda:", "apprunner:", "sts:"] :
      !strcontains(aws_iam_role_policy.this["enforce"].policy, "\"${word}")
    ])
    error_message = "rights come with what they are for"
  }
}

run "what_is_named_is_allowed_there_and_nowhere_else" {
  command = plan
  variables {
    roles                     = ["audit", "enforce", "release"]
    ledger_bucket_arn         = "arn:aws:s3:::acme-prodpin-ledger"
    ledger_key_arn            = "arn:aws:kms:eu-west-1:111122223333:key/signs"
    ledger_encryption_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/encrypts"
    anchor_bucket_arn         = "arn:aws:s3:::acme-anchor"
    anchor_prefix             = "shop/"
    topic_arns                = ["arn:aws:sns:eu-west-1:111122223333:alerts"]
    event_bus_arns            = ["arn:aws:events:eu-west-1:111122223333:event-bus/default"]
    signals                   = ["ecs", "lambda", "apprunner"]
  }
  assert {
    condition = alltrue(flatten([
      for role in ["audit", "enforce", "release"] : [
        for pair in [
          ["kms:Sign", "arn:aws:kms:eu-west-1:111122223333:key/signs"],
          ["kms:GetPublicKey", "arn:aws:kms:eu-west-1:111122223333:key/signs"],
          ["kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/encrypts"],
          ["kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/encrypts"],
          ["sns:Publish", "arn:aws:sns:eu-west-1:111122223333:alerts"],
          ["events:PutEvents", "arn:aws:events:eu-west-1:111122223333:event-bus/default"],
          ["s3:PutObject", "arn:aws:s3:::acme-anchor/shop/*"],
        ] :
        contains(flatten([
          for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement :
          flatten([statement.Resource]) if statement.Effect == "Allow" && contains(flatten([statement.Action]), pair[0])
        ]), pair[1])
      ]
    ]))
    error_message = "each right is for what was named"
  }
  assert {
    condition = alltrue(flatten([
      for role in ["audit", "enforce", "release"] : [
        for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement : [
          for action in flatten([statement.Action]) :
          !contains(["kms", "sns", "events", "sts"], split(":", action)[0]) || !contains(flatten([statement.Resource]), "*")
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "no key, topic, bus or role that was not named"
  }
  assert {
    condition = alltrue(flatten([
      for role in ["audit", "enforce", "release"] : [
        for action in ["ecs:ListTasks", "lambda:ListFunctions", "apprunner:ListServices"] :
        strcontains(aws_iam_role_policy.this[role].policy, "\"${action}\"")
      ]
    ]))
    error_message = "what the platforms are asked"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this["enforce"].policy).Statement :
      statement.Condition.StringEquals["kms:SigningAlgorithm"] == "ED25519_SHA_512" if statement.Sid == "SignTheLedger"
    ])
    error_message = "a signature of another kind is none of prodpin's"
  }
  assert {
    condition = alltrue([
      for role in ["audit", "enforce", "release"] : anytrue([
        for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement :
        statement.Effect == "Deny" && contains(flatten([statement.Action]), "s3:DeleteObjectVersion") && contains(flatten([statement.Resource]), "arn:aws:s3:::acme-prodpin-ledger/*")
      ])
    ])
    error_message = "no role removes a record, whatever another policy allows"
  }
  assert {
    condition = alltrue([
      for role in ["audit", "enforce", "release"] :
      length(distinct([for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement : statement.Sid])) == length(jsondecode(aws_iam_role_policy.this[role].policy).Statement)
    ])
    error_message = "IAM refuses a document with the same Sid twice"
  }
  assert {
    condition     = alltrue([for role in ["audit", "enforce", "release"] : length(aws_iam_role_policy.this[role].policy) <= 10240])
    error_message = "a role's inline policies have 10,240 characters together"
  }
}

run "platforms_are_three" {
  command = plan
  variables {
    signals = ["ec2"]
  }
  expect_failures = [var.signals]
}

run "lifecycle_rules_are_changed_only_where_it_was_asked_for" {
  command = plan
  variables {
    roles            = ["audit", "enforce", "release"]
    manage_lifecycle = true
  }
  assert {
    condition = toset([
      for role in ["audit", "enforce", "release"] : role if contains(flatten([
        for statement in jsondecode(aws_iam_role_policy.this[role].policy).Statement : flatten([statement.Action]) if statement.Effect == "Allow"
      ]), "ecr:PutLifecyclePolicy")
    ]) == toset(["enforce"])
    error_message = "enforce alone may put the rule that claims pins"
  }
  assert {
    condition     = aws_iam_role.this["enforce"].tags["prodpin-lifecycle"] == "manage" && !strcontains(jsonencode(aws_iam_role.this["audit"].tags), "prodpin-lifecycle")
    error_message = "the tag by which the deny lets it through"
  }
}

run "without_that_nobody_changes_lifecycle_rules" {
  command = plan
  assert {
    condition     = !strcontains(jsonencode(aws_iam_role.this["enforce"].tags), "prodpin-lifecycle") && !strcontains(aws_iam_role_policy.this["enforce"].policy, "PutTheRuleThatClaimsPins")
    error_message = "off by default"
  }
}
