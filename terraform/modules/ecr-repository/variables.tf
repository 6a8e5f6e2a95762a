variable "name" {
  description = "The repository's name."
  type        = string
}

variable "other_tags" {
  description = "What holds for tags that are no pins: `move` (as by default in ECR), `stay`, or `stay_but` for those in `moving_tags`."
  type        = string
  default     = "stay"
  validation {
    condition     = contains(["move", "stay", "stay_but"], var.other_tags)
    error_message = "move, stay or stay_but."
  }
}

# What ECR takes as filters (A18).
variable "moving_tags" {
  description = "With `stay_but`, patterns of the tags that may move, such as latest and dev-*: five at most, with two * each at most."
  type        = list(string)
  default     = ["latest"]
  validation {
    condition     = length(var.moving_tags) >= 1 && length(var.moving_tags) <= 5 && alltrue([for filter in var.moving_tags : can(regex("^[0-9a-zA-Z._*-]{1,128}$", filter)) && length(split("*", filter)) <= 3])
    error_message = "One to five patterns of letters, digits, '.', '_', '-' and at most two '*'."
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
  description = "A KMS key for the images; ECR's own encryption without one. Whoever deletes the key deletes the images."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for the repository."
  type        = map(string)
  default     = {}
}
