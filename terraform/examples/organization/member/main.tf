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
  description = "ARN of the function's role: the output function_role of examples/organization."
  type        = string
}

variable "mode" {
  description = "audit or enforce: the same as the function's mode."
  type        = string
  default     = "audit"
}

variable "external_id" {
  description = "The external ID that the function must send when it assumes the role."
  type        = string
  sensitive   = true
}

variable "repository_prefixes" {
  description = "Prefixes of the repositories that are protected."
  type        = list(string)
  default     = ["shop/"]
}

variable "protected_repositories" {
  description = "Repositories whose lifecycle policy is written here: a rule that keeps pins, in front of your rules."
  type        = list(string)
  default     = []
}

variable "lifecycle_rules" {
  description = "Your own lifecycle rules."
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
  description = "The role's ARN, for assume_role in the policy."
  value       = module.role.role_arns[var.mode]
}
