# The bucket of a ledger: nothing in it is overwritten but caches, so nothing in it need ever be deleted.

data "aws_partition" "current" {}

locals {
  arn = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}"
}

resource "aws_s3_bucket" "this" {
  bucket              = var.bucket
  object_lock_enabled = true
  tags                = var.tags
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count  = var.retention_days == 0 ? 0 : 1
  bucket = aws_s3_bucket.this.id
  rule {
    default_retention {
      mode = var.retention_mode
      days = var.retention_days
    }
  }
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Views are caches, written again with every run; their old versions are worth nothing.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count  = var.retention_days == 0 ? 1 : 0
  bucket = aws_s3_bucket.this.id
  rule {
    id     = "old-views"
    status = "Enabled"
    filter {
      prefix = "${var.prefix}view/"
    }
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
  }
  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "this" {
  statement {
    sid     = "OnlyOverTls"
    effect  = "Deny"
    actions = ["s3:*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    resources = [local.arn, "${local.arn}/*"]
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # A checkpoint that could be written twice would be no commit: two writers would both believe that they made it (B77).
  # What it stands for is named by its hash and created in the same way; only caches (view/) are written over.
  statement {
    sid     = "RecordsAreCreatedOnce"
    effect  = "Deny"
    actions = ["s3:PutObject"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    resources = [for kind in ["batch", "checkpoint", "report", "tile"] : "${local.arn}/${var.prefix}${kind}/*"]
    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
  }

  statement {
    sid    = "NothingIsDeleted"
    effect = "Deny"
    actions = concat(
      [
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:DeleteBucket",
        "s3:BypassGovernanceRetention",
        "s3:PutBucketVersioning",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutLifecycleConfiguration",
      ],
      # Whoever may remove this policy may then do the rest. Where no role is named, only root could repair it.
      length(var.administrators) == 0 ? [] : ["s3:DeleteBucketPolicy", "s3:PutBucketPolicy"],
    )
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    resources = [local.arn, "${local.arn}/*"]
    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = length(var.administrators) == 0 ? ["arn:${data.aws_partition.current.partition}:iam::000000000000:role/nobody"] : var.administrators
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.this.json
  # Last: it keeps whoever applies this from changing the rest, unless they are among the administrators.
  depends_on = [
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_object_lock_configuration.this,
    aws_s3_bucket_lifecycle_configuration.this,
  ]
}
