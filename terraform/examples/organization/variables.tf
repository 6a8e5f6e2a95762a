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
  description = "audit or enforce. Each account has a role of that name."
  type        = string
  default     = "audit"
  validation {
    condition     = contains(["audit", "enforce"], var.mode)
    error_message = "Use audit or enforce."
  }
}

variable "accounts" {
  description = "The accounts whose registries are protected. A policy in the function's variables has room for some dozens; for more, put the policy into the package."
  type        = list(string)
  validation {
    condition     = length(var.accounts) > 0 && alltrue([for account in var.accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "Give at least one account, each of twelve digits."
  }
}

variable "external_id" {
  description = "The external ID that the roles in the accounts require."
  type        = string
  sensitive   = true
}

variable "ledger_bucket" {
  description = "The name of the ledger's bucket. It is created."
  type        = string
}

variable "ledger_retention_days" {
  description = "Days for which nothing in the ledger can be deleted."
  type        = number
  default     = 365
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

variable "organization_target" {
  description = "The root, unit or account that the service control policy is attached to. Null: this is not applied by the management account."
  type        = string
  default     = null
}

variable "registry_administrator" {
  description = "The name of the role that may still delete images and change lifecycle policies by hand."
  type        = string
  default     = "registry-administrator"
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics that are notified when runs are missed or fail."
  type        = list(string)
  default     = []
}
