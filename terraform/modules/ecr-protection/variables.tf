variable "repositories" {
  description = "Names of the repositories."
  type        = list(string)
}

variable "lifecycle_rules" {
  description = "Your own lifecycle rules, most important first, as in ECR's policy; their rulePriority is set here."
  type        = any
  default     = []
}

variable "check_mutability" {
  description = "Whether every plan looks at the repositories' mutability, and warns of those whose pins can be moved."
  type        = bool
  default     = true
}
