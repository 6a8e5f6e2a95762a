# What prodpin needs in Harbor, for the provider goharbor/harbor: a robot account, and in each project the two rules by which
# pins hold. `prodpin forecast --recommend REPOSITORY | jq -r '.[].terraform'` prints the rules for a project as it is.

terraform {
  required_version = ">= 1.5"

  required_providers {
    harbor = {
      source  = "goharbor/harbor"
      version = ">= 3.10"
    }
  }
}

variable "project" {
  description = "The Harbor project that holds the releases."
  type        = string
}

variable "robot" {
  description = "Which account to make: robot-audit.json, robot-enforce.json, robot-enforce-project.json or robot-release.json."
  type        = string
  default     = "robot-enforce.json"
}

locals {
  robot = jsondecode(file("${path.module}/${var.robot}"))
}

data "harbor_project" "releases" {
  name = var.project
}

# The least permissions are those of the document, which the tests hold against the calls that prodpin makes.
resource "harbor_robot_account" "prodpin" {
  name        = local.robot.name
  description = local.robot.description
  level       = local.robot.level
  duration    = local.robot.duration

  dynamic "permissions" {
    for_each = local.robot.permissions

    content {
      kind      = permissions.value.kind
      namespace = local.robot.level == "project" ? var.project : permissions.value.namespace

      dynamic "access" {
        for_each = permissions.value.access

        content {
          resource = access.value.resource
          action   = access.value.action
        }
      }
    }
  }
}

# Nobody deletes or moves a pin, a developer who changes tag retention included.
resource "harbor_immutable_tag_rule" "pins" {
  project_id    = data.harbor_project.releases.id
  repo_matching = "**"
  tag_matching  = "prod-pinned-*"
}

# This resource is the whole policy of the project: put every rule that the project has beside the first one. What no rule
# retains is deleted.
resource "harbor_retention_policy" "releases" {
  scope    = data.harbor_project.releases.id
  schedule = "0 0 3 * * *"

  rule {
    always_retain      = true
    repo_matching      = "**"
    tag_matching       = "prod-pinned-*"
    untagged_artifacts = false
  }

  # Everything else for a quarter of a year, and what has no tag as well.
  rule {
    n_days_since_last_push = 90
    repo_matching          = "**"
    tag_matching           = "**"
    untagged_artifacts     = true
  }
}
