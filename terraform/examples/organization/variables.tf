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
  description = "audit or enforce; each account has a role of that name."
  type        = string
  default     = "audit"
  validation {
    condition     = contains(["audit", "enforce"], var.mode)
    error_message = "audit or enforce."
  }
}

variable "accounts" {
  description = "The accounts whose registries are looked after. Some dozens fit into a policy in the function's variables; for more, put the policy into the package."
  type        = list(string)
  validation {
    condition     = length(var.accounts) > 0 && alltrue([for account in var.accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "Accounts are twelve digits each, and there is at least one."
  }
}

variable "external_id" {
  description = "What the roles in the accounts ask for, so that nobody else can have the function take them."
  type        = string
  sensitive   = true
}

variable "ledger_bucket" {
  description = "The name of the ledger's bucket, which is made."
  type        = string
}

variable "ledger_retention_days" {
  description = "Days for which nothing in the ledger can be removed."
  type        = number
  default     = 365
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

variable "organization_target" {
  description = "The root, unit or account that the organisation's policy is attached to. Null where this is not applied by the management account."
  type        = string
  default     = null
}

variable "registry_administrator" {
  description = "The name of the role that may still remove images and change lifecycle policies by hand."
  type        = string
  default     = "registry-administrator"
}

variable "alarm_actions" {
  description = "SNS topics that are told when runs are missed or fail."
  type        = list(string)
  default     = []
}
