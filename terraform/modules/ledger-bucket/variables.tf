variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "prefix" {
  description = "Where in the bucket the ledger is; empty, or ending with a slash."
  type        = string
  default     = ""
  validation {
    condition     = var.prefix == "" || endswith(var.prefix, "/")
    error_message = "A prefix ends with a slash."
  }
}

variable "administrators" {
  description = "ARNs of the only roles that may delete, or change what protects the bucket, its policy included; whoever applies this must be one of them. Nobody may, if it is empty, but whoever may change the bucket's policy can first do that."
  type        = list(string)
  default     = []
}

variable "retention_days" {
  description = "Days for which every object is locked from its creation; 0 locks nothing by default."
  type        = number
  default     = 0
  validation {
    condition     = var.retention_days >= 0 && var.retention_days <= 36500
    error_message = "Between 0 and 36500 days."
  }
}

variable "retention_mode" {
  description = "GOVERNANCE, or COMPLIANCE, which nobody can shorten, root included."
  type        = string
  default     = "GOVERNANCE"
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.retention_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "kms_key_arn" {
  description = "A KMS key for the objects; S3's own encryption without one. Whoever deletes the key deletes the ledger."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
}
