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
  accounts      = ["111122223333", "444455556666"]
  external_id   = "a-long-and-secret-word"
}

run "a_source_for_each_account_and_no_secret_in_the_policy" {
  command = apply
  assert {
    condition     = keys(yamldecode(output.policy).sources) == ["a111122223333", "a444455556666"]
    error_message = "one source for each account"
  }
  assert {
    condition     = yamldecode(output.policy).sources.a444455556666.ecr.assume_role == "arn:aws:iam::444455556666:role/prodpin-audit"
    error_message = "by its role"
  }
  assert {
    condition     = !strcontains(output.policy, "a-long-and-secret-word") && strcontains(output.policy, "$${PRODPIN_EXTERNAL_ID}")
    error_message = "the secret is in a variable of its own"
  }
}

run "an_account_is_twelve_digits" {
  command = plan
  variables {
    accounts = ["1234"]
  }
  expect_failures = [var.accounts]
}
