# Three roles, so that who looks cannot pin, and who pins cannot release. What each may do is written once, in the
# documents under policies/ that the tests hold against the calls prodpin makes; here they only get their names.

locals {
  documents = "${path.module}/../../../policies"
  roles     = toset(var.roles)

  ecr = { for role in local.roles : role => jsondecode(file("${local.documents}/ecr/iam-${role}.json")).Statement }
  s3 = {
    for role in local.roles : role => jsondecode(file("${local.documents}/s3/${role == "audit" ? "audit" : "enforce"}.json")).Statement
  }

  # Statements about repositories and buckets are left out where there are none: a document may not name nothing.
  statements = {
    for role in local.roles : role => concat(
      [
        for statement in local.ecr[role] : merge(statement, {
          Resource = flatten([
            for resource in flatten([statement.Resource]) :
            strcontains(resource, ":repository/") ? var.ecr_repository_arns : [resource]
          ])
        }) if length(var.ecr_repository_arns) > 0
      ],
      [
        for statement in local.s3[role] : merge(statement, {
          Sid = "${statement.Sid}InBuckets"
          Resource = flatten([
            for resource in flatten([statement.Resource]) :
            [for bucket in var.buckets : replace(replace(resource, "BUCKET", bucket), "arn:aws:", "arn:${local.partition}:")]
          ])
        }) if length(var.buckets) > 0
      ],
      local.ledger,
      length(var.source_role_arns) > 0 ? [
        { Sid = "ActInTheSourcesAccounts", Effect = "Allow", Action = ["sts:AssumeRole"], Resource = var.source_role_arns }
      ] : [],
    )
  }

  partition = data.aws_partition.current.partition
  ledger = var.ledger_bucket_arn == null ? [] : [
    {
      Sid      = "ListTheLedger"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [var.ledger_bucket_arn]
    },
    {
      # Created, and read. What is there already is never written again but for caches.
      Sid      = "ReadAndAppendToTheLedger"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = ["${var.ledger_bucket_arn}/${var.ledger_prefix}*"]
    },
  ]
}

data "aws_partition" "current" {}

resource "aws_iam_role" "this" {
  for_each             = local.roles
  name                 = "${var.name}-${each.key}"
  assume_role_policy   = var.assume_role_policy
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles
  name     = "prodpin-${each.key}"
  role     = aws_iam_role.this[each.key].id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })

  lifecycle {
    precondition {
      condition     = length(local.statements[each.key]) > 0
      error_message = "Name at least one of ecr_repository_arns, buckets, ledger_bucket_arn and source_role_arns."
    }
  }
}
