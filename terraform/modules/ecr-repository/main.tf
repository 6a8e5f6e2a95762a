# A repository in which pins cannot be moved (A18, A52). What claims them among lifecycle rules is the module
# ecr-protection.

resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = local.modes[var.other_tags]
  force_delete         = false
  tags                 = var.tags

  # Filters name the exceptions: of a mutable repository those that do not move, of an immutable one those that do.
  dynamic "image_tag_mutability_exclusion_filter" {
    for_each = local.exceptions
    content {
      filter      = image_tag_mutability_exclusion_filter.value
      filter_type = "WILDCARD"
    }
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }

  lifecycle {
    # What it holds cannot be made again.
    prevent_destroy = true
  }
}

locals {
  modes = {
    move     = "MUTABLE_WITH_EXCLUSION"
    stay     = "IMMUTABLE"
    stay_but = "IMMUTABLE_WITH_EXCLUSION"
  }
  exceptions = {
    move     = ["prod-pinned-*"]
    stay     = []
    stay_but = var.moving_tags
  }[var.other_tags]
}
