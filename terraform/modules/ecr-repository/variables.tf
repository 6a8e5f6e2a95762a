variable "name" {
  description = "The repository's name."
  type        = string
}

variable "other_tags" {
  description = "Mutability of tags that are not pins: `move` (ECR's default), `stay`, or `stay_but` to let only `moving_tags` move."
  type        = string
  default     = "stay"
  validation {
    condition     = contains(["move", "stay", "stay_but"], var.other_tags)
    error_message = "Use move, stay or stay_but."
  }
}

# What ECR takes as filters (A18).
variable "moving_tags" {
  description = "With `stay_but`: patterns of the tags that may move, such as latest and dev-*. At most five patterns, each with at most two *."
  type        = list(string)
  default     = ["latest"]
  validation {
    condition     = length(var.moving_tags) >= 1 && length(var.moving_tags) <= 5 && alltrue([for filter in var.moving_tags : can(regex("^[0-9a-zA-Z._*-]{1,128}$", filter)) && length(split("*", filter)) <= 3])
    error_message = "Give one to five patterns of letters, digits, '.', '_', '-' and at most two '*' each."
  }
  # A pattern that a pin matches would let pins move: told apart by the pattern's beginning up to its first *.
  validation {
    condition = alltrue([
      for filter in var.moving_tags :
      !startswith(filter, "prod-pinned-") && !(strcontains(filter, "*") && startswith("prod-pinned-", split("*", filter)[0]))
    ])
    error_message = "A pattern in moving_tags may match a pin (prod-pinned-…): begin it with something else."
  }
}

variable "kms_key_arn" {
  description = "A KMS key that encrypts the images. Null: ECR's own encryption. Whoever deletes the key deletes the images."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the repository."
  type        = map(string)
  default     = {}
}
