mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "111122223333"
    }
  }
  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::111122223333:role/prodpin"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-1:111122223333:prodpin-dead-letters"
    }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-west-1:111122223333:function:prodpin"
    }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = {
      arn = "arn:aws:events:eu-west-1:111122223333:rule/prodpin"
    }
  }
}

variables {
  package       = "variables.tf"
  ledger_bucket = "acme-prodpin-ledger"
}

run "everything_fits_together" {
  command = apply
  variables {
    deployment_bucket = "acme-deployments"
    schedule_minutes  = 1
  }
  assert {
    condition     = yamldecode(output.policy).sources.images == { ecr = { region = "eu-west-1", registry = "111122223333" }, repositories = ["shop/**"] }
    error_message = "the policy looks at this account's registry"
  }
  assert {
    condition     = yamldecode(output.policy).schedule == "rate(1 minute)" && yamldecode(output.policy).sources.bundles.s3 == "acme-deployments"
    error_message = "AWS wants the unit to agree with the number (G148)"
  }
}

run "without_a_bucket_there_is_no_source_for_one" {
  command = apply
  assert {
    condition     = keys(yamldecode(output.policy).sources) == ["images"]
    error_message = "only images"
  }
}
