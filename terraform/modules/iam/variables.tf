variable "name" {
  description = "The prefix of the roles' names."
  type        = string
  default     = "prodpin"
}

variable "roles" {
  description = "Which roles to create: audit, enforce, release."
  type        = list(string)
  default     = ["audit", "enforce"]
  validation {
    condition     = alltrue([for role in var.roles : contains(["audit", "enforce", "release"], role)])
    error_message = "Use audit, enforce or release."
  }
}

variable "assume_role_policy" {
  description = "The trust policy of the roles, as JSON: the Lambda service, an EKS service account, or another account."
  type        = string
}

variable "ecr_repository_arns" {
  description = "ARNs of the ECR repositories, such as arn:aws:ecr:eu-west-1:111122223333:repository/shop/*."
  type        = list(string)
  default     = []
}

variable "manage_lifecycle" {
  description = "Whether the role enforce may put the rule that keeps pins in front of lifecycle policies (`lifecycle: manage`). Leave it off where Terraform or CDK owns the policies: each would undo the other's work."
  type        = bool
  default     = false
}

variable "buckets" {
  description = "Names of the deployment buckets."
  type        = list(string)
  default     = []
}

variable "ledger_bucket_arn" {
  description = "ARN of the ledger's bucket. Null: the ledger is not in a bucket."
  type        = string
  default     = null
}

variable "ledger_prefix" {
  description = "The ledger's prefix in the bucket: empty, or ending with a slash."
  type        = string
  default     = ""
}

variable "ledger_key_arn" {
  description = "ARN of the Ed25519 KMS key that signs the ledger's checkpoints (`ledger_key: { kms: … }`). Give the key's ARN even if the policy names an alias."
  type        = string
  default     = null
}

variable "ledger_encryption_key_arn" {
  description = "ARN of the KMS key that encrypts the ledger's bucket. Null: S3's own encryption."
  type        = string
  default     = null
}

variable "anchor_bucket_arn" {
  description = "ARN of the bucket that receives a copy of every checkpoint (`anchor:`). Best in another account; its bucket policy must allow the roles too."
  type        = string
  default     = null
}

variable "anchor_prefix" {
  description = "The prefix in that bucket: empty, or ending with a slash."
  type        = string
  default     = ""
}

variable "topic_arns" {
  description = "ARNs of the SNS topics in the policy's `alerts:`."
  type        = list(string)
  default     = []
}

variable "event_bus_arns" {
  description = "ARNs of the EventBridge buses in the policy's `alerts:`."
  type        = list(string)
  default     = []
}

variable "signals" {
  description = "Platforms of this account that the policy's `production:` reads: ecs, lambda, apprunner."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for platform in var.signals : contains(["ecs", "lambda", "apprunner"], platform)])
    error_message = "Use ecs, lambda or apprunner."
  }
}

variable "source_role_arns" {
  description = "ARNs of roles in other accounts that the policy's `assume_role` names."
  type        = list(string)
  default     = []
}

variable "permissions_boundary" {
  description = "A permissions boundary for the roles."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the roles."
  type        = map(string)
  default     = {}
}
