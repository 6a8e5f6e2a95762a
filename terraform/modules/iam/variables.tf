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
