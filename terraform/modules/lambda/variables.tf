variable "name" {
  description = "The function's name, and the prefix of all other names."
  type        = string
  default     = "prodpin"
}

variable "package" {
  description = "Path of the zip that `cargo lambda build --release --features lambda --bin bootstrap --output-format zip` writes."
  type        = string
}

variable "architecture" {
  description = "The architecture it was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Use arm64 or x86_64."
  }
}

variable "role_arn" {
  description = "ARN of the role it runs with: audit or enforce, from the module iam."
  type        = string
}

variable "role_name" {
  description = "That role's name. The module adds permissions for logs and the dead-letter queue to it. Null: it has them already."
  type        = string
  default     = null
}

variable "mode" {
  description = "audit, enforce or enforce-dry-run. No event can make the function do more."
  type        = string
  default     = "audit"
  validation {
    condition     = contains(["audit", "enforce", "enforce-dry-run"], var.mode)
    error_message = "Use audit, enforce or enforce-dry-run."
  }
}

# The variables of a function are limited together (G149).
variable "policy" {
  description = "The policy's text. Null: the package contains it as prodpin.yaml. Lambda allows 4 KB of variables in all."
  type        = string
  default     = null
  validation {
    condition     = var.policy == null || length(coalesce(var.policy, "-")) <= 3072
    error_message = "A policy longer than 3072 characters does not fit. Put it into the package as prodpin.yaml, and leave this null."
  }
}

variable "ledger_key_arn" {
  description = "ARN of the Ed25519 KMS key that signs the ledger, unless the policy names one. Create it with `aws kms create-key --key-spec ECC_NIST_EDWARDS25519 --key-usage SIGN_VERIFY`. Needs role_name, or a role that may use it (ledger_key_arn of the module iam). Without a key, whoever can write to the ledger's bucket can forge the record, and every report says so."
  type        = string
  default     = null
}

variable "environment" {
  description = "Further environment variables, such as those that $${NAME} in the policy needs."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "schedule" {
  description = "When to run: cron() or rate() of EventBridge Scheduler. Set the policy's own `schedule:` to the same, so that missed runs are found."
  type        = string
  default     = "rate(15 minutes)"
}

variable "time_zone" {
  description = "The time zone of a cron() schedule."
  type        = string
  default     = "UTC"
}

variable "schedule_minutes" {
  description = "The longest time between two scheduled runs, in minutes. The alarm on missed runs uses it."
  type        = number
  default     = 15
  validation {
    condition     = var.schedule_minutes >= 1 && var.schedule_minutes <= 1440
    error_message = "Use a number of minutes between 1 and 1440: CloudWatch alarms look back no further."
  }
}

variable "timeout" {
  description = "The function's timeout in seconds. A run ends by itself at 85 % of it, and reports that it is incomplete."
  type        = number
  default     = 840
  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900
    error_message = "Use a number between 30 and 900."
  }
}

variable "memory" {
  description = "The function's memory in MB. Its processor time is in proportion."
  type        = number
  default     = 512
}

variable "ecr_events" {
  description = "Whether the function also runs on each push and deletion in ECR of this account and region. EventBridge delivers by best effort; the schedule finds what is missed."
  type        = bool
  default     = true
}

variable "ecr_repository_prefixes" {
  description = "Prefixes of the repositories whose events count. Empty: all."
  type        = list(string)
  default     = []
}

variable "event_buckets" {
  description = "Deployment buckets whose object events start the function. They must send their events to EventBridge."
  type        = list(string)
  default     = []
}

variable "queue_arns" {
  description = "ARNs of SQS queues that receive such events from S3, EventBridge or a topic. A queue needs a visibility timeout of at least six times the function's timeout, and a dead-letter queue of its own. Needs role_name, or a role that may read them."
  type        = list(string)
  default     = []
}

variable "topic_arns" {
  description = "ARNs of SNS topics that receive such events from S3 or EventBridge."
  type        = list(string)
  default     = []
}

variable "alarm_actions" {
  description = "ARNs of the SNS topics that alarms notify."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "Days for which logs are kept. The lasting record is the ledger, not the log."
  type        = number
  default     = 90
}

variable "kms_key_arn" {
  description = "ARN of a KMS key for the variables, the logs and the dead-letter queue. Null: AWS's own."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "The most invocations at once. -1: the account's limit. Several at once lose nothing."
  type        = number
  default     = -1
}

variable "tags" {
  description = "Tags for everything."
  type        = map(string)
  default     = {}
}
