# In each account of the organisation: the role that the function takes, and pins that lifecycle rules spare.

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

variable "region" {
  description = "The region of the repositories."
  type        = string
  default     = "eu-west-1"
}

variable "function_role" {
  description = "The function's role: the output of that name of examples/organization."
  type        = string
}

variable "mode" {
  description = "audit or enforce, as the function."
  type        = string
  default     = "audit"
}

variable "external_id" {
  description = "What the function must say when it takes the role."
  type        = string
  sensitive   = true
}

variable "repository_prefixes" {
  description = "Repositories whose names begin so are looked after."
  type        = list(string)
  default     = ["shop/"]
}

variable "protected_repositories" {
  description = "Repositories whose lifecycle policy is written here, with pins claimed in front of your rules."
  type        = list(string)
  default     = []
}

variable "lifecycle_rules" {
  description = "Your own rules."
  type        = any
  default     = []
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [var.function_role]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

module "role" {
  source             = "../../../modules/iam"
  roles              = [var.mode]
  assume_role_policy = data.aws_iam_policy_document.trust.json
  ecr_repository_arns = [
    for prefix in var.repository_prefixes :
    "arn:${data.aws_partition.current.partition}:ecr:${var.region}:${data.aws_caller_identity.current.account_id}:repository/${prefix}*"
  ]
}

module "protection" {
  source          = "../../../modules/ecr-protection"
  repositories    = var.protected_repositories
  lifecycle_rules = var.lifecycle_rules
}

output "role" {
  description = "The role's ARN, which the policy's assume_role names."
  value       = module.role.role_arns[var.mode]
}
