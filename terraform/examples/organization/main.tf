# An organisation: one function in an account for operations looks after the registries of the others. In each of them
# is a role that it may take, and a policy of the organisation keeps everybody else from removing pins.
#
# This is applied in the operations account; examples/organization/member in each of the others.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

provider "aws" {
  region = var.region
}

data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  roles     = { for account in var.accounts : account => "arn:${local.partition}:iam::${account}:role/prodpin-${var.mode}" }

  policy = templatefile("${path.module}/prodpin.yaml.tftpl", {
    ledger   = module.ledger.location
    region   = var.region
    roles    = local.roles
    prefixes = var.repository_prefixes
  })
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

module "ledger" {
  source         = "../../modules/ledger-bucket"
  bucket         = var.ledger_bucket
  administrators = var.administrators
  # Evidence that outlives whoever made it.
  retention_days = var.ledger_retention_days
}

module "roles" {
  source             = "../../modules/iam"
  name               = "prodpin-operations"
  roles              = [var.mode]
  assume_role_policy = data.aws_iam_policy_document.lambda.json
  ledger_bucket_arn  = module.ledger.arn
  source_role_arns   = values(local.roles)
}

module "function" {
  source           = "../../modules/lambda"
  package          = var.package
  architecture     = var.architecture
  role_arn         = module.roles.role_arns[var.mode]
  role_name        = module.roles.role_names[var.mode]
  mode             = var.mode
  policy           = local.policy
  environment      = { PRODPIN_EXTERNAL_ID = var.external_id }
  schedule         = "rate(15 minutes)"
  schedule_minutes = 15
  # Events of other accounts reach this one only over a bus that they send them to; the schedule needs none.
  ecr_events    = false
  alarm_actions = var.alarm_actions
}

# Attached by the management account, which alone may.
resource "aws_organizations_policy" "keep_pins" {
  count       = var.organization_target == null ? 0 : 1
  name        = "prodpin-keep-pins"
  description = "Only the release role removes images, or changes what keeps them"
  type        = "SERVICE_CONTROL_POLICY"
  content     = replace(file("${path.module}/../../../policies/organization/keep-pins.json"), "REGISTRY_ADMINISTRATOR", var.registry_administrator)
}

resource "aws_organizations_policy_attachment" "keep_pins" {
  count     = var.organization_target == null ? 0 : 1
  policy_id = aws_organizations_policy.keep_pins[0].id
  target_id = var.organization_target
}
