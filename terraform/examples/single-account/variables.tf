variable "region" {
  description = "The region of the repositories and of the function."
  type        = string
  default     = "eu-west-1"
}

variable "package" {
  description = "Path of the function's zip."
  type        = string
}

variable "architecture" {
  description = "The architecture it was built for."
  type        = string
  default     = "arm64"
}

variable "mode" {
  description = "audit or enforce. Start with audit; change to enforce when what it would pin looks right."
  type        = string
  default     = "audit"
  validation {
    condition     = contains(["audit", "enforce"], var.mode)
    error_message = "Use audit or enforce."
  }
}

variable "ledger_bucket" {
  description = "The name of the ledger's bucket. It is created."
  type        = string
}

variable "administrators" {
  description = "ARNs of the only roles that may delete the ledger."
  type        = list(string)
  default     = []
}

variable "repository_prefixes" {
  description = "Prefixes of the repositories that are protected."
  type        = list(string)
  default     = ["shop/"]
}

variable "deployment_bucket" {
  description = "A bucket with deployment bundles. It must send its events to EventBridge. Null: there is none."
  type        = string
  default     = null
}

variable "schedule_minutes" {
  description = "Minutes between two runs."
  type        = number
  default     = 15
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics that are notified when runs are missed or fail."
  type        = list(string)
  default     = []
}

variable "ledger_key_arn" {
  description = "ARN of the Ed25519 KMS key that signs the ledger. Create it with `aws kms create-key --key-spec ECC_NIST_EDWARDS25519 --key-usage SIGN_VERIFY`. Null: the ledger is unsigned, and every report says so."
  type        = string
  default     = null
}
