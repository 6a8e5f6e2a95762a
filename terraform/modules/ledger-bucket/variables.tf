variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "prefix" {
  description = "The ledger's prefix in the bucket: empty, or ending with a slash."
  type        = string
  default     = ""
  validation {
    condition     = var.prefix == "" || endswith(var.prefix, "/")
    error_message = "End the prefix with a slash."
  }
}

variable "administrators" {
  description = "ARNs of the only roles that may delete objects, or change what protects the bucket, its policy included. Whoever applies this must be one of them. Empty: nobody may, except by changing the bucket's policy first."
  type        = list(string)
  default     = []
}

variable "retention_days" {
  description = "Days for which every object is locked from its creation. 0: nothing is locked by default."
  type        = number
  default     = 0
  validation {
    condition     = var.retention_days >= 0 && var.retention_days <= 36500
    error_message = "Use a number between 0 and 36500."
  }
}

variable "retention_mode" {
  description = "GOVERNANCE or COMPLIANCE. Nobody can shorten COMPLIANCE, root included."
  type        = string
  default     = "GOVERNANCE"
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.retention_mode)
    error_message = "Use GOVERNANCE or COMPLIANCE."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key that encrypts the objects. Null: S3's own encryption. Whoever deletes the key deletes the ledger."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
}
