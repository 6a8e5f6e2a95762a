# A module of its own, because a block that a provider does not know is an error even where it is not used: the others
# here work with 5.80 and later.
terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.8"
    }
  }
}
