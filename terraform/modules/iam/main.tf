# Three roles, so that who looks cannot pin, and who pins cannot release. What each may do is written once, in the
# documents under policies/ that the tests hold against the calls prodpin makes; here they only get their names.

locals {
  documents = "${path.module}/../../../policies"
  roles     = toset(var.roles)

  ecr = {
    for role in local.roles : role => concat(
      jsondecode(file("${local.documents}/ecr/iam-${role}.json")).Statement,
      [for statement in jsondecode(file("${local.documents}/ecr/iam-lifecycle-manage.json")).Statement : statement if local.manages[role]],
    )
  }

  # The document says who it is for by this tag, and the deny in iam-enforce.json lets only those through who have it.
  manages = { for role in local.roles : role => role == "enforce" && var.manage_lifecycle }
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
      local.keys,
      local.signals,
      [for statement in local.named : statement if length(statement.Resource) > 0],
      local.records,
    )
  }

  partition = data.aws_partition.current.partition

  # What is only to be named to be allowed: nothing where nothing is named.
  named = [
    { Sid = "ActInTheSourcesAccounts", Effect = "Allow", Action = ["sts:AssumeRole"], Resource = var.source_role_arns },
    { Sid = "TellTopics", Effect = "Allow", Action = ["sns:Publish"], Resource = var.topic_arns },
    { Sid = "TellBuses", Effect = "Allow", Action = ["events:PutEvents"], Resource = var.event_bus_arns },
  ]

  # What the platforms are asked, each as the document of that name has it.
  signals = flatten([
    for platform in var.signals : [
      for statement in jsondecode(file("${local.documents}/iam-signals-${platform}.json")).Statement : merge(statement, {
        Resource = replace(statement.Resource, "arn:aws:", "arn:${local.partition}:")
      })
    ]
  ])

  keys = concat(
    # Signs checkpoints, and nothing that another algorithm would make something else of.
    [
      for statement in [
        { Sid = "ReadTheLedgersPublicKey", Effect = "Allow", Action = ["kms:GetPublicKey"], Resource = [var.ledger_key_arn] },
        {
          Sid       = "SignTheLedger"
          Effect    = "Allow"
          Action    = ["kms:Sign"]
          Resource  = [var.ledger_key_arn]
          Condition = { StringEquals = { "kms:SigningAlgorithm" = "ED25519_SHA_512" } }
        },
      ] : statement if var.ledger_key_arn != null
    ],
    # What the bucket's objects are encrypted with, used by S3 alone.
    [
      for statement in [
        {
          Sid       = "OpenTheLedgersObjects"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = [var.ledger_encryption_key_arn]
          Condition = { StringLike = { "kms:ViaService" = "s3.*" } }
        },
      ] : statement if var.ledger_encryption_key_arn != null
    ],
  )

  # Where records are kept, nothing is taken away, whatever another policy allows.
  kept = compact([var.ledger_bucket_arn, var.anchor_bucket_arn])
  records = length(local.kept) == 0 ? [] : [
    {
      Sid    = "NeverRemoveOrLoosenRecords"
      Effect = "Deny"
      Action = [
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketPolicy",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
        "s3:PutObjectLegalHold",
        "s3:PutObjectRetention",
      ]
      Resource = flatten([for arn in local.kept : [arn, "${arn}/*"]])
    },
  ]

  anchor = var.anchor_bucket_arn == null ? [] : [
    { Sid = "ListTheAnchor", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [var.anchor_bucket_arn] },
    {
      Sid      = "ReadAndAppendToTheAnchor"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = ["${var.anchor_bucket_arn}/${var.anchor_prefix}*"]
    },
  ]
  ledger = concat(local.anchor, var.ledger_bucket_arn == null ? [] : [
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
  ])
}

data "aws_partition" "current" {}

resource "aws_iam_role" "this" {
  for_each             = local.roles
  name                 = "${var.name}-${each.key}"
  assume_role_policy   = var.assume_role_policy
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = merge(var.tags, local.manages[each.key] ? { "prodpin-lifecycle" = "manage" } : {})
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles
  name     = "prodpin-${each.key}"
  role     = aws_iam_role.this[each.key].id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })

  lifecycle {
    precondition {
      condition     = length(local.statements[each.key]) > 0
      error_message = "Set at least one of ecr_repository_arns, buckets, ledger_bucket_arn and source_role_arns. Without any, the role may do nothing."
    }
  }
}
