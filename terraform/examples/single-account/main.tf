# One account: its ECR repositories and a deployment bucket are looked after by a function, on a schedule and as things
# happen; the ledger is in a bucket of its own.
#
#   cargo lambda build --release --arm64 --features lambda --bin bootstrap --output-format zip
#   terraform apply -var package=../../../target/lambda/bootstrap/bootstrap.zip -var ledger_bucket=acme-prodpin-ledger …

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

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # The pattern * stops at a slash in a policy; in an ARN it does not, so this allows a little more than is looked at.
  repository_arns = [
    for prefix in var.repository_prefixes :
    "arn:${local.partition}:ecr:${var.region}:${local.account}:repository/${prefix}*"
  ]

  policy = templatefile("${path.module}/prodpin.yaml.tftpl", {
    ledger   = module.ledger.location
    schedule = "rate(${var.schedule_minutes} ${var.schedule_minutes == 1 ? "minute" : "minutes"})"
    region   = var.region
    account  = local.account
    prefixes = var.repository_prefixes
    bucket   = var.deployment_bucket
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
}

module "roles" {
  source              = "../../modules/iam"
  roles               = [var.mode]
  assume_role_policy  = data.aws_iam_policy_document.lambda.json
  ecr_repository_arns = local.repository_arns
  buckets             = var.deployment_bucket == null ? [] : [var.deployment_bucket]
  ledger_bucket_arn   = module.ledger.arn
}

module "function" {
  source                  = "../../modules/lambda"
  package                 = var.package
  architecture            = var.architecture
  role_arn                = module.roles.role_arns[var.mode]
  role_name               = module.roles.role_names[var.mode]
  ledger_key_arn          = var.ledger_key_arn
  mode                    = var.mode
  policy                  = local.policy
  schedule                = "rate(${var.schedule_minutes} ${var.schedule_minutes == 1 ? "minute" : "minutes"})"
  schedule_minutes        = var.schedule_minutes
  ecr_repository_prefixes = var.repository_prefixes
  event_buckets           = var.deployment_bucket == null ? [] : [var.deployment_bucket]
  alarm_actions           = var.alarm_actions
}
