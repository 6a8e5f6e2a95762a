variable "name" {
  description = "The function's name, and what the names of everything around it begin with."
  type        = string
  default     = "prodpin"
}

variable "package" {
  description = "The zip that `cargo lambda build --release --features lambda --bin bootstrap --output-format zip` made."
  type        = string
}

variable "architecture" {
  description = "What it was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "role_arn" {
  description = "The role it runs with: audit or enforce, from the module iam."
  type        = string
}

variable "role_name" {
  description = "That role's name, to which logs and the dead-letter queue are added; none if it has them already."
  type        = string
  default     = null
}

variable "mode" {
  description = "audit, enforce or enforce-dry-run. No event makes the function do more."
  type        = string
  default     = "audit"
  validation {
    condition     = contains(["audit", "enforce", "enforce-dry-run"], var.mode)
    error_message = "audit, enforce or enforce-dry-run."
  }
}

# The variables of a function are limited together (G149).
variable "policy" {
  description = "The policy's text. Null: the package holds it as prodpin.yaml. Lambda takes 4 KB of variables in all."
  type        = string
  default     = null
  validation {
    condition     = var.policy == null || length(coalesce(var.policy, "-")) <= 3072
    error_message = "A policy longer than 3072 characters does not fit: put it into the package as prodpin.yaml, and leave this null."
  }
}

variable "ledger_key_arn" {
  description = "The Ed25519 key of KMS that signs the ledger, unless the policy names one: `aws kms create-key --key-spec ECC_NIST_EDWARDS25519 --key-usage SIGN_VERIFY` makes it. Needs role_name, or a role that may use it (ledger_key_arn of the module iam). Without a key whoever can write to the ledger's bucket can forge the record, and every report says so."
  type        = string
  default     = null
}

variable "environment" {
  description = "Further variables, such as those that the policy's $${NAME} ask for."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "schedule" {
  description = "When to run: cron() or rate(), as EventBridge Scheduler reads them. The policy's own schedule should say the same, so that missed runs are found."
  type        = string
  default     = "rate(15 minutes)"
}

variable "time_zone" {
  description = "The time zone of a cron() schedule."
  type        = string
  default     = "UTC"
}

variable "schedule_minutes" {
  description = "The longest time between two runs by that schedule, in minutes: what the alarm on missed runs goes by."
  type        = number
  default     = 15
  validation {
    condition     = var.schedule_minutes >= 1 && var.schedule_minutes <= 1440
    error_message = "Between a minute and a day: CloudWatch looks back no further than it needs to at this rate."
  }
}

variable "timeout" {
  description = "Seconds for one invocation. A run ends at 85 % of it by itself, and says that it is incomplete."
  type        = number
  default     = 840
  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900
    error_message = "Between 30 and 900 seconds."
  }
}

variable "memory" {
  description = "MB; processor time comes in proportion."
  type        = number
  default     = 512
}

variable "ecr_events" {
  description = "Whether pushes and deletions in this account and region are looked at as they happen. They come by best effort; the schedule finds what they miss."
  type        = bool
  default     = true
}

variable "ecr_repository_prefixes" {
  description = "Only events of repositories whose names begin with one of these; all of them if empty."
  type        = list(string)
  default     = []
}

variable "event_buckets" {
  description = "Deployment buckets whose object events are looked at as they happen. They must send their events to EventBridge."
  type        = list(string)
  default     = []
}

variable "queue_arns" {
  description = "SQS queues that S3, EventBridge or a topic put such events into. A queue must hide a message for at least six times the function's timeout, and have a dead-letter queue of its own for what comes back. Needs role_name, or a role that may read them."
  type        = list(string)
  default     = []
}

variable "topic_arns" {
  description = "SNS topics that S3 or EventBridge tell such events to."
  type        = list(string)
  default     = []
}

variable "alarm_actions" {
  description = "What is told when an alarm goes off: ARNs of SNS topics."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long logs are kept. The record is the ledger, not the log."
  type        = number
  default     = 90
}

variable "kms_key_arn" {
  description = "A KMS key for the variables, the logs and the dead-letter queue; AWS's own without one."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "The most invocations at once; -1 leaves it to the account. Several at once lose nothing."
  type        = number
  default     = -1
}

variable "tags" {
  description = "Tags for everything."
  type        = map(string)
  default     = {}
}
