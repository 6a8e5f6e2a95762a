variable "repositories" {
  description = "Names of the repositories."
  type        = list(string)
}

variable "lifecycle_rules" {
  description = "Your own lifecycle rules, most important first, as in an ECR lifecycle policy. The module sets their rulePriority."
  type        = any
  default     = []
}

variable "check_mutability" {
  description = "Whether every plan reads the repositories' tag mutability, and warns of repositories whose pins can be moved."
  type        = bool
  default     = true
}
