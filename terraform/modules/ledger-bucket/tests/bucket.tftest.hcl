# Planned by the real provider, without an account: documents are what they will be.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

run "what_is_recorded_stays" {
  command = plan
  variables {
    bucket = "acme-prodpin-ledger"
  }
  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "a ledger's bucket keeps every version, and can lock them"
  }
  assert {
    condition = anytrue([
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement :
      statement.Effect == "Deny" && statement.Principal == "*" && contains(flatten([statement.Action]), "s3:DeleteObjectVersion")
    ])
    error_message = "nobody may delete what is recorded"
  }
  assert {
    condition = anytrue([
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement :
      statement.Effect == "Deny" && try(statement.Condition.Null["s3:if-none-match"], "") == "true" && strcontains(join(",", flatten([statement.Resource])), "/checkpoint/")
    ])
    error_message = "a checkpoint is written once, or two writers both believe that they made it (B77)"
  }
  assert {
    condition = anytrue([
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement :
      statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
    ])
    error_message = "only over TLS"
  }
  assert {
    condition = alltrue([
      for kind in ["batch", "checkpoint", "report", "tile"] : anytrue([
        for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement :
        contains(flatten([statement.Resource]), "arn:aws:s3:::acme-prodpin-ledger/${kind}/*") if try(statement.Condition.Null["s3:if-none-match"], "") == "true"
      ])
    ])
    error_message = "what is recorded is written once; only caches are written again"
  }
  assert {
    condition     = !strcontains(data.aws_iam_policy_document.this.json, "s3:PutBucketPolicy")
    error_message = "with nobody named, nobody would be left to change this policy"
  }
  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "nothing is locked by default, unless days are given"
  }
}

run "only_administrators_change_what_protects_it" {
  command = plan
  variables {
    bucket         = "acme-prodpin-ledger"
    administrators = ["arn:aws:iam::111122223333:role/platform"]
  }
  assert {
    condition = anytrue([
      for statement in jsondecode(data.aws_iam_policy_document.this.json).Statement :
      contains(flatten([statement.Action]), "s3:PutBucketPolicy") && contains(flatten([statement.Action]), "s3:DeleteBucketPolicy") && statement.Condition.ArnNotLike["aws:PrincipalArn"] == "arn:aws:iam::111122223333:role/platform" if statement.Sid == "NothingIsDeleted"
    ])
    error_message = "whoever may remove the policy may then remove the ledger"
  }
}

run "days_lock_every_object" {
  command = plan
  variables {
    bucket         = "acme-prodpin-ledger"
    retention_days = 365
  }
  assert {
    condition     = aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 365
    error_message = "each object is locked for that long"
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "what is locked is not to expire"
  }
}

run "a_prefix_ends_with_a_slash" {
  command = plan
  variables {
    bucket = "acme-prodpin-ledger"
    prefix = "ledger"
  }
  expect_failures = [var.prefix]
}
