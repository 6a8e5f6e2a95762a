variable "region" {
  description = "The region of the repositories and of the function."
  type        = string
  default     = "eu-west-1"
}

variable "package" {
  description = "The function's zip."
  type        = string
}

variable "architecture" {
  description = "What it was built for."
  type        = string
  default     = "arm64"
}

variable "mode" {
  description = "audit, to begin with; enforce when what it would pin looks right."
  type        = string
  default     = "audit"
  validation {
    condition     = contains(["audit", "enforce"], var.mode)
    error_message = "audit or enforce."
  }
}

variable "ledger_bucket" {
  description = "The name of the ledger's bucket, which is made."
  type        = string
}

variable "administrators" {
  description = "ARNs of the only roles that may ever remove the ledger."
  type        = list(string)
  default     = []
}

variable "repository_prefixes" {
  description = "Repositories whose names begin so are looked after."
  type        = list(string)
  default     = ["shop/"]
}

variable "deployment_bucket" {
  description = "A bucket with deployment bundles, if there is one. It must send its events to EventBridge."
  type        = string
  default     = null
}

variable "schedule_minutes" {
  description = "Minutes between two runs."
  type        = number
  default     = 15
}

variable "alarm_actions" {
  description = "SNS topics that are told when runs are missed or fail."
  type        = list(string)
  default     = []
}

variable "ledger_key_arn" {
  description = "The Ed25519 key of KMS that signs the ledger: `aws kms create-key --key-spec ECC_NIST_EDWARDS25519 --key-usage SIGN_VERIFY` makes one. Null: unsigned, and every report says so."
  type        = string
  default     = null
}
