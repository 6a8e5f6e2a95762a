variable "name" {
  description = "What the roles' names begin with."
  type        = string
  default     = "prodpin"
}

variable "roles" {
  description = "Which roles to make: audit, enforce, release."
  type        = list(string)
  default     = ["audit", "enforce"]
  validation {
    condition     = alltrue([for role in var.roles : contains(["audit", "enforce", "release"], role)])
    error_message = "Roles are audit, enforce and release."
  }
}

variable "assume_role_policy" {
  description = "Who may take the roles, as a JSON document: the Lambda service, an EKS service account, another account."
  type        = string
}

variable "ecr_repository_arns" {
  description = "ARNs of the ECR repositories, such as arn:aws:ecr:eu-west-1:111122223333:repository/shop/*."
  type        = list(string)
  default     = []
}

variable "manage_lifecycle" {
  description = "Whether the role enforce may put the rule that claims pins in front of lifecycle policies (`lifecycle: manage`). Not where Terraform or CDK owns the policies: each would undo the other's work."
  type        = bool
  default     = false
}

variable "buckets" {
  description = "Names of the deployment buckets."
  type        = list(string)
  default     = []
}

variable "ledger_bucket_arn" {
  description = "The ledger's bucket, if it is in one."
  type        = string
  default     = null
}

variable "ledger_prefix" {
  description = "Where in the bucket the ledger is; empty, or ending with a slash."
  type        = string
  default     = ""
}

variable "ledger_key_arn" {
  description = "The Ed25519 key of KMS that signs the ledger's checkpoints (`ledger_key: { kms: … }`). The key's ARN also where the policy names an alias."
  type        = string
  default     = null
}

variable "ledger_encryption_key_arn" {
  description = "The KMS key that the ledger's bucket encrypts with, if it is not S3's own."
  type        = string
  default     = null
}

variable "anchor_bucket_arn" {
  description = "The bucket that every checkpoint is copied to (`anchor:`), best in another account, whose bucket policy must allow it too."
  type        = string
  default     = null
}

variable "anchor_prefix" {
  description = "Where in that bucket; empty, or ending with a slash."
  type        = string
  default     = ""
}

variable "topic_arns" {
  description = "SNS topics that `alerts:` names."
  type        = list(string)
  default     = []
}

variable "event_bus_arns" {
  description = "EventBridge buses that `alerts:` names."
  type        = list(string)
  default     = []
}

variable "signals" {
  description = "Platforms of this account that `production:` asks what runs: ecs, lambda, apprunner."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for platform in var.signals : contains(["ecs", "lambda", "apprunner"], platform)])
    error_message = "Platforms are ecs, lambda and apprunner."
  }
}

variable "source_role_arns" {
  description = "Roles in other accounts that the policy's `assume_role` names."
  type        = list(string)
  default     = []
}

variable "permissions_boundary" {
  description = "A boundary for the roles."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the roles."
  type        = map(string)
  default     = {}
}
